import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import { aBatch, aDirectory, aFollower, anAccount, anEntry, aSync, noDirectory, page, platform, tenant } from '../testing/facts';
import { open } from '../testing/open';
import { FakeSteward, refuse } from '../testing/steward';

const place = '/tenants/t1/followers';
const find = 'GET /v1/tenants/t1/followers';
const of = (appid: string) => `/v1/tenants/t1/authorizers/${appid}`;

function steward(routes: ConstructorParameters<typeof FakeSteward>[0] = {}) {
  return new FakeSteward({
    'GET /v1/me': platform,
    'GET /v1/tenants': page(tenant),
    'GET /v1/tenants/t1/authorizers': page(anAccount(), anAccount({ appid: 'wx02', nick_name: 'Jasmine' })),
    [`GET ${of('wx01')}`]: anAccount(),
    [`GET ${of('wx02')}`]: anAccount({ appid: 'wx02', nick_name: 'Jasmine' }),
    [`GET ${of('wx01')}/followers/directory`]: aDirectory({ unionids: true }),
    [`GET ${of('wx02')}/followers/directory`]: { ...noDirectory, authorizer_appid: 'wx02' },
    [`GET ${of('wx01')}/blacklist`]: { ...page(anEntry()), total: 1, synced_at: null },
    [`GET ${of('wx02')}/blacklist`]: { ...page(), total: 0, synced_at: null },
    ...routes,
  });
}

const alice = [
  aFollower({ unionid: 'uAlice' }),
  aFollower({ openid: 'oAlice2', unionid: 'uAlice', authorizer_appid: 'wx02', following: false }),
];

describe('The follower directories of a tenant', () => {
  test('say of each account what is kept', async () => {
    steward();
    open(place);
    const row = async (name: string) => (await screen.findByRole('link', { name })).closest('tr');
    await waitFor(async () => expect(await row('Lotus')).toHaveTextContent(/OpenIDs.*UnionIDs.*2,000.*Read whole/));
    await waitFor(async () => expect(await row('Jasmine')).toHaveTextContent(/Off/));
  });

  test('say whose reading has failed', async () => {
    steward({ [`GET ${of('wx01')}/followers/directory`]: aDirectory({ sync: aSync({ status: 'failed' }) }) });
    open(place);
    expect(await screen.findByText(/The last reading failed/)).toBeVisible();
  });

  test('say where one cannot be read, and show the others', async () => {
    steward({ [`GET ${of('wx02')}/followers/directory`]: refuse(403, 'scope-missing') });
    open(place);
    expect(await screen.findByText('scope-missing')).toBeVisible();
    expect(await screen.findByText('2,000')).toBeVisible();
  });

  test('are found by the name of the account, through the address', async () => {
    const fake = steward();
    const { user, history } = open(place);
    await user.type(await screen.findByRole('textbox', { name: 'Search by name or appid' }), 'jas{Enter}');
    await waitFor(() => expect(fake.callsTo('GET /v1/tenants/t1/authorizers').at(-1)?.query).toMatchObject({ q: 'jas' }));
    expect(history.location.href).toBe(`${place}?q=jas`);
  });
});

describe('A person', () => {
  test('is found on every account where they follow or followed, with what the blacklists say', async () => {
    steward({ [find]: { data: alice } });
    const { user, history } = open(place);
    await user.type(await screen.findByRole('searchbox', { name: 'OpenID or UnionID' }), ' oAlice {Enter}');
    expect(await screen.findByText('Known on 2 accounts')).toBeVisible();
    const row = (openid: string) => screen.getByText(openid).closest('tr');
    await waitFor(() => expect(row('oAlice')).toHaveTextContent(/Lotus.*Follows.*Blocked/));
    await waitFor(() => expect(row('oAlice2')).toHaveTextContent(/Jasmine.*Has left.*Not on the blacklist/));
    expect(history.location.href).toBe(`${place}?person=oAlice`);
  });

  test('is looked for by unionid where no openid is so', async () => {
    const fake = steward({ [find]: ({ query }) => ({ data: query.unionid ? alice : [] }) });
    open(`${place}?person=uAlice`);
    expect(await screen.findByText('Known on 2 accounts')).toBeVisible();
    expect(fake.callsTo(find)[0]?.query).toEqual({ openid: 'uAlice' });
    expect(fake.callsTo(find).at(-1)?.query).toEqual({ unionid: 'uAlice' });
  });

  test('whom no directory knows is said to be unknown, with what to do', async () => {
    steward({ [find]: { data: [] } });
    open(`${place}?person=oNobody`);
    expect(await screen.findByText(/Nobody with this openid or unionid is known/)).toBeVisible();
    expect(screen.getByText(/turn on those that are off below/)).toBeVisible();
  });

  test('cannot be looked for with a key that may not, which is said', async () => {
    steward({ [find]: refuse(403, 'scope-missing') });
    open(`${place}?person=oAlice`);
    expect(await screen.findByText('Detail of scope-missing.')).toBeVisible();
  });

  test('is blocked on the chosen accounts, each by name', async () => {
    const batch = (appid: string) => aBatch({ id: `b-${appid}`, authorizer_appid: appid });
    const fake = steward({
      [find]: { data: alice },
      [`POST ${of('wx01')}/blacklist/block`]: batch('wx01'),
      [`POST ${of('wx02')}/blacklist/block`]: refuse(409, 'account-not-active'),
      'GET /v1/tenants/t1/batches/b-wx01': batch('wx01'),
    });
    const { user } = open(`${place}?person=oAlice`);
    await user.click(await screen.findByRole('button', { name: 'Block on 2 accounts…' }));
    const drawer = await screen.findByRole('dialog');
    await user.type(within(drawer).getByLabelText('Reason'), 'spam');
    await user.click(within(drawer).getByRole('button', { name: 'Block' }));
    expect(await within(drawer).findByText('Detail of account-not-active.')).toBeVisible();
    expect(within(drawer).getByRole('button', { name: 'Show the batch of wx01' })).toBeVisible();
    expect(fake.callsTo(`POST ${of('wx01')}/blacklist/block`)[0]?.body).toEqual({ openids: ['oAlice'], reason: 'spam' });

    await user.click(within(drawer).getByRole('button', { name: 'Try again' }));
    await waitFor(() => expect(fake.callsTo(`POST ${of('wx02')}/blacklist/block`)).toHaveLength(2));
    const [first, second] = fake.callsTo(`POST ${of('wx02')}/blacklist/block`).map(({ headers }) => headers.get('Idempotency-Key'));
    expect(second).toBe(first);
    expect(fake.callsTo(`POST ${of('wx01')}/blacklist/block`)).toHaveLength(1);
  });

  test('is unblocked only where they are chosen', async () => {
    const batch = aBatch({ id: 'b2', action: 'unblock', authorizer_appid: 'wx02' });
    const fake = steward({
      [find]: { data: alice },
      [`POST ${of('wx02')}/blacklist/unblock`]: batch,
      'GET /v1/tenants/t1/batches/b2': batch,
    });
    const { user } = open(`${place}?person=oAlice`);
    await user.click(await screen.findByRole('checkbox', { name: 'Select wx01' }));
    await user.click(screen.getByRole('button', { name: 'Unblock on 1 account…' }));
    await user.click(within(await screen.findByRole('dialog')).getByRole('button', { name: 'Unblock' }));
    expect(await screen.findByRole('button', { name: 'Show the batch of wx02' })).toBeVisible();
    expect(fake.callsTo(`POST ${of('wx02')}/blacklist/unblock`)[0]?.body).toEqual({ openids: ['oAlice2'] });
  });
});
