import { CheckOutlined, DisconnectOutlined, ExclamationCircleOutlined, SyncOutlined } from '@ant-design/icons';
import { Tag } from 'antd';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { HealthStatus } from '../client';

const looks: Record<Exclude<HealthStatus, 'ok'>, { color: string; icon: ReactNode }> = {
  failing: { color: 'warning', icon: <SyncOutlined aria-hidden /> },
  exhausted: { color: 'error', icon: <ExclamationCircleOutlined aria-hidden /> },
  broken: { color: 'error', icon: <DisconnectOutlined aria-hidden /> },
};

/** How the renewals of a token go, in a word. Only trouble stands out: most tokens of a long list are well. */
export function HealthTag({ status }: { status: HealthStatus }) {
  const { t } = useTranslation();
  if (status === 'ok') {
    return (
      <span className="quiet">
        <CheckOutlined aria-hidden /> {t('health.ok')}
      </span>
    );
  }
  return (
    <Tag color={looks[status].color} icon={looks[status].icon}>
      {t(`health.${status}`)}
    </Tag>
  );
}
