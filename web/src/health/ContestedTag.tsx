import { SwapOutlined } from '@ant-design/icons';
import { Tag } from 'antd';
import { useTranslation } from 'react-i18next';
import type { TokenHealth } from '../client';
import { useNow } from '../time/useNow';
import { contestOf } from './contested';

/** The sign that another system fetches tokens too; nothing where none does. */
export function ContestedTag({ health }: { health: TokenHealth }) {
  const { t } = useTranslation();
  const contest = contestOf(health, useNow());
  if (contest === 'none') return null;
  return (
    <Tag color="warning" icon={<SwapOutlined aria-hidden />}>
      {t(`contest.${contest}`)}
    </Tag>
  );
}
