import { useMutation } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import type { Adopted, Restored } from '../client';
import { adoptDriftMutation, restoreDriftMutation } from '../client/@tanstack/react-query.gen';
import { ConfirmDialog } from '../frame/ConfirmDialog';
import type { DriftFilter } from './search';

/** Take over what was done outside, or have it as it was wanted here. */
export type Remedy = 'adopt' | 'restore';

interface Props {
  remedy: Remedy;
  tenantId: string;
  appid: string;
  /** The differences that are meant. */
  drift: DriftFilter;
  /** Only these; empty: all of them. */
  openids: string[];
  /** How many all of them are. */
  total: number;
  /** Counting ended at that: there are more. */
  totalIsAtLeast: boolean;
  onAdopted: (adopted: Adopted) => void;
  onRestored: (restored: Restored) => void;
  onClose: () => void;
}

export function DriftDialog({ remedy, tenantId, appid, drift, openids, total, totalIsAtLeast, onAdopted, onRestored, onClose }: Props) {
  const { t, i18n } = useTranslation();
  const adopt = useMutation({ ...adoptDriftMutation(), onSuccess: onAdopted });
  const restore = useMutation({ ...restoreDriftMutation(), onSuccess: onRestored });
  const all = openids.length === 0;
  const count = all ? total : openids.length;
  const counted = count.toLocaleString(i18n.language);
  const number = all && totalIsAtLeast ? t('drift.moreThan', { number: counted }) : counted;
  const mutation = remedy === 'adopt' ? adopt : restore;
  return (
    <ConfirmDialog
      title={t(`drift.${remedy}Title`)}
      confirm={t(`drift.${remedy}`)}
      danger={remedy === 'restore'}
      reasonHint={t('drift.reasonHint')}
      pending={mutation.isPending}
      problem={mutation.error}
      onConfirm={(reason) =>
        mutation.mutate({ path: { tenant_id: tenantId, appid }, body: { drift, openids: all ? undefined : openids, reason } })
      }
      onClose={onClose}
    >
      <p>{t(`drift.${remedy}Help`, { count, number })}</p>
      {remedy === 'restore' && <p className="quiet">{t(all ? 'drift.restoreAllHelp' : 'drift.restoreSelectedHelp')}</p>}
    </ConfirmDialog>
  );
}
