import { Link } from '@tanstack/react-router';
import { Alert } from 'antd';
import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import type { Routed } from '../client';
import { RoutedBatches } from './RoutedBatches';
import { UnroutedPeople } from './UnroutedPeople';

interface Props {
  tenantId: string;
  routed: Routed;
  /** Sends these once more, with an account named. */
  onTryAgain: (openids: string[]) => void;
}

/** What came of a wish about people: a batch for each account, and who went nowhere. */
export function RoutedResult({ tenantId, routed, onTryAgain }: Props) {
  const { t, i18n } = useTranslation();
  const top = useRef<HTMLDivElement>(null);
  // The form that had the focus is gone.
  useEffect(() => top.current?.focus(), []);
  const { batches, unrouted } = routed;
  const people = batches.reduce((sum, { counts }) => sum + counts.total - counts.skipped, 0);
  const number = (count: number) => count.toLocaleString(i18n.language);
  return (
    <div className="stack-wide">
      <div ref={top} tabIndex={-1} className="people-result">
        <Alert
          type={unrouted.length === 0 ? 'success' : 'warning'}
          showIcon
          title={
            <div className="stack">
              {people > 0 && <span>{t('people.taken', { count: people, number: number(people), accounts: number(batches.length) })}</span>}
              {unrouted.length > 0 && <span>{t('people.left', { count: unrouted.length, number: number(unrouted.length) })}</span>}
            </div>
          }
        />
      </div>
      <UnroutedPeople tenantId={tenantId} unrouted={unrouted} onTryAgain={onTryAgain} />
      {batches.length > 0 && <RoutedBatches tenantId={tenantId} batches={batches} />}
      <Link to="/tenants/$tenantId/batches" params={{ tenantId }}>
        {t('people.allBatches')}
      </Link>
    </div>
  );
}
