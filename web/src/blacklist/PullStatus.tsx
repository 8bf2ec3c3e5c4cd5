import { SyncOutlined } from '@ant-design/icons';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Alert, Button, Progress } from 'antd';
import { useEffect } from 'react';
import { Trans, useTranslation } from 'react-i18next';
import type { Pull } from '../client';
import { getPullOptions, startPullMutation } from '../client/@tanstack/react-query.gen';
import { ProblemAlert } from '../problem/ProblemAlert';
import { Refusal } from '../problem/Refusal';
import { useMay } from '../session/useMe';
import { RelativeTime } from '../time/RelativeTime';

interface Props {
  tenantId: string;
  appid: string;
  /** The pull to show, from the URL. */
  pullId: string | undefined;
  /** When WeChat's whole list was read last; null: never. */
  syncedAt: string | null | undefined;
  onPull: (id: string | undefined) => void;
  onDone: () => void;
}

/** How old our copy is, and the reading of WeChat's list: its start, its progress, its result. */
export function PullStatus({ tenantId, appid, pullId, syncedAt, onPull, onDone }: Props) {
  const { t } = useTranslation();
  const mayRead = useMay('blacklist:read');
  const start = useMutation({ ...startPullMutation(), onSuccess: ({ id }) => onPull(id) });
  const pull = useQuery({
    ...getPullOptions({ path: { tenant_id: tenantId, appid, pull_id: pullId ?? '' } }),
    enabled: pullId !== undefined,
    refetchInterval: ({ state }) => (state.data && isOver(state.data) ? false : 1_000),
  });
  const shown = pullId === undefined ? undefined : pull.data;
  const over = shown !== undefined && isOver(shown);
  useEffect(() => {
    if (over) onDone();
  }, [over, onDone]);
  return (
    <>
      {syncedAt !== undefined && (
        <span>
          {syncedAt === null ? t('pull.never') : <Trans i18nKey="pull.read" components={{ at: <RelativeTime at={syncedAt} tabStop /> }} />}
        </span>
      )}
      <Button
        size="small"
        icon={<SyncOutlined aria-hidden />}
        loading={start.isPending || (shown !== undefined && !over)}
        disabled={!mayRead}
        title={mayRead ? undefined : t('frame.notAllowed')}
        onClick={() => start.mutate({ path: { tenant_id: tenantId, appid }, body: {} })}
      >
        {t('pull.button')}
      </Button>
      {start.isError && (
        <div className="whole-line">
          <ProblemAlert problem={start.error} />
        </div>
      )}
      {pullId !== undefined && pull.isError && (
        <div className="whole-line">
          <ProblemAlert problem={pull.error} onRetry={() => onPull(undefined)} />
        </div>
      )}
      {shown && (
        <div className="whole-line" role="status">
          <PullView pull={shown} onClose={() => onPull(undefined)} />
        </div>
      )}
    </>
  );
}

function PullView({ pull, onClose }: { pull: Pull; onClose: () => void }) {
  const { t, i18n } = useTranslation();
  const number = (count: number) => count.toLocaleString(i18n.language);
  if (pull.status === 'done') {
    return (
      <Alert
        type="success"
        showIcon
        closable={{ onClose, 'aria-label': t('pull.close') }}
        title={t('pull.done', { count: pull.read, number: number(pull.read), added: number(pull.added), removed: number(pull.removed) })}
      />
    );
  }
  if (pull.status === 'failed') {
    return (
      <Alert
        type="error"
        showIcon
        closable={{ onClose, 'aria-label': t('pull.close') }}
        title={t('pull.failed')}
        description={
          <>
            <p>{pull.error}</p>
            <Refusal errcode={pull.errcode} rid={pull.rid} advice={pull.advice} />
          </>
        }
      />
    );
  }
  return (
    <div className="pull-progress">
      <span>{pull.total === null ? t('pull.starting') : t('pull.reading', { read: number(pull.read), total: number(pull.total) })}</span>
      <Progress percent={pull.total ? Math.floor((pull.read / pull.total) * 100) : 0} status="active" aria-label={t('pull.progress')} />
    </div>
  );
}

function isOver(pull: Pull): boolean {
  return pull.status === 'done' || pull.status === 'failed';
}
