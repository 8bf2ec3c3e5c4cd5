import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import type { SharedListAccount } from '../client';
import { aList, aPerson, aPlace, anAccount, page, platform, tenant } from '../testing/facts';
import { open } from '../testing/open';
import { FakeSteward, refuse } from '../testing/steward';

const place = '/tenants/t1/lists/l1';
const api = '/v1/tenants/t1/lists/l1';
const persons = `${api}/persons`;

const covered: SharedListAccount = { appid: 'wx01', nick_name: 'Lotus', coverage: 'covered', advice: '' };
const uncovered: SharedListAccount = { appid: 'wx02', nick_name: 'Jasmine', coverage: 'directory_off', advice: 'Turn the directory on.' };

const bob = aPerson({ id: 'p2', unionid: null, appid: 'wx02', openid: 'oBob', reason: 'ticket 4711' });

function steward(routes: ConstructorParameters<typeof FakeSteward>[0] = {}) {
  return new FakeSteward({
    'GET /v1/me': platform,
    'GET /v1/tenants': page(tenant),
    'GET /v1/tenants/t1/authorizers': page(anAccount({ appid: 'wx02', nick_name: 'Jasmine' })),
    'GET /v1/tenants/t1/authorizers/wx01': anAccount(),
    'GET /v1/tenants/t1/authorizers/wx02': anAccount({ appid: 'wx02', nick_name: 'Jasmine' }),
    [`GET ${api}`]: { list: aList(), accounts: [covered, uncovered] },
    [`GET ${persons}`]: page(aPerson(), bob),
    [`GET ${persons}/p1`]: { person: aPerson(), places: [aPlace()] },
    ...routes,
  });
}

const ids = (name: string) => screen.getByLabelText(name, { selector: 'textarea' });

describe('A shared list', () => {
  test('shows who is on it, and by what each is known', async () => {
    steward();
    open(place);
    expect((await screen.findByText('uAlice')).closest('tr')).toHaveTextContent('UnionID');
    await waitFor(() => expect(screen.getByText('oBob').closest('tr')).toHaveTextContent(/Jasmine.*ticket 4711/));
  });

  test('is searched through the address', async () => {
    const fake = steward();
    const { user, history } = open(place);
    await user.type(await screen.findByRole('textbox', { name: 'UnionID or OpenID begins with' }), 'uA{Enter}');
    await waitFor(() => expect(fake.callsTo(`GET ${persons}`).at(-1)?.query).toMatchObject({ q: 'uA' }));
    expect(history.location.href).toBe(`${place}?q=uA`);
  });

  test('on which nobody is says so', async () => {
    steward({ [`GET ${persons}`]: page() });
    open(place);
    expect(await screen.findByText('Nobody is on this list yet.')).toBeVisible();
  });

  test('that does not exist says so', async () => {
    steward({ [`GET ${api}`]: refuse(404, 'not-found') });
    open(place);
    expect(await screen.findByText('Detail of not-found.')).toBeVisible();
  });

  test('says which accounts it does not cover, those first, and what to do there', async () => {
    steward();
    open(place);
    const region = await screen.findByRole('region', { name: 'Which accounts are covered' });
    expect(region).toHaveTextContent('found on 1 of 2 accounts');
    const rows = within(region).getAllByRole('row').slice(1);
    expect(rows.map((row) => row.textContent)).toEqual([
      expect.stringMatching(/Jasmine.*Directory off.*Turn the directory on\./),
      expect.stringMatching(/Lotus.*Covered/),
    ]);
    expect(within(region).getByRole('link', { name: 'Jasmine' })).toHaveAttribute('href', '/tenants/t1/accounts/wx02/followers');
  });

  test('leads from an account without the permission to where it is granted', async () => {
    steward({ [`GET ${api}`]: { list: aList(), accounts: [{ ...uncovered, coverage: 'permission_missing' }] } });
    open(place);
    const region = await screen.findByRole('region', { name: 'Which accounts are covered' });
    expect(within(region).getByRole('link', { name: 'Jasmine' })).toHaveAttribute('href', '/tenants/t1/accounts/wx02/blacklist');
  });

  test('is given another name', async () => {
    const fake = steward({
      [`PATCH ${api}`]: () => {
        fake.on(`GET ${api}`, { list: aList({ name: 'Bots' }), accounts: [] });
        return aList({ name: 'Bots' });
      },
    });
    const { user } = open(place);
    await user.click(await screen.findByRole('button', { name: 'Change' }));
    await user.clear(await screen.findByLabelText('Name'));
    await user.type(screen.getByLabelText('Name'), 'Bots');
    await user.click(screen.getByRole('button', { name: 'Save' }));
    expect(await screen.findByRole('heading', { name: 'Bots Shared list' })).toBeVisible();
    expect(fake.callsTo(`PATCH ${api}`)[0]?.body).toEqual({ name: 'Bots', reason: 'spam' });
  });

  test('is deleted after it was said whom that unblocks', async () => {
    const fake = steward({ [`DELETE ${api}`]: () => null, 'GET /v1/tenants/t1/lists': page() });
    const { user, history } = open(place);
    await user.click(await screen.findByRole('button', { name: 'Delete…' }));
    expect(await screen.findByText(/2 people are taken off and unblocked where this list blocked them/)).toBeInTheDocument();
    await user.type(screen.getByLabelText('Reason'), 'over');
    await user.click(screen.getByRole('button', { name: 'Delete the list' }));
    await waitFor(() => expect(history.location.pathname).toBe('/tenants/t1/lists'));
    expect(fake.callsTo(`DELETE ${api}`)[0]?.query).toEqual({ reason: 'over' });
  });

  test('is not changed with a key that may only read', async () => {
    steward({ 'GET /v1/me': { ...platform, scopes: ['authorizers:read', 'blacklist:read'] } });
    open(place);
    expect(await screen.findByRole('button', { name: 'Add people' })).toBeDisabled();
    expect(screen.getByRole('button', { name: 'Delete…' })).toBeDisabled();
    expect(await screen.findByRole('button', { name: 'Take off uAlice' })).toBeDisabled();
  });
});

describe('People', () => {
  test('are added by unionid, and it is said what came of it', async () => {
    const fake = steward({ [`POST ${persons}`]: { added: 2, already: 1, skipped: 1 } });
    const { user } = open(place);
    await user.click(await screen.findByRole('button', { name: 'Add people' }));
    await user.click(await screen.findByLabelText('UnionIDs', { selector: 'textarea' }));
    await user.paste('uA\nuB\nuB\nuC');
    await user.click(await screen.findByRole('button', { name: 'Add 3 people' }));
    expect(await screen.findByText('2 people were added; the blocking begins within seconds.')).toBeVisible();
    expect(screen.getByText('Already on the list: 1. Duplicates and blanks: 1.')).toBeVisible();
    expect(fake.callsTo(`POST ${persons}`)[0]?.body).toEqual({ unionids: ['uA', 'uB', 'uB', 'uC'] });
    expect(ids('UnionIDs')).toHaveValue('');
  });

  test('are added by openid only with the account to which it belongs', async () => {
    const fake = steward({ [`POST ${persons}`]: { added: 1, already: 0, skipped: 0 } });
    const { user } = open(place);
    await user.click(await screen.findByRole('button', { name: 'Add people' }));
    await user.click(await screen.findByRole('radio', { name: 'OpenIDs' }));
    await user.click(ids('OpenIDs'));
    await user.paste('oCarol');
    const send = await screen.findByRole('button', { name: 'Add 1 person' });
    expect(send).toBeDisabled();
    await user.click(screen.getByLabelText('Account'));
    await user.click(await screen.findByTitle('Jasmine · wx02'));
    await user.click(send);
    await waitFor(() => expect(fake.callsTo(`POST ${persons}`)[0]?.body).toEqual({ openids: ['oCarol'], appid: 'wx02' }));
  });

  test('for whom the list has no room stay in the form', async () => {
    steward({ [`POST ${persons}`]: refuse(409, 'list-full') });
    const { user } = open(place);
    await user.click(await screen.findByRole('button', { name: 'Add people' }));
    await user.click(await screen.findByLabelText('UnionIDs', { selector: 'textarea' }));
    await user.paste('uA');
    await user.click(await screen.findByRole('button', { name: 'Add 1 person' }));
    expect(await screen.findByText('Detail of list-full.')).toBeVisible();
    expect(ids('UnionIDs')).toHaveValue('uA');
  });

  test.each([
    ['pending', /On its way/],
    ['waiting', /Waiting.*cannot be worked for just now.*Grant it\./],
    ['blocked', /Blocked by this list/],
    ['already', /Blocked before.*not by this list/],
    ['failed', /Failed.*49003.*Grant it\..*rid-3/],
    ['overruled', /Overruled.*Somebody wished otherwise since/],
  ] as const)('are shown with each account where they are %s', async (state, said) => {
    const trouble = state === 'failed' ? { errcode: 49003, rid: 'rid-3' } : {};
    const advice = state === 'failed' || state === 'waiting' ? 'Grant it.' : '';
    steward({ [`GET ${persons}/p1`]: { person: aPerson(), places: [aPlace({ state, advice, ...trouble })] } });
    const { user, history } = open(place);
    await user.click(await screen.findByRole('button', { name: 'Where they are blocked: uAlice' }));
    const drawer = await screen.findByRole('dialog');
    await waitFor(() => expect(drawer).toHaveTextContent(said));
    expect(history.location.href).toBe(`${place}?person=p1`);
  });

  test('whom no account knows yet are said to be so', async () => {
    steward({ [`GET ${persons}/p1`]: { person: aPerson(), places: [] } });
    open(`${place}?person=p1`);
    expect(await screen.findByText(/No account knows this person yet/)).toBeVisible();
  });

  test('are taken off after it was said where that unblocks them', async () => {
    const fake = steward({
      [`DELETE ${persons}/p1`]: () => {
        fake.on(`GET ${persons}`, page(bob));
        return null;
      },
    });
    const { user } = open(place);
    await user.click(await screen.findByRole('button', { name: 'Take off uAlice' }));
    expect(await screen.findByText(/They are unblocked where this list blocked them/)).toBeInTheDocument();
    await user.type(screen.getByLabelText('Reason'), 'apologised');
    await user.click(screen.getByRole('button', { name: 'Take off' }));
    await waitFor(() => expect(screen.queryByText('uAlice')).toBeNull());
    expect(fake.callsTo(`DELETE ${persons}/p1`)[0]?.query).toEqual({ reason: 'apologised' });
  });
});
