import { useTranslation } from 'react-i18next';
import type { BlacklistPage } from '../client';

/** How many entries the filters match, as far as they were counted. Page undefined: that is still being read. */
export function EntryTotal({ page }: { page: BlacklistPage | undefined }) {
  const { t, i18n } = useTranslation();
  const number = page?.total.toLocaleString(i18n.language);
  return (
    <span role="status">
      {page ? (page.total_is_at_least ? t('blacklist.totalMore', { number }) : t('blacklist.total', { count: page.total, number })) : '…'}
    </span>
  );
}
