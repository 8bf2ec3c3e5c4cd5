import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import type { BlacklistWork, CallQuota } from '../client';
import { anAccount, page, platform, tenant } from '../testing/facts';
import { dialogOf, open } from '../testing/open';
import { FakeSteward, refuse } from '../testing/steward';

const place = '/tenants/t1/accounts/wx01/work';
const api = '/v1/tenants/t1/authorizers/wx01/blacklist';

function aWork(values: Partial<BlacklistWork> = {}): BlacklistWork {
  return {
    appid: 'wx01',
    status: 'idle',
    since: null,
    by: '',
    until: null,
    reason: '',
    errcode: null,
    rid: '',
    advice: '',
    synced_at: '2026-01-01T00:00:00Z',
    paused_batches: 0,
    paused: [],
    ...values,
  };
}
const held = aWork({ status: 'held', since: '2026-01-01T00:00:00Z', by: 'ops (platform_key)', reason: 'complaint' });

function aQuota(values: Partial<CallQuota> = {}): CallQuota {
  return { path: '/cgi-bin/tags/members/batchblacklist', known: true, daily_limit: 10_000, used: 1_500, remain: 8_500, ...values };
}

function steward(work: BlacklistWork, routes: ConstructorParameters<typeof FakeSteward>[0] = {}) {
  return new FakeSteward({
    'GET /v1/me': platform,
    'GET /v1/tenants': page(tenant),
    'GET /v1/tenants/t1/authorizers/wx01': anAccount(),
    [`GET ${api}/work`]: work,
    [`GET ${api}/quota`]: page(aQuota()),
    ...routes,
  });
}

describe('The work of an account', () => {
  test('is held for a reason, once that is confirmed', async () => {
    const fake = steward(aWork({ status: 'running' }));
    const { user } = open(place);
    await user.click(await screen.findByRole('button', { name: 'Hold…' }));
    const dialog = dialogOf(await screen.findByText('Hold the work of this account?'));
    await user.type(within(dialog).getByLabelText('Reason'), 'complaint');
    fake.on(`POST ${api}/hold`, () => {
      fake.on(`GET ${api}/work`, held);
      return held;
    });
    await user.click(within(dialog).getByRole('button', { name: 'Hold' }));
    const alert = (await screen.findByText(/The work of this account is held/)).closest('[role=alert]');
    expect(alert).toHaveTextContent(/ops.*ago.*complaint/);
    expect(fake.callsTo(`POST ${api}/hold`)[0]?.body).toEqual({ reason: 'complaint' });
  });

  test('that is held is resumed from any page of the account', async () => {
    const fake = steward(held, { 'GET /v1/tenants/t1/batches': page() });
    const { user } = open('/tenants/t1/accounts/wx01/batches');
    const button = await screen.findByRole('button', { name: 'Resume now' });
    fake.on(`POST ${api}/resume`, () => {
      fake.on(`GET ${api}/work`, aWork());
      return aWork();
    });
    await user.click(button);
    expect(await screen.findByText('The work goes on.')).toBeVisible();
    await waitFor(() => expect(screen.queryByText(/The work of this account is held/)).toBeNull());
  });

  test('that rests says until when, why, and what to do', async () => {
    steward(
      aWork({
        status: 'paused',
        until: '2099-01-01T00:00:00Z',
        reason: 'The quota is used up.',
        errcode: 45009,
        rid: 'rid-3',
        advice: 'Wait.',
      }),
    );
    open(place);
    const alert = (await screen.findByText(/rests, and goes on by itself/)).closest('[role=alert]');
    expect(alert).toHaveTextContent(/in \d+ years.*The quota is used up\..*45009.*Wait\..*rid-3/);
  });

  test('names the batches that somebody has paused, and leads to them', async () => {
    const batch = { batch_id: 'b1', since: '2026-01-01T00:00:00Z', by: 'ops (platform_key)', reason: 'wrong list', pending: 1_200 };
    steward(aWork({ paused_batches: 101, paused: [batch] }));
    open(place);
    const link = await screen.findByRole('link', { name: /^The batch paused on/ });
    expect(link).toHaveAttribute('href', '/tenants/t1/accounts/wx01/batches?batch=b1');
    expect(link.closest('li')).toHaveTextContent(/1,200 openids.*ops.*ago.*wrong list/);
    expect(screen.getByText('101 paused batches')).toBeVisible();
    expect(screen.getByText('… and 100 more')).toBeVisible();
  });

  test('is not called done while paused batches wait', async () => {
    steward(aWork({ paused_batches: 1 }));
    open(place);
    expect(await screen.findByText(/waits in batches that somebody has paused/)).toBeVisible();
  });

  test('that cannot be read says why', async () => {
    steward(aWork(), { [`GET ${api}/work`]: refuse(403, 'scope-missing') });
    open(place);
    expect(await screen.findByText('Detail of scope-missing.')).toBeVisible();
  });

  test('is not held by a key that may only read', async () => {
    steward(aWork(), { 'GET /v1/me': { ...platform, scopes: ['authorizers:read', 'blacklist:read'] } });
    open(place);
    expect(await screen.findByRole('button', { name: 'Hold…' })).toBeDisabled();
  });
});

describe('The quota', () => {
  test('tells what is left of each call', async () => {
    steward(aWork(), {
      [`GET ${api}/quota`]: page(
        aQuota(),
        aQuota({ path: '/cgi-bin/tags/members/getblacklist', known: false, daily_limit: 0, used: 0, remain: 0 }),
      ),
    });
    open(place);
    expect((await screen.findByText('8,500 of 10,000')).closest('tr')).toHaveTextContent('Block');
    expect(screen.getByText('WeChat keeps no figures').closest('tr')).toHaveTextContent('Read the list');
  });

  test('that WeChat does not tell says why', async () => {
    steward(aWork(), { [`GET ${api}/quota`]: refuse(502, 'wechat-refused', { errcode: 48001, advice: 'Ask the merchant.' }) });
    open(place);
    expect((await screen.findByText('Detail of wechat-refused.')).closest('[role=alert]')).toHaveTextContent(/48001.*Ask the merchant\./);
  });
});
