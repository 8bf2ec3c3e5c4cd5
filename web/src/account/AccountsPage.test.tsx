import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import {
  anAccount,
  lostRefreshToken,
  messages,
  otherTenant,
  page,
  platform,
  tenant,
  tenantsOwn,
  users,
  wellHealth,
} from '../testing/facts';
import { open } from '../testing/open';
import { FakeSteward, refuse } from '../testing/steward';

const place = '/tenants/t1/accounts';
const list = 'GET /v1/tenants/t1/authorizers';

function steward(routes: ConstructorParameters<typeof FakeSteward>[0] = {}) {
  return new FakeSteward({ 'GET /v1/me': platform, 'GET /v1/tenants': page(tenant, otherTenant), [list]: page(anAccount()), ...routes });
}

function row(name: string): HTMLElement {
  const found = screen.getByText(name).closest('tr');
  if (!found) throw new Error(`no row of ${name}`);
  return found;
}

describe('The accounts', () => {
  test('show what may be done with each, and what stands in the way', async () => {
    steward({
      [list]: page(
        anAccount({ nick_name: 'Good' }),
        anAccount({ appid: 'wx02', nick_name: 'Lacking', permission_sets: [messages], can_blacklist: false }),
        anAccount({ appid: 'wx03', nick_name: 'Gone', state: 'revoked', state_reason: 'the merchant took the authorization back' }),
        anAccount({
          appid: 'wx04',
          nick_name: 'Shaky',
          state: 'needs_reauthorization',
          verify_type: -1,
          warnings: ['WeChat has warned this account (account_status 18).'],
          token: { expires_at: '2020-01-01T00:00:00Z', renewed_at: null, last_error: lostRefreshToken },
          health: { ...wellHealth, status: 'broken', next_attempt_at: null, last_error: lostRefreshToken },
        }),
      ),
    });
    open(place);
    await screen.findByText('Good');
    expect(row('Good')).toHaveTextContent('Active');
    expect(row('Good')).toHaveTextContent('User management 2');
    expect(row('Good')).toHaveTextContent('Verified');
    expect(row('Lacking')).toHaveTextContent('No user management (2)');
    expect(row('Gone')).toHaveTextContent('Revoked');
    expect(row('Gone')).toHaveTextContent('The merchant took the authorization back');
    expect(row('Gone')).toHaveTextContent('No token');
    expect(row('Shaky')).toHaveTextContent('Needs reauthorization');
    expect(row('Shaky')).toHaveTextContent('Not verified');
    expect(row('Shaky')).toHaveTextContent('expired');
    expect(row('Good')).toHaveTextContent('OK');
    expect(row('Shaky')).toHaveTextContent(/Broken.*61023/);
    expect(row('Shaky')).toHaveTextContent('WeChat has warned this account');
    expect(within(row('Good')).getByRole('link', { name: 'Blacklist of Good' })).toHaveAttribute('href', `${place}/wx01/blacklist`);
  });

  test('are shown in Chinese, sentences of the API included, and the choice is remembered', async () => {
    steward({ [list]: page(anAccount({ nick_name: 'Gone', state: 'revoked', state_reason: 'the merchant took the authorization back' })) });
    const { user } = open(place);
    await screen.findByText('Gone');
    await user.click(screen.getByRole('button', { name: /中文/ }));
    expect(row('Gone')).toHaveTextContent('已取消授权');
    expect(row('Gone')).toHaveTextContent('商户已取消授权。');
    expect(row('Gone')).toHaveTextContent('用户管理权限 2');
    expect(document.documentElement.lang).toBe('zh-CN');
    expect(window.localStorage.getItem('steward.language')).toBe('zh-CN');
  });

  test('are searched and filtered through the address', async () => {
    const fake = steward();
    const { user, history } = open(`${place}?state=limited`);
    await screen.findByText('Lotus');
    expect(fake.callsTo(list)[0]?.query).toMatchObject({ state: 'limited' });
    await user.type(screen.getByRole('textbox', { name: /Search/ }), '123{Enter}');
    await waitFor(() => expect(fake.callsTo(list).at(-1)?.query).toMatchObject({ state: 'limited', q: '123' }));
    expect(history.location.href).toBe(`${place}?state=limited&q=123`);
  });

  test('tell how the renewals of a token go: since when, how often, what WeChat says and what comes next', async () => {
    const health = {
      ...wellHealth,
      status: 'failing' as const,
      failing_since: '2020-01-01T00:00:00Z',
      attempts: 4,
      last_error: lostRefreshToken,
    };
    steward({ [list]: page(anAccount({ nick_name: 'Shaky', health })) });
    const { user } = open(place);
    await user.click(await screen.findByRole('button', { name: '61023 · 4 failed tries Health of Shaky' }));
    const details = await screen.findByRole('tooltip');
    expect(details).toHaveTextContent(/Steward goes on trying by itself/);
    expect(details).toHaveTextContent(/Failing since\d+ years ago.*Failed tries4.*Next tryin \d+ years/);
    expect(details).toHaveTextContent(/refresh_token is invalid.*61023.*Ask the merchant to open a connect link.*rid-1/);
  });

  test('say where another system fetches tokens too, for as long as it does', async () => {
    const now = new Date().toISOString();
    const of = (nick_name: string, refused_early: number, refused_early_at: string) =>
      anAccount({ appid: `wx${nick_name}`, nick_name, health: { ...wellHealth, refused_early, refused_early_at } });
    steward({ [list]: page(of('Once', 1, now), of('Often', 3, now), of('Formerly', 3, '2020-01-01T00:00:00Z')) });
    const { user } = open(place);
    await screen.findByText('Once');
    expect(row('Once')).toHaveTextContent('Fetched elsewhere?');
    expect(row('Often')).toHaveTextContent('Another system fetches tokens');
    expect(row('Formerly')).toHaveTextContent('OK');
    await user.click(screen.getByRole('button', { name: 'Details Health of Often' }));
    const details = await screen.findByRole('tooltip');
    expect(details).toHaveTextContent('WeChat refused 3 tokens before their time, last just now.');
    expect(details).toHaveTextContent('find it and stop it');
  });

  test('are filtered by health', async () => {
    const fake = steward();
    const { user, history } = open(place);
    await screen.findByText('Lotus');
    await user.click(screen.getByRole('combobox', { name: 'Health' }));
    await user.click(await screen.findByText('Exhausted'));
    await waitFor(() => expect(fake.callsTo(list).at(-1)?.query).toMatchObject({ health: 'exhausted' }));
    expect(history.location.href).toBe(`${place}?health=exhausted`);
  });

  test('do not follow an address with a state that does not exist', async () => {
    const fake = steward();
    open(`${place}?state=nonsense`);
    await screen.findByText('Lotus');
    expect(fake.callsTo(list)[0]?.query).not.toHaveProperty('state');
  });

  test('come in pages, there and back', async () => {
    const fake = steward({
      [list]: ({ query }) =>
        query.cursor
          ? page(anAccount({ appid: 'wx02', nick_name: 'Second' }))
          : { ...page(anAccount({ nick_name: 'First one' })), next_cursor: 'c2' },
    });
    const { user, history } = open(place);
    await screen.findByText('First one');
    await user.click(screen.getByRole('button', { name: /Next/ }));
    expect(await screen.findByText('Second')).toBeVisible();
    expect(history.location.href).toBe(`${place}?cursor=c2`);
    expect(fake.callsTo(list).at(-1)?.query).toMatchObject({ cursor: 'c2' });
    await user.click(screen.getByRole('button', { name: /Previous/ }));
    expect(await screen.findByText('First one')).toBeVisible();
  });

  test('that do not exist yet ask for a connect link', async () => {
    steward({ [list]: page() });
    open(place);
    expect(await screen.findByText(/No merchant has authorized us yet/)).toBeVisible();
    expect(screen.getAllByRole('button', { name: /Connect an account/ })).toHaveLength(2);
  });

  test('that cannot be read say why, and are read again', async () => {
    const fake = steward({ [list]: refuse(403, 'scope-missing') });
    const { user } = open(place);
    expect(await screen.findByRole('alert')).toHaveTextContent('Detail of scope-missing.');
    fake.on(list, page(anAccount()));
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByText('Lotus')).toBeVisible();
  });
});

describe('The tenant', () => {
  test('is chosen with a platform key, and remembered', async () => {
    steward({ 'GET /v1/tenants/t2/authorizers': page(anAccount({ nick_name: 'Harbour' })) });
    const { user, history } = open('/');
    await screen.findByText('Lotus');
    await user.click(screen.getByRole('combobox', { name: 'Tenant' }));
    await user.keyboard('harb');
    await user.click(await screen.findByText('Harbour Books'));
    expect(await screen.findByText('Harbour')).toBeVisible();
    expect(history.location.pathname).toBe('/tenants/t2/accounts');
    expect(window.localStorage.getItem('steward.tenant')).toBe('t2');
  });

  test('is changed without leaving the page', async () => {
    steward({ 'GET /v1/tenants/t1/alerts': page(), 'GET /v1/tenants/t2/alerts': page() });
    const { user, history } = open('/tenants/t1/alerts');
    await screen.findByText('Nothing is broken.');
    await user.click(screen.getByRole('combobox', { name: 'Tenant' }));
    await user.click(await screen.findByText('Harbour Books'));
    await waitFor(() => expect(history.location.pathname).toBe('/tenants/t2/alerts'));
  });

  test('is still the one looked at last on the pages of the whole platform', async () => {
    steward({ 'GET /v1/tenants/t2/authorizers': page(anAccount({ nick_name: 'Harbour' })), 'GET /v1/components': page() });
    const { user, history } = open('/tenants/t2/accounts');
    await screen.findByText('Harbour');
    await user.click(screen.getByRole('link', { name: 'Platform' }));
    await screen.findByText(/No third-party platform/);
    await user.click(screen.getByRole('link', { name: 'Accounts' }));
    await screen.findByText('Harbour');
    expect(history.location.pathname).toBe('/tenants/t2/accounts');
  });

  test('is fixed with its own key', async () => {
    steward({ 'GET /v1/me': tenantsOwn, 'GET /v1/tenants/t1': tenant });
    const { history } = open('/');
    expect(await screen.findByText('Lotus Tea')).toBeVisible();
    expect(history.location.pathname).toBe(place);
    expect(screen.queryByRole('combobox', { name: 'Tenant' })).toBeNull();
    expect(screen.queryByRole('link', { name: 'Platform' })).toBeNull();
  });
});

describe('Connecting an account', () => {
  const links = '/v1/tenants/t1/connect-links';

  test('shows the link once and tells when the merchant has used it', async () => {
    const fake = steward({
      'GET /v1/components': page(),
      [`POST ${links}`]: { id: 'l1', url: 'https://steward.test/connect/secret', expires_at: '2099-01-01T00:00:00Z' },
      [`GET ${links}`]: page(),
    });
    const { user } = open(place);
    await user.click(await screen.findByRole('button', { name: /Connect an account/ }));
    const dialog = await screen.findByRole('dialog');
    await user.click(within(dialog).getByRole('button', { name: 'Create link' }));
    expect(await within(dialog).findByRole('link', { name: 'https://steward.test/connect/secret' })).toBeVisible();
    expect(dialog).toHaveTextContent('The link is shown only now');
    expect(within(dialog).getByRole('button', { name: 'Copy the link' })).toBeVisible();
    expect(fake.callsTo(`POST ${links}`)[0]?.body).toEqual({ expires_in: 86_400 });
    fake.on(`GET ${links}`, page({ id: 'l1', authorizer_appid: 'wx09' }));
    expect(await within(dialog).findByText('The merchant has authorized us.')).toBeVisible();
    expect(within(dialog).getByRole('link', { name: 'wx09' })).toHaveAttribute('href', `${place}/wx09/blacklist`);
  });

  test('asks which platform, once the API says that there are several', async () => {
    const fake = steward({
      'GET /v1/me': { ...tenantsOwn },
      'GET /v1/tenants/t1': tenant,
      [`POST ${links}`]: refuse(422, 'invalid-request', { errors: [{ pointer: '/component_appid', detail: 'name one' }] }),
    });
    const { user } = open(place);
    await user.click(await screen.findByRole('button', { name: /Connect an account/ }));
    const dialog = await screen.findByRole('dialog');
    await user.click(within(dialog).getByRole('button', { name: 'Create link' }));
    await user.type(await within(dialog).findByLabelText('Third-party platform'), 'wxc2');
    await user.click(within(dialog).getByRole('button', { name: 'Create link' }));
    await waitFor(() => expect(fake.callsTo(`POST ${links}`).at(-1)?.body).toMatchObject({ component_appid: 'wxc2' }));
  });

  test('is not offered to a key that may not', async () => {
    steward({ 'GET /v1/me': { ...platform, scopes: ['authorizers:read'] } });
    open(place);
    expect(await screen.findByRole('button', { name: /Connect an account/ })).toBeDisabled();
  });
});

test('Permission sets other than those of the blacklist are behind a button', async () => {
  steward({ [list]: page(anAccount({ permission_sets: [messages, users] })) });
  const { user } = open(place);
  await user.click(await screen.findByRole('button', { name: 'Show 1 more permission set' }));
  expect(await screen.findByText(/Message management/)).toBeInTheDocument();
});
