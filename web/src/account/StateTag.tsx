import { CheckCircleOutlined, DisconnectOutlined, ExclamationCircleOutlined, StopOutlined } from '@ant-design/icons';
import { Tag } from 'antd';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { AuthorizerState } from '../client';

const looks: Record<AuthorizerState, { color: string; icon: ReactNode }> = {
  active: { color: 'success', icon: <CheckCircleOutlined aria-hidden /> },
  needs_reauthorization: { color: 'warning', icon: <ExclamationCircleOutlined aria-hidden /> },
  limited: { color: 'warning', icon: <StopOutlined aria-hidden /> },
  revoked: { color: 'error', icon: <DisconnectOutlined aria-hidden /> },
};

/** How an account stands with us, in a word; the icon tells the states apart without colour. */
export function StateTag({ state }: { state: AuthorizerState }) {
  const { t } = useTranslation();
  return (
    <Tag color={looks[state].color} icon={looks[state].icon}>
      {t(`state.${state}`)}
    </Tag>
  );
}
