import { getRouteApi } from '@tanstack/react-router';
import { Button, Segmented } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Action } from '../blacklist/useWish';
import type { Routed } from '../client';
import { useTitle } from '../frame/useTitle';
import { PeopleForm } from './PeopleForm';
import { RoutedResult } from './RoutedResult';

const route = getRouteApi('/_signed-in/tenants/$tenantId/people');
const actions = ['block', 'unblock'] as const satisfies readonly Action[];

/** Blocking and unblocking people without naming an account: each on the one that they belong to. */
export function PeoplePage() {
  const { tenantId } = route.useParams();
  return <TenantPeople key={tenantId} />;
}

function TenantPeople() {
  const { t } = useTranslation();
  useTitle(t('people.title'));
  const { tenantId } = route.useParams();
  const { action = 'block' } = route.useSearch();
  const navigate = route.useNavigate();
  const [routed, setRouted] = useState<Routed>();
  const [text, setText] = useState('');
  const tryAgain = (openids: string[]) => {
    setText(openids.join('\n'));
    setRouted(undefined);
  };
  return (
    <div className="page">
      <div className="page-top">
        <h1>{t('people.title')}</h1>
      </div>
      <div className="panel stack-wide">
        <p className="quiet">{t('people.intro')}</p>
        {routed ? (
          <>
            <RoutedResult tenantId={tenantId} routed={routed} onTryAgain={tryAgain} />
            <div>
              <Button type="primary" onClick={() => tryAgain([])}>
                {t('people.more')}
              </Button>
            </div>
          </>
        ) : (
          <>
            <Segmented<Action>
              className="people-action"
              aria-label={t('people.action')}
              value={action}
              onChange={(chosen) => void navigate({ search: { action: chosen === 'unblock' ? chosen : undefined }, replace: true })}
              options={actions.map((value) => ({ value, label: t(`wish.${value}`) }))}
            />
            <PeopleForm tenantId={tenantId} action={action} initialText={text} onTaken={setRouted} />
          </>
        )}
      </div>
    </div>
  );
}
