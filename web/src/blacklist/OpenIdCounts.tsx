import { Alert, Tag } from 'antd';
import { useTranslation } from 'react-i18next';
import { maxOpenIds, type PastedOpenIds } from './openids';

interface Props {
  id: string;
  counts: PastedOpenIds;
  kind?: 'openids' | 'unionids';
  /** How many one request may hold. */
  limit?: number;
}

/** What was pasted, counted while it is typed. */
export function OpenIdCounts({ id, counts, kind = 'openids', limit = maxOpenIds }: Props) {
  const { t, i18n } = useTranslation();
  const number = (count: number) => count.toLocaleString(i18n.language);
  return (
    <div id={id} className="counts" role="status">
      <span className="tags">
        <Tag color={counts.unique > 0 ? 'success' : undefined}>
          {t(`counts.${kind}`, { count: counts.unique, number: number(counts.unique) })}
        </Tag>
        {counts.duplicates > 0 && (
          <Tag color="warning">{t('counts.duplicates', { count: counts.duplicates, number: number(counts.duplicates) })}</Tag>
        )}
        {counts.blanks > 0 && <Tag>{t('counts.blanks', { count: counts.blanks, number: number(counts.blanks) })}</Tag>}
      </span>
      {counts.odd.length > 0 && (
        <Alert
          type="warning"
          showIcon
          title={t(kind === 'openids' ? 'counts.odd' : 'counts.oddUnionids')}
          description={counts.odd.map((openid) => (
            <code key={openid} className="odd-openid">
              {openid}
            </code>
          ))}
        />
      )}
      {counts.tooLong > 0 && <Alert type="error" showIcon title={t('counts.tooLong', { count: counts.tooLong })} />}
      {counts.openids.length > limit && (
        <Alert type="error" showIcon title={t('counts.tooMany', { number: number(counts.openids.length), limit: number(limit) })} />
      )}
    </div>
  );
}
