import { Tag } from 'antd';
import { useTranslation } from 'react-i18next';
import type { Batch } from '../client';

const colors = { queued: undefined, running: 'processing', paused: 'warning', done: 'success', cancelled: 'error' } as const;

export function BatchStatusTag({ status }: { status: Batch['status'] }) {
  const { t } = useTranslation();
  return <Tag color={colors[status]}>{t(`batchStatus.${status}`)}</Tag>;
}
