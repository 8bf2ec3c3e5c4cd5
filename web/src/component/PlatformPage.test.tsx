import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import type { Diagnosis, DiagnosisCheck } from '../client';
import { aComponent, aReconciliation, lostRefreshToken, page, platform, tenant, wellHealth } from '../testing/facts';
import { open } from '../testing/open';
import { FakeSteward, refuse } from '../testing/steward';

const api = '/v1/components/wxc0';

function steward(routes: ConstructorParameters<typeof FakeSteward>[0] = {}) {
  return new FakeSteward({
    'GET /v1/me': platform,
    'GET /v1/tenants': page(tenant),
    'GET /v1/components': page(aComponent()),
    [`GET ${api}/reconciliations`]: page(),
    ...routes,
  });
}

const section = (name: string) => screen.findByRole('region', { name });

describe('A platform', () => {
  test('shows what to enter at WeChat, and how its ticket, its token and its keys stand', async () => {
    steward({
      'GET /v1/components': page(
        aComponent({ ticket_received_at: new Date().toISOString(), previous_keys_until: '2099-01-01T00:00:00Z' }),
        aComponent({ appid: 'wxc1', name: '', ticket_received_at: null, access_token_expires_at: null }),
      ),
      'GET /v1/components/wxc1/reconciliations': page(),
    });
    open('/platform');
    const first = await section('Our platform');
    expect(first).toHaveTextContent('https://steward.test/wechat/wxc0/events');
    expect(first).toHaveTextContent('https://steward.test/wechat/wxc0/messages/$APPID$');
    expect(first).toHaveTextContent(
      /Newest ticketjust now.*Access tokenexpires in \d+ years.*Former callback keys accepted untilin \d+ years/,
    );
    expect(within(first).getAllByRole('button', { name: 'Copy' })).toHaveLength(3);
    const second = await section('Third-party platform');
    expect(second).toHaveTextContent(/Newest ticketnone yet.*No token/);
    expect(second).not.toHaveTextContent('Former callback keys');
  });

  test('that does not work says since when, why and what to do', async () => {
    const health = {
      ...wellHealth,
      status: 'failing' as const,
      failing_since: '2026-01-01T00:00:00Z',
      attempts: 4,
      last_error: lostRefreshToken,
    };
    steward({ 'GET /v1/components': page(aComponent({ health })) });
    open('/platform');
    const alert = await screen.findByRole('alert');
    expect(alert).toHaveTextContent(/access token cannot be renewed.*Failing since.*Failed tries4.*61023.*rid-1/);
    expect(await section('Our platform')).toHaveTextContent(/Newest ticket.*no longer valid/);
  });

  test('has WeChat asked for tickets', async () => {
    const fake = steward({ [`POST ${api}/request-ticket`]: () => null });
    const { user } = open('/platform');
    await user.click(await screen.findByRole('button', { name: 'Request tickets' }));
    expect(await screen.findByText(/WeChat has been asked/)).toBeVisible();
    fake.on(`POST ${api}/request-ticket`, refuse(502, 'wechat-refused', { errcode: 61004, rid: 'rid-3', advice: 'Add the address.' }));
    await user.click(screen.getByRole('button', { name: 'Request tickets' }));
    expect(await screen.findByRole('alert')).toHaveTextContent(/61004.*Add the address\..*rid-3/);
  });

  test('that does not exist yet is registered with the API', async () => {
    steward({ 'GET /v1/components': page() });
    open('/platform');
    expect(await screen.findByText(/No third-party platform is registered yet/)).toBeVisible();
  });
});

describe('A diagnosis', () => {
  const fine: DiagnosisCheck = { check: 'callback_url', status: 'ok', reason: 'It leads here.', remedy: '', errcode: null, rid: '' };
  const diagnosis: Diagnosis = {
    appid: 'wxc0',
    at: '2026-01-02T00:00:00Z',
    checks: [
      fine,
      {
        ...fine,
        check: 'ticket',
        status: 'warn',
        reason: 'The newest is 25m0s old, and WeChat pushes one about every ten minutes.',
        remedy: 'Wait.',
      },
      {
        ...fine,
        check: 'ip_whitelist',
        status: 'fail',
        reason: 'WeChat refused it.',
        remedy: 'Add the address.',
        errcode: 61004,
        rid: 'rid-4',
      },
      { ...fine, check: 'quota', status: 'unknown', reason: 'It cannot be read without an access token.' },
    ],
  };

  test('is made when it is asked for, and shows each check with its reason and remedy', async () => {
    const fake = steward({ [`GET ${api}/diagnosis`]: diagnosis });
    const { user } = open('/platform');
    const part = await section('Diagnosis');
    expect(part).toHaveTextContent('Tries all that the platform needs');
    expect(fake.callsTo(`GET ${api}/diagnosis`)).toHaveLength(0);
    await user.click(within(part).getByRole('button', { name: /Run diagnosis/ }));
    const row = async (name: string) => (await within(part).findByText(name)).closest('tr');
    expect(await row('Callback URL')).toHaveTextContent(/OK.*It leads here\./);
    expect(await row('Tickets')).toHaveTextContent(/Look at it.*25m0s.*Wait\./);
    expect(await row('IP whitelist')).toHaveTextContent(/Broken.*WeChat refused it\..*61004.*Add the address\..*rid-4/);
    expect(await row('Quota')).toHaveTextContent('Unknown');
    expect(part).toHaveTextContent(/Looked at .* ago/);
  });

  test('speaks Chinese, figures included', async () => {
    steward({ [`GET ${api}/diagnosis`]: diagnosis });
    const { user } = open('/platform');
    await user.click(await screen.findByRole('button', { name: /Run diagnosis/ }));
    await screen.findByText('IP whitelist');
    await user.click(screen.getByRole('button', { name: /中文/ }));
    expect(await screen.findByText('最新的 ticket 收到已 25 分，而微信约每十分钟推送一次。')).toBeVisible();
    expect(screen.getByText('IP 白名单')).toBeVisible();
  });

  test('that cannot be made says why', async () => {
    steward({ [`GET ${api}/diagnosis`]: refuse(500, 'internal') });
    const { user } = open('/platform');
    await user.click(await screen.findByRole('button', { name: /Run diagnosis/ }));
    expect(await screen.findByRole('alert')).toHaveTextContent('Detail of internal.');
  });
});

describe('A reconciliation', () => {
  const list = `GET ${api}/reconciliations`;

  test('is started, followed to its end, and kept with its figures', async () => {
    const running = aReconciliation({ status: 'running', total: 2_000, listed: 500 });
    const before = aReconciliation({
      id: 'r0',
      requested_by: 'nightly (system)',
      created_at: '2026-01-01T00:00:00Z',
      listed: 1_998,
      total: 1_998,
    });
    const fake = steward({ [list]: page(before) });
    fake.on(`POST ${api}/reconciliations`, () => {
      fake.on(list, page(running, before));
      return running;
    });
    const { user } = open('/platform');
    const part = await section('Reconciliation');
    expect(await within(part).findByText('nightly')).toBeVisible();
    await user.click(within(part).getByRole('button', { name: /Reconcile now/ }));
    expect(await within(part).findByText('Reading WeChat’s list: 500 of 2,000')).toBeVisible();
    expect(within(part).getByRole('progressbar')).toHaveAttribute('aria-valuenow', '25');
    fake.on(list, page({ ...running, status: 'done', listed: 2_000, added: 3, restored: 1, absent: 2, profiles: 1_999 }, before));
    await waitFor(() => expect(within(part).queryByRole('progressbar')).toBeNull());
    expect(within(part).getByText('ops').closest('tr')).toHaveTextContent(/Done2,0003121,999$/);
    const asked = fake.callsTo(list).length;
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(fake.callsTo(list)).toHaveLength(asked);
  });

  test('that failed says why and what to do', async () => {
    steward({
      [list]: page(
        aReconciliation({ status: 'failed', error: 'ip not in whitelist', errcode: 61004, rid: 'rid-5', advice: 'Add the address.' }),
      ),
    });
    open('/platform');
    expect((await screen.findByText('Failed')).closest('tr')).toHaveTextContent(/Ip not in whitelist.*61004.*Add the address\..*rid-5/);
  });

  test('that cannot be started says why', async () => {
    steward({ [`POST ${api}/reconciliations`]: refuse(503, 'no-ticket') });
    const { user } = open('/platform');
    await user.click(await screen.findByRole('button', { name: /Reconcile now/ }));
    expect(await screen.findByRole('alert')).toHaveTextContent('Detail of no-ticket.');
  });
});
