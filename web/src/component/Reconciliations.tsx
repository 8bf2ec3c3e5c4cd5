import { SyncOutlined } from '@ant-design/icons';
import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Button } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { listReconciliationsOptions, listReconciliationsQueryKey, startReconciliationMutation } from '../client/@tanstack/react-query.gen';
import { CursorPager } from '../paging/CursorPager';
import { ProblemAlert } from '../problem/ProblemAlert';
import { isOver } from './reconciliation';
import { ReconciliationProgress } from './ReconciliationProgress';
import { ReconciliationTable } from './ReconciliationTable';

/** The comparisons of WeChat's list of authorized accounts with ours: the one under way, and those that have ended. */
export function Reconciliations({ appid }: { appid: string }) {
  const { t } = useTranslation();
  const queryClient = useQueryClient();
  // The cursors of this page and those before it; the first page's is ''.
  const [trail, setTrail] = useState(['']);
  const path = { component_appid: appid };
  const history = useQuery({
    ...listReconciliationsOptions({ path, query: { limit: 5, cursor: trail.at(-1) || undefined } }),
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => (state.data?.data.every(isOver) === false ? 1_000 : 30_000),
  });
  const start = useMutation({
    ...startReconciliationMutation(),
    onSuccess: () => {
      setTrail(['']);
      return queryClient.invalidateQueries({ queryKey: listReconciliationsQueryKey({ path }) });
    },
  });
  const running = history.data?.data.find((one) => !isOver(one));
  const next = history.data?.next_cursor;
  return (
    <section className="component-part" aria-label={t('reconcile.title')}>
      <div className="toolbar">
        <h3>{t('reconcile.title')}</h3>
        <span className="quiet">{t('reconcile.help')}</span>
        <div className="toolbar-end">
          <Button
            icon={<SyncOutlined aria-hidden />}
            loading={start.isPending || running !== undefined}
            onClick={() => start.mutate({ path, body: {} })}
          >
            {t('reconcile.button')}
          </Button>
        </div>
      </div>
      {start.isError && <ProblemAlert problem={start.error} />}
      {running && <ReconciliationProgress reconciliation={running} />}
      {history.isError && <ProblemAlert problem={history.error} onRetry={() => void history.refetch()} />}
      {!(history.isError && !history.data) && (
        <ReconciliationTable reconciliations={history.data?.data} refreshing={history.isPlaceholderData} />
      )}
      <CursorPager
        hasPrevious={trail.length > 1}
        hasNext={typeof next === 'string'}
        onFirst={() => setTrail([''])}
        onPrevious={() => setTrail(trail.slice(0, -1))}
        onNext={() => setTrail([...trail, next ?? ''])}
      />
    </section>
  );
}
