import { Link, Outlet, useParams } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { useMe } from '../session/useMe';
import { LanguageSwitch } from './LanguageSwitch';
import { Logo } from './Logo';
import { SignedInMenu } from './SignedInMenu';
import { TenantChooser } from './TenantChooser';

/** What surrounds every page of somebody who is signed in. */
export function Frame() {
  const { t } = useTranslation();
  const me = useMe();
  const { tenantId } = useParams({ strict: false });
  return (
    <>
      <a className="skip-link" href="#content">
        {t('frame.skip')}
      </a>
      <header className="frame-header">
        <Link to="/" className="brand">
          <Logo /> Steward
        </Link>
        <TenantChooser me={me} tenantId={tenantId} />
        <nav aria-label={t('frame.pages')}>
          {tenantId && (
            <Link to="/tenants/$tenantId/accounts" params={{ tenantId }} activeOptions={{ includeSearch: false }} className="nav-link">
              {t('frame.accounts')}
            </Link>
          )}
        </nav>
        <div className="frame-end">
          <LanguageSwitch />
          <SignedInMenu me={me} />
        </div>
      </header>
      <main id="content" tabIndex={-1}>
        <Outlet />
      </main>
    </>
  );
}
