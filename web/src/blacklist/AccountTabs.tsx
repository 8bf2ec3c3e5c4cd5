import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';

const activeOptions = { includeSearch: false };

/** The ways to all pages about one account. */
export function AccountTabs({ tenantId, appid }: { tenantId: string; appid: string }) {
  const { t } = useTranslation();
  const to = { params: { tenantId, appid }, activeOptions, className: 'nav-link' };
  return (
    <nav aria-label={t('tabs.label')} className="tabs">
      <Link to="/tenants/$tenantId/accounts/$appid/blacklist" {...to}>
        {t('tabs.blacklist')}
      </Link>
      <Link to="/tenants/$tenantId/accounts/$appid/batches" {...to}>
        {t('tabs.batches')}
      </Link>
      <Link to="/tenants/$tenantId/accounts/$appid/drift" {...to}>
        {t('tabs.drift')}
      </Link>
      <Link to="/tenants/$tenantId/accounts/$appid/work" {...to}>
        {t('tabs.work')}
      </Link>
      <Link to="/tenants/$tenantId/accounts/$appid/followers" {...to}>
        {t('followers.title')}
      </Link>
    </nav>
  );
}
