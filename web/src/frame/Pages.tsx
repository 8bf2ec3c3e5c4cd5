import { Link, useLocation } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { AllOpenAlerts, OpenAlerts } from '../alert/OpenAlerts';
import type { Me } from '../client';

interface Props {
  me: Me;
  /** Undefined where there is no tenant. */
  tenantId: string | undefined;
}

const activeOptions = { includeSearch: false };

/** The ways to all pages: those of the tenant, and for the service provider those of the whole. */
export function Pages({ me, tenantId }: Props) {
  const { t } = useTranslation();
  const platform = me.kind === 'platform_key';
  const nav = useShownLink();
  return (
    <nav ref={nav} aria-label={t('frame.pages')} className="pages">
      {tenantId && (
        <>
          <Link to="/tenants/$tenantId/accounts" params={{ tenantId }} activeOptions={activeOptions} className="nav-link">
            {t('frame.accounts')}
          </Link>
          <Link to="/tenants/$tenantId/batches" params={{ tenantId }} activeOptions={activeOptions} className="nav-link">
            {t('frame.batches')}
          </Link>
          <Link to="/tenants/$tenantId/followers" params={{ tenantId }} activeOptions={activeOptions} className="nav-link">
            {t('followers.title')}
          </Link>
          <Link to="/tenants/$tenantId/people" params={{ tenantId }} activeOptions={activeOptions} className="nav-link">
            {t('people.title')}
          </Link>
          <Link to="/tenants/$tenantId/lists" params={{ tenantId }} activeOptions={activeOptions} className="nav-link">
            {t('lists.title')}
          </Link>
          <Link to="/tenants/$tenantId/alerts" params={{ tenantId }} activeOptions={activeOptions} className="nav-link">
            {t('frame.alerts')} <OpenAlerts tenantId={tenantId} />
          </Link>
        </>
      )}
      {tenantId && platform && (
        <Link to="/tenants/$tenantId/settings" params={{ tenantId }} className="nav-link">
          {t('frame.settings')}
        </Link>
      )}
      {platform && (
        <>
          <span className="pages-line" aria-hidden />
          <Link to="/alerts" activeOptions={activeOptions} className="nav-link">
            {t('frame.allAlerts')} <AllOpenAlerts />
          </Link>
          <Link to="/platform" activeOptions={{ includeHash: false }} className="nav-link">
            {t('frame.platform')}
          </Link>
        </>
      )}
    </nav>
  );
}

/** Where not all links fit beside each other, the one of the page on the screen is among those that are seen. */
function useShownLink() {
  const nav = useRef<HTMLElement>(null);
  const page = useLocation({ select: ({ pathname }) => pathname });
  useEffect(() => {
    const link = nav.current?.querySelector('.active')?.getBoundingClientRect();
    if (!nav.current || !link) return;
    const { left, right } = nav.current.getBoundingClientRect();
    nav.current.scrollLeft += Math.max(0, link.right - right) - Math.max(0, left - link.left);
  }, [page]);
  return nav;
}
