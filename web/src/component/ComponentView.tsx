import { Alert, Typography } from 'antd';
import { useTranslation } from 'react-i18next';
import { TokenExpiry } from '../account/TokenExpiry';
import type { Component } from '../client';
import { Facts } from '../frame/Facts';
import { ContestedTag } from '../health/ContestedTag';
import { contestOf } from '../health/contested';
import { HealthFacts } from '../health/HealthFacts';
import { HealthTag } from '../health/HealthTag';
import { RelativeTime } from '../time/RelativeTime';
import { useNow } from '../time/useNow';
import { Diagnosing } from './Diagnosing';
import { Reconciliations } from './Reconciliations';
import { RequestTickets } from './RequestTickets';
import { TicketAge } from './TicketAge';

/** One third-party platform: its facts, its troubles, and what can be done with it. */
export function ComponentView({ component }: { component: Component }) {
  const { t } = useTranslation();
  const heading = `component-${component.appid}`;
  return (
    <section className="component" id={component.appid} aria-labelledby={heading}>
      <div className="component-top">
        <h2 id={heading}>{component.name || t('alerts.component')}</h2>
        <HealthTag status={component.health.status} />
        <ContestedTag health={component.health} />
        <Typography.Text type="secondary" className="mono small" copyable={{ text: component.appid }}>
          {component.appid}
        </Typography.Text>
      </div>
      <ComponentTrouble component={component} />
      <ComponentFacts component={component} />
      <Diagnosing appid={component.appid} />
      <Reconciliations appid={component.appid} />
    </section>
  );
}

function ComponentTrouble({ component: { health } }: { component: Component }) {
  const { t } = useTranslation();
  const contest = contestOf(health, useNow());
  if (health.status === 'ok' && contest === 'none') return null;
  return (
    <Alert
      type={health.status === 'exhausted' || health.status === 'broken' ? 'error' : 'warning'}
      showIcon
      title={health.status === 'ok' && contest !== 'none' ? t(`contest.${contest}`) : t('platform.failing')}
      description={<HealthFacts health={health} />}
    />
  );
}

function ComponentFacts({ component }: { component: Component }) {
  const { t } = useTranslation();
  const { ticket_requested_at: requested, previous_keys_until: previousUntil, health } = component;
  return (
    <>
      <div className="component-facts">
        <Facts
          facts={[
            [t('platform.ticket'), <TicketAge receivedAt={component.ticket_received_at} />],
            [t('platform.requested'), requested && <RelativeTime at={requested} tabStop />],
            [t('platform.token'), <TokenExpiry expiresAt={component.access_token_expires_at} />],
            [
              t('platform.nextRenewal'),
              health.status === 'ok' && health.next_attempt_at ? <RelativeTime at={health.next_attempt_at} tabStop /> : null,
            ],
            [t('platform.previousKeys'), previousUntil && <RelativeTime at={previousUntil} tabStop />],
          ]}
        />
        <RequestTickets appid={component.appid} />
      </div>
      <Facts
        facts={[
          [t('platform.eventUrl'), <CallbackUrl url={component.event_url} />],
          [t('platform.messageUrl'), <CallbackUrl url={component.message_url} />],
        ]}
      />
    </>
  );
}

/** To be entered at WeChat, so it is copied more often than read. */
function CallbackUrl({ url }: { url: string }) {
  return (
    <Typography.Text className="mono" copyable={{ text: url }}>
      {url}
    </Typography.Text>
  );
}
