import { Alert, Button } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { AccountWarnings } from '../account/AccountWarnings';
import { grantsBlacklist } from '../account/permissions';
import type { Authorizer } from '../client';
import { ConnectDialog } from '../connect/ConnectDialog';
import { contestOf } from '../health/contested';
import { HealthFacts } from '../health/HealthFacts';
import { ServerText } from '../i18n/ServerText';
import { useMay } from '../session/useMe';
import { useNow } from '../time/useNow';

/** All that stands in the way of working with an account, each with what helps against it. */
export function AccountTrouble({ account, tenantId }: { account: Authorizer; tenantId: string }) {
  const { t } = useTranslation();
  const mayConnect = useMay('connect-links:write');
  const [connecting, setConnecting] = useState(false);
  const active = account.state === 'active';
  // A restriction of WeChat's is not lifted by authorizing again.
  const connect = mayConnect && account.state !== 'limited' && (
    <Button size="small" onClick={() => setConnecting(true)}>
      {t('connect.again')}
    </Button>
  );
  return (
    <div className="stack-wide trouble">
      {!active && <StateTrouble account={account} connect={connect} />}
      {active && <HealthTrouble account={account} connect={connect} />}
      {active && !grantsBlacklist(account) && (
        <Alert type="warning" showIcon title={t('permission.missingTitle')} description={t('permission.missingHelp')} action={connect} />
      )}
      {account.warnings.length > 0 && <Alert type="warning" showIcon title={<AccountWarnings account={account} />} />}
      {connecting && (
        <ConnectDialog
          tenantId={tenantId}
          appid={account.appid}
          componentAppid={account.component_appid}
          onClose={() => setConnecting(false)}
        />
      )}
    </div>
  );
}

interface Props {
  account: Authorizer;
  /** The way to have it authorized again. */
  connect: React.ReactNode;
}

function StateTrouble({ account, connect }: Props) {
  const { t } = useTranslation();
  const { state, state_reason: reason, health } = account;
  return (
    <Alert
      type={state === 'revoked' ? 'error' : 'warning'}
      showIcon
      title={t(`stateMeaning.${state as 'revoked' | 'limited' | 'needs_reauthorization'}`)}
      description={
        (reason || health.last_error) && (
          <div className="stack-wide">
            {reason && <ServerText>{reason}</ServerText>}
            {health.last_error && <HealthFacts health={health} />}
          </div>
        )
      }
      action={connect}
    />
  );
}

function HealthTrouble({ account, connect }: Props) {
  const { t } = useTranslation();
  const { health } = account;
  const contested = contestOf(health, useNow()) === 'certain';
  if (health.status === 'ok' && !contested) return null;
  return (
    <Alert
      type={health.status === 'exhausted' || health.status === 'broken' ? 'error' : 'warning'}
      showIcon
      title={health.status === 'ok' ? t('contest.certain') : t(`healthMeaning.${health.status}`)}
      description={<HealthFacts health={health} />}
      action={(health.status === 'exhausted' || health.status === 'broken') && connect}
    />
  );
}
