import { useQuery } from '@tanstack/react-query';
import { Button, Card, Progress, Table, theme } from 'antd';
import { useTranslation } from 'react-i18next';
import type { CallQuota } from '../client';
import { getBlacklistQuotaOptions } from '../client/@tanstack/react-query.gen';
import { ProblemAlert } from '../problem/ProblemAlert';

const calls = {
  getblacklist: 'read',
  batchblacklist: 'block',
  batchunblacklist: 'unblock',
} as const;

/** How often WeChat still allows the calls today. It is asked once the page opens, and again only by hand: asking is a call too. */
export function QuotaTable({ tenantId, appid }: { tenantId: string; appid: string }) {
  const { t } = useTranslation();
  const quotas = useQuery({
    ...getBlacklistQuotaOptions({ path: { tenant_id: tenantId, appid } }),
    staleTime: 60_000,
    refetchOnWindowFocus: false,
  });
  return (
    <Card
      size="small"
      title={t('quota.title')}
      extra={
        <Button size="small" loading={quotas.isFetching} onClick={() => void quotas.refetch()}>
          {t('quota.refresh')}
        </Button>
      }
    >
      {quotas.isError && <ProblemAlert problem={quotas.error} />}
      {!(quotas.isError && !quotas.data) && (
        <Table<CallQuota>
          size="small"
          rowKey="path"
          dataSource={quotas.data?.data}
          loading={quotas.isPending}
          pagination={false}
          locale={{ emptyText: ' ' }}
          columns={[
            { key: 'call', title: t('quota.call'), render: (_, { path }) => <CallName path={path} /> },
            { key: 'left', title: t('quota.left'), render: (_, quota) => <Left quota={quota} /> },
          ]}
        />
      )}
      <p className="small quiet quota-note">{t('quota.note')}</p>
    </Card>
  );
}

function CallName({ path }: { path: string }) {
  const { t } = useTranslation();
  const call = calls[(path.split('/').at(-1) ?? '') as keyof typeof calls] as (typeof calls)[keyof typeof calls] | undefined;
  return <span title={path}>{call ? t(`quota.${call}`) : path}</span>;
}

function Left({ quota }: { quota: CallQuota }) {
  const { t, i18n } = useTranslation();
  const { token } = theme.useToken();
  if (!quota.known) return <span className="quiet">{t('quota.unknown')}</span>;
  const number = (count: number) => count.toLocaleString(i18n.language);
  const words = t('quota.leftOf', { remain: number(quota.remain), limit: number(quota.daily_limit) });
  return (
    <div className="quota-left">
      <span className={quota.remain === 0 ? 'bad' : undefined}>{words}</span>
      <Progress
        percent={quota.daily_limit === 0 ? 0 : Math.ceil((quota.remain / quota.daily_limit) * 100)}
        strokeColor={quota.remain === 0 ? token.colorError : undefined}
        showInfo={false}
        size="small"
        aria-label={words}
      />
    </div>
  );
}
