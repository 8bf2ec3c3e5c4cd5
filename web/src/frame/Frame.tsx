import { Link, Outlet } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { useMe } from '../session/useMe';
import { LanguageSwitch } from './LanguageSwitch';
import { Logo } from './Logo';
import { Pages } from './Pages';
import { SignedInMenu } from './SignedInMenu';
import { TenantChooser } from './TenantChooser';
import { useShownTenant } from './useShownTenant';

/** What surrounds every page of somebody who is signed in. */
export function Frame() {
  const { t } = useTranslation();
  const me = useMe();
  const tenantId = useShownTenant(me);
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
        <Pages me={me} tenantId={tenantId} />
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
