import { LeftOutlined, RightOutlined, VerticalRightOutlined } from '@ant-design/icons';
import { Button } from 'antd';
import { useTranslation } from 'react-i18next';

interface Props {
  /** There is a page before this one. */
  hasPrevious: boolean;
  hasNext: boolean;
  onFirst: () => void;
  /** Undefined where the way back is unknown: a link led into the middle of the list. */
  onPrevious: (() => void) | undefined;
  onNext: () => void;
}

/** Steps through a list of which only the next page's cursor is known. Nothing is shown for a list of one page. */
export function CursorPager({ hasPrevious, hasNext, onFirst, onPrevious, onNext }: Props) {
  const { t } = useTranslation();
  if (!hasPrevious && !hasNext) return null;
  return (
    <nav className="pager" aria-label={t('pager.label')}>
      <Button size="small" icon={<VerticalRightOutlined aria-hidden />} disabled={!hasPrevious} onClick={onFirst}>
        {t('pager.first')}
      </Button>
      <Button size="small" icon={<LeftOutlined aria-hidden />} disabled={!hasPrevious || !onPrevious} onClick={onPrevious}>
        {t('pager.previous')}
      </Button>
      <Button size="small" icon={<RightOutlined aria-hidden />} iconPlacement="end" disabled={!hasNext} onClick={onNext}>
        {t('pager.next')}
      </Button>
    </nav>
  );
}
