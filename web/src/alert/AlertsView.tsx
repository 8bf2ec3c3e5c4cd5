import type { UseQueryResult } from '@tanstack/react-query';
import { Button, Empty, Segmented } from 'antd';
import { useTranslation } from 'react-i18next';
import type { AlertPage } from '../client';
import { CursorPager } from '../paging/CursorPager';
import { useTrail } from '../paging/useTrail';
import { ProblemAlert } from '../problem/ProblemAlert';
import { AlertsTable } from './AlertsTable';
import { alertFilters, type AlertFilter, type AlertsSearch } from './search';

interface Props {
  title: string;
  alerts: UseQueryResult<AlertPage>;
  search: AlertsSearch;
  tenantNames?: Map<string, string>;
  /** Leads to other alerts; `trail` undefined: to those of another filter. */
  onGo: (search: AlertsSearch, trail?: string[]) => void;
}

/** What has broken, one line for each break: open ones first. */
export function AlertsView({ title, alerts, search, tenantNames, onGo }: Props) {
  const { t } = useTranslation();
  const show = search.show ?? 'open';
  const filter = (chosen: AlertFilter) => onGo({ show: chosen === 'open' ? undefined : chosen });
  const pager = useTrail(search.cursor, alerts.data?.next_cursor, (cursor, trail) => onGo({ ...search, cursor }, trail));
  return (
    <div className="page">
      <div className="page-top">
        <h1>{title}</h1>
      </div>
      <div className="toolbar">
        <Segmented<AlertFilter>
          aria-label={t('alerts.filter')}
          value={show}
          onChange={filter}
          options={alertFilters.map((value) => ({ value, label: t(`alertFilter.${value}`) }))}
        />
      </div>
      {alerts.isError && <ProblemAlert problem={alerts.error} onRetry={() => void alerts.refetch()} />}
      {!(alerts.isError && !alerts.data) && (
        <AlertsTable
          alerts={alerts.data?.data}
          refreshing={alerts.isPlaceholderData}
          tenantNames={tenantNames}
          empty={
            <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t(`alerts.none.${show}`)}>
              {show !== 'all' && <Button onClick={() => filter('all')}>{t('alerts.showAll')}</Button>}
            </Empty>
          }
        />
      )}
      <CursorPager {...pager} />
    </div>
  );
}
