import { Button, Empty } from 'antd';
import { useTranslation } from 'react-i18next';
import type { ActualFilter } from './search';

interface Props {
  searching: boolean;
  filter: ActualFilter;
  /** WeChat's list has never been read: nothing here does not mean that nobody is blocked. */
  neverRead: boolean;
  onShowAll: () => void;
}

export function NoEntries({ searching, filter, neverRead, onShowAll }: Props) {
  const { t } = useTranslation();
  return (
    <Empty
      image={Empty.PRESENTED_IMAGE_SIMPLE}
      description={
        <>
          <p>{searching ? t('blacklist.noneMatch') : t(`blacklist.none.${filter}`)}</p>
          {neverRead && <p className="quiet">{t('blacklist.neverRead')}</p>}
        </>
      }
    >
      {(searching || filter !== 'any') && <Button onClick={onShowAll}>{t('blacklist.showAll')}</Button>}
    </Empty>
  );
}
