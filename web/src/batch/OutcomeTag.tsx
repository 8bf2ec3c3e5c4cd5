import { CheckOutlined, ClockCircleOutlined, CloseOutlined, MinusOutlined } from '@ant-design/icons';
import { Tag } from 'antd';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { Outcome } from '../client';

const looks: Record<Outcome, { color?: string; icon: ReactNode }> = {
  pending: { color: 'processing', icon: <ClockCircleOutlined aria-hidden /> },
  done: { color: 'success', icon: <CheckOutlined aria-hidden /> },
  already: { color: 'success', icon: <CheckOutlined aria-hidden /> },
  failed: { color: 'error', icon: <CloseOutlined aria-hidden /> },
  superseded: { icon: <MinusOutlined aria-hidden /> },
  cancelled: { icon: <MinusOutlined aria-hidden /> },
};

export function OutcomeTag({ outcome }: { outcome: Outcome }) {
  const { t } = useTranslation();
  return (
    <Tag color={looks[outcome].color} icon={looks[outcome].icon} title={t(`outcomeMeaning.${outcome}`)}>
      {t(`outcome.${outcome}`)}
    </Tag>
  );
}
