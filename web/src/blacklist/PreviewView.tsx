import { Alert } from 'antd';
import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import type { Malformed, Misplaced, Preview, PreviewCounts } from '../client';
import { useAccountName } from './useAccount';
import type { Action } from './useWish';

type Counted = Exclude<keyof PreviewCounts, 'total'>;

/** In the order of what most people look for; those that nothing counts in stay away. */
const counted: [Counted, label: (action: Action) => Label][] = [
  ['would_change', (action) => `would_change.${action}`],
  ['already', (action) => `already.${action}`],
  ['unknown', () => 'unknown'],
  ['pending_other', () => 'superseding'],
  ['belongs_elsewhere', () => 'belongs_elsewhere'],
  ['malformed', () => 'malformed'],
  ['duplicates', () => 'duplicates'],
  ['blank', () => 'blank'],
];
type Label = `${'would_change' | 'already'}.${Action}` | 'superseding' | Exclude<Counted, 'would_change' | 'already' | 'pending_other'>;
const bad: readonly string[] = ['belongs_elsewhere', 'malformed'];

/** What a wish would do, if it were made now. */
export function PreviewView({ preview, tenantId }: { preview: Preview; tenantId: string }) {
  const { t, i18n } = useTranslation();
  const { counts, action, elsewhere, malformed } = preview;
  const number = (count: number) => count.toLocaleString(i18n.language);
  const view = useRef<HTMLDivElement>(null);
  // It comes below the form, perhaps out of sight.
  useEffect(() => view.current?.scrollIntoView({ block: 'nearest' }), []);
  const troubled = counts.belongs_elsewhere > 0 || counts.malformed > 0;
  return (
    <div role="status" ref={view}>
      <Alert
        type={troubled ? 'warning' : 'info'}
        showIcon
        title={t(`preview.${action}`, { count: counts.would_change, number: number(counts.would_change) })}
        description={
          <div className="stack-wide">
            <table className="preview-counts">
              <tbody>
                {counted
                  .filter(([one]) => counts[one] > 0)
                  .map(([one, label]) => (
                    <tr key={one} className={bad.includes(one) ? 'bad' : undefined}>
                      <th scope="row">{t(`preview.${label(action)}`)}</th>
                      <td>{number(counts[one])}</td>
                    </tr>
                  ))}
              </tbody>
            </table>
            {elsewhere.length > 0 && <Elsewhere tenantId={tenantId} misplaced={elsewhere} total={counts.belongs_elsewhere} />}
            {malformed.length > 0 && <NoOpenIds malformed={malformed} total={counts.malformed} />}
            <p className="small quiet">{t('preview.asFarAsKnown')}</p>
          </div>
        }
      />
    </div>
  );
}

/** The accounts that openids belong to in truth. */
function Elsewhere({ tenantId, misplaced, total }: { tenantId: string; misplaced: Misplaced[]; total: number }) {
  const { t } = useTranslation();
  const accounts = [...new Set(misplaced.map(({ appid }) => appid))];
  return (
    <div>
      <strong>{t('preview.elsewhereTitle')}</strong>
      {accounts.map((account) => (
        <div key={account}>
          <AccountName tenantId={tenantId} appid={account} />
          <ul className="preview-openids">
            {misplaced
              .filter(({ appid }) => appid === account)
              .map(({ openid }) => (
                <li key={openid} className="mono small">
                  {openid}
                </li>
              ))}
          </ul>
        </div>
      ))}
      <More shown={misplaced.length} total={total} />
    </div>
  );
}

function AccountName({ tenantId, appid }: { tenantId: string; appid: string }) {
  const name = useAccountName(tenantId, appid);
  return (
    <>
      {name} {name !== appid && <span className="mono small quiet">{appid}</span>}
    </>
  );
}

function NoOpenIds({ malformed, total }: { malformed: Malformed[]; total: number }) {
  const { t } = useTranslation();
  return (
    <div>
      <strong>{t('preview.malformedTitle')}</strong>
      <ul className="preview-openids">
        {malformed.map(({ index, beginning }) => (
          <li key={index} className="small">
            {t('preview.place', { place: index + 1 })} <code>{beginning}</code>
          </li>
        ))}
      </ul>
      <More shown={malformed.length} total={total} />
    </div>
  );
}

/** The API names the first hundred only. */
function More({ shown, total }: { shown: number; total: number }) {
  const { t, i18n } = useTranslation();
  if (total <= shown) return null;
  return (
    <p className="small quiet">{t('preview.more', { count: total - shown, number: (total - shown).toLocaleString(i18n.language) })}</p>
  );
}
