import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import { anAccount, anAlert, otherTenant, page, platform, tenant, tenantsOwn } from '../testing/facts';
import { open } from '../testing/open';
import { FakeSteward, refuse } from '../testing/steward';

const place = '/tenants/t1/alerts';
const list = 'GET /v1/tenants/t1/alerts';
const listAll = 'GET /v1/alerts';

function steward(routes: ConstructorParameters<typeof FakeSteward>[0] = {}) {
  return new FakeSteward({
    'GET /v1/me': platform,
    'GET /v1/tenants': page(tenant, otherTenant),
    'GET /v1/tenants/t1/authorizers': page(anAccount()),
    [list]: page(anAlert()),
    [listAll]: page(),
    ...routes,
  });
}

async function row(text: string): Promise<HTMLElement> {
  const found = (await screen.findByText(text)).closest('tr');
  if (!found) throw new Error(`no row of ${text}`);
  return found;
}

describe("A tenant's alerts", () => {
  test('say what has broken, since when, and what to do', async () => {
    const fake = steward();
    open(place);
    const broken = await row('Token cannot be renewed');
    expect(broken).toHaveTextContent(
      /Lotus.*wx01.*refresh_token is invalid.*61023.*Ask the merchant.*rid-1.*since .* ago.*last seen .* ago/,
    );
    expect(within(broken).getByRole('link', { name: 'Lotus' })).toHaveAttribute('href', '/tenants/t1/accounts/wx01/blacklist');
    expect(fake.callsTo(list)[0]?.query).toEqual({ open: 'true', limit: '50' });
  });

  test('are the open ones first, and all of them through the address', async () => {
    const fake = steward({
      [list]: ({ query }) => (query.open === 'true' ? page() : page(anAlert({ cleared_at: '2026-01-03T00:00:00Z' }))),
    });
    const { user, history } = open(place);
    await screen.findByText('Nothing is broken.');
    await user.click(screen.getByRole('radio', { name: 'All' }));
    expect(await row('Token cannot be renewed')).toHaveTextContent(/mended .* ago/);
    expect(history.location.href).toBe(`${place}?show=all`);
    expect(fake.callsTo(list).at(-1)?.query).toEqual({ limit: '50' });
    await user.click(screen.getByRole('radio', { name: 'Mended' }));
    await waitFor(() => expect(fake.callsTo(list).at(-1)?.query).toEqual({ open: 'false', limit: '50' }));
  });

  test('come in pages, there and back', async () => {
    steward({
      [list]: ({ query }) =>
        query.cursor
          ? page(anAlert({ id: 'a2', nick_name: 'Second' }))
          : { ...page(anAlert({ nick_name: 'First one' })), next_cursor: 'c2' },
    });
    const { user, history } = open(place);
    await screen.findByText('First one');
    await user.click(screen.getByRole('button', { name: /Next/ }));
    expect(await screen.findByText('Second')).toBeVisible();
    expect(history.location.href).toBe(`${place}?cursor=c2`);
    await user.click(screen.getByRole('button', { name: /Previous/ }));
    expect(await screen.findByText('First one')).toBeVisible();
  });

  test('that only the merchant can mend lead to a link for that account', async () => {
    const links = 'POST /v1/tenants/t1/connect-links';
    const fake = steward({
      [list]: page(anAlert({ kind: 'needs_reauthorization' }), anAlert({ id: 'a2', kind: 'limited', appid: 'wx02', nick_name: 'Cold' })),
      [links]: refuse(409, 'no-component'),
    });
    const { user } = open(place);
    expect(within(await row('Restricted by WeChat')).queryByRole('button', { name: 'Authorize again' })).toBeNull();
    await user.click(within(await row('Authorization lost')).getByRole('button', { name: 'Authorize again' }));
    await user.click(await screen.findByRole('button', { name: 'Create link' }));
    await waitFor(() => expect(fake.callsTo(links)[0]?.body).toMatchObject({ appid: 'wx01', component_appid: 'wxc0' }));
  });

  test('are shown in Chinese', async () => {
    steward({
      [list]: page(
        anAlert({
          kind: 'token_contested',
          errcode: null,
          message: 'WeChat refused 3 access tokens of this account in a row before their time.',
          advice:
            "Another system fetches tokens for the same account, and each ends the other's: find it and stop it, or have it ask Steward for tokens.",
        }),
      ),
    });
    const { user } = open(place);
    await screen.findByText('Another system fetches tokens');
    await user.click(screen.getByRole('button', { name: /中文/ }));
    const broken = await row('其他系统也在获取令牌');
    expect(broken).toHaveTextContent('微信连续 3 次在到期前拒绝了该账号的访问令牌。');
    expect(broken).toHaveTextContent('另一个系统也在为该账号获取令牌');
  });

  test('that cannot be read say why', async () => {
    steward({ [list]: refuse(403, 'scope-missing') });
    open(place);
    expect(await screen.findByText('Detail of scope-missing.')).toBeVisible();
  });
});

describe('All alerts', () => {
  test('are those of the platforms too, and say whose account each is about', async () => {
    steward({
      [listAll]: page(
        anAlert({
          kind: 'ticket_late',
          appid: null,
          nick_name: null,
          tenant_id: null,
          component_appid: 'wxc9',
          errcode: null,
          message: 'Late.',
        }),
        anAlert({ id: 'a2', tenant_id: 't2', nick_name: 'Harbour' }),
        anAlert({ id: 'a3', kind: 'revoked', tenant_id: null, nick_name: 'Nobody’s' }),
      ),
    });
    const { user } = open('/tenants/t1/accounts');
    await user.click(await screen.findByRole('link', { name: 'All alerts 3 open alerts' }));
    const ticket = await row('Tickets do not arrive');
    expect(ticket).toHaveTextContent(/Third-party platform.*wxc9.*Late\./);
    expect(within(ticket).getByRole('link', { name: 'Third-party platform' })).toHaveAttribute('href', '/platform#wxc9');
    const account = await row('Harbour');
    expect(account).toHaveTextContent('Harbour Books');
    expect(within(account).getByRole('link')).toHaveAttribute('href', '/tenants/t2/accounts/wx01/blacklist');
    const unclaimed = await row('Nobody’s');
    expect(unclaimed).toHaveTextContent('belongs to no tenant yet');
    expect(within(unclaimed).queryByRole('button', { name: 'Authorize again' })).toBeNull();
  });

  test("are not for a tenant's own key", async () => {
    steward({ 'GET /v1/me': tenantsOwn, 'GET /v1/tenants/t1': tenant, [listAll]: refuse(403, 'platform-only') });
    open('/alerts');
    expect(await screen.findByText('Detail of platform-only.')).toBeVisible();
    expect(screen.queryByRole('link', { name: /All alerts/ })).toBeNull();
  });
});

describe('The number of open alerts', () => {
  test('stands in the navigation', async () => {
    steward({ [list]: page(anAlert(), anAlert({ id: 'a2', kind: 'limited' })) });
    open('/tenants/t1/accounts');
    expect(await screen.findByRole('link', { name: 'Alerts 2 open alerts' })).toBeVisible();
    expect(screen.getByRole('link', { name: 'All alerts' })).toBeVisible();
  });

  test('counts no further than a page', async () => {
    const fifty = Array.from({ length: 50 }, (_, n) => anAlert({ id: `a${n}` }));
    steward({ [list]: { ...page(...fifty), next_cursor: 'c2' } });
    open('/tenants/t1/accounts');
    expect(await screen.findByRole('link', { name: 'Alerts 50+ open alerts' })).toBeVisible();
  });

  test('is not asked for with a key that may not know', async () => {
    const fake = steward({ 'GET /v1/me': { ...tenantsOwn, scopes: ['blacklist:read'] }, 'GET /v1/tenants/t1': tenant });
    open('/tenants/t1/accounts');
    await screen.findByText('Lotus');
    expect(fake.callsTo(list)).toHaveLength(0);
  });
});
