import { Button, Table, type TableColumnsType } from 'antd';
import { useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { Alert } from '../client';
import { ConnectDialog } from '../connect/ConnectDialog';
import { useNarrow } from '../frame/useNarrow';
import { Refusal } from '../problem/Refusal';
import { useMay } from '../session/useMe';
import { AlertKindTag } from './AlertKindTag';
import { AlertSubject } from './AlertSubject';
import { AlertTimes } from './AlertTimes';

interface Props {
  /** Undefined while they are read for the first time. */
  alerts: Alert[] | undefined;
  /** Other alerts are on their way. */
  refreshing: boolean;
  /** Their names by their ids; undefined where all accounts are one tenant's. */
  tenantNames?: Map<string, string>;
  empty: ReactNode;
}

export function AlertsTable({ alerts, refreshing, tenantNames, empty }: Props) {
  const { t } = useTranslation();
  const narrow = useNarrow();
  const [connecting, setConnecting] = useState<Reconnect>();
  const subject = (alert: Alert) => <AlertSubject alert={alert} tenantName={tenantNames?.get(alert.tenant_id ?? '')} />;
  const wide: TableColumnsType<Alert> = [
    { key: 'kind', title: t('alerts.kind'), width: 240, render: (_, alert) => <AlertKindTag alert={alert} /> },
    { key: 'subject', title: t('alerts.subject'), width: 230, render: (_, alert) => subject(alert) },
    { key: 'what', title: t('alerts.what'), render: (_, alert) => <Refusal {...alert} /> },
    { key: 'times', title: t('alerts.times'), width: 190, render: (_, alert) => <AlertTimes alert={alert} /> },
    {
      key: 'reconnect',
      title: <span className="unseen">{t('alerts.action')}</span>,
      width: 140,
      render: (_, alert) => <ReconnectButton alert={alert} onReconnect={setConnecting} />,
    },
  ];
  const card: TableColumnsType<Alert> = [
    {
      key: 'alert',
      title: t('alerts.title'),
      render: (_, alert) => (
        <div className="card">
          <AlertKindTag alert={alert} />
          {subject(alert)}
          <Refusal {...alert} />
          <AlertTimes alert={alert} />
          <ReconnectButton alert={alert} onReconnect={setConnecting} />
        </div>
      ),
    },
  ];
  return (
    <>
      <Table<Alert>
        size="small"
        className={narrow ? 'facts-table' : 'facts-table wide-table'}
        rowKey="id"
        columns={narrow ? card : wide}
        dataSource={alerts}
        loading={alerts === undefined || refreshing}
        pagination={false}
        tableLayout={narrow ? undefined : 'fixed'}
        locale={{ emptyText: alerts === undefined ? ' ' : empty }}
      />
      {connecting && <ConnectDialog {...connecting} onClose={() => setConnecting(undefined)} />}
    </>
  );
}

/** An account that its merchant can bring back. */
interface Reconnect {
  tenantId: string;
  appid: string;
  componentAppid: string;
}

function ReconnectButton({ alert, onReconnect }: { alert: Alert; onReconnect: (account: Reconnect) => void }) {
  const { t } = useTranslation();
  const mayConnect = useMay('connect-links:write');
  const { tenant_id: tenantId, appid, component_appid: componentAppid } = alert;
  const lost = alert.kind === 'needs_reauthorization' || alert.kind === 'revoked';
  if (!lost || alert.cleared_at !== null || tenantId === null || appid === null || !mayConnect) return null;
  return (
    <Button size="small" onClick={() => onReconnect({ tenantId, appid, componentAppid })}>
      {t('connect.again')}
    </Button>
  );
}
