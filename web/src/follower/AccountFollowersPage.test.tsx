import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import { aDirectory, aFollower, anAccount, aSync, noDirectory, page, platform, tenant } from '../testing/facts';
import { open } from '../testing/open';
import { FakeSteward, refuse } from '../testing/steward';

const place = '/tenants/t1/accounts/wx01/followers';
const api = '/v1/tenants/t1/authorizers/wx01';
const directory = `${api}/followers/directory`;
const list = `GET ${api}/followers`;

function steward(routes: ConstructorParameters<typeof FakeSteward>[0] = {}) {
  return new FakeSteward({
    'GET /v1/me': platform,
    'GET /v1/tenants': page(tenant),
    [`GET ${api}`]: anAccount(),
    [`GET ${directory}`]: aDirectory(),
    [list]: { ...page(aFollower(), aFollower({ openid: 'oBob' })), synced_at: '2026-01-01T00:00:00Z' },
    ...routes,
  });
}

describe('The follower directory', () => {
  test('that is off is turned on, without unionids', async () => {
    const fake = steward({ [`GET ${directory}`]: noDirectory, [`PUT ${directory}`]: aDirectory({ sync: aSync({ status: 'queued' }) }) });
    const { user } = open(place);
    await user.click(await screen.findByRole('switch', { name: 'Follower directory' }));
    expect(await screen.findByText('Waiting for its turn…')).toBeVisible();
    expect(fake.callsTo(`PUT ${directory}`)[0]?.body).toEqual({ enabled: true, unionids: false });
  });

  test('that is off shows nobody, and offers no unionids', async () => {
    const fake = steward({ [`GET ${directory}`]: noDirectory });
    open(place);
    expect(await screen.findByRole('switch', { name: 'UnionIDs' })).toBeDisabled();
    expect(fake.callsTo(list)).toEqual([]);
  });

  test('is turned off only after it was said that this erases it', async () => {
    const fake = steward({ [`PUT ${directory}`]: { ...noDirectory, erasing: true } });
    const { user } = open(place);
    await user.click(await screen.findByRole('switch', { name: 'Follower directory' }));
    const dialog = await screen.findByRole('dialog');
    expect(dialog).toHaveTextContent('All openids and unionids of this account’s followers are erased.');
    expect(fake.callsTo(`PUT ${directory}`)).toEqual([]);
    await user.click(within(dialog).getByRole('button', { name: 'Turn off and erase' }));
    expect(await screen.findByText(/What was kept is being erased/)).toBeVisible();
    expect(fake.callsTo(`PUT ${directory}`)[0]?.body).toEqual({ enabled: false });
  });

  test('keeps unionids, or erases only those', async () => {
    const fake = steward({ [`PUT ${directory}`]: aDirectory({ unionids: true }) });
    const { user } = open(place);
    await user.click(await screen.findByRole('switch', { name: 'UnionIDs' }));
    await waitFor(() => expect(screen.getByRole('switch', { name: 'UnionIDs' })).toBeChecked());
    expect(fake.callsTo(`PUT ${directory}`)[0]?.body).toEqual({ enabled: true, unionids: true });
    fake.on(`PUT ${directory}`, aDirectory());
    await user.click(screen.getByRole('switch', { name: 'UnionIDs' }));
    await user.click(await screen.findByRole('button', { name: 'Turn off and erase' }));
    await waitFor(() => expect(fake.callsTo(`PUT ${directory}`)[1]?.body).toEqual({ enabled: true, unionids: false }));
  });

  test('that cannot be turned on says why', async () => {
    steward({
      [`GET ${directory}`]: noDirectory,
      [`PUT ${directory}`]: refuse(409, 'permission-missing', { connect_url: 'https://steward.test/connect/again' }),
    });
    const { user } = open(place);
    await user.click(await screen.findByRole('switch', { name: 'Follower directory' }));
    expect(await screen.findByText('Detail of permission-missing.')).toBeVisible();
    expect(screen.getByRole('link', { name: 'https://steward.test/connect/again' })).toBeVisible();
  });

  test('is not changed with a key that may not', async () => {
    steward({ 'GET /v1/me': { ...platform, scopes: ['authorizers:read', 'followers:read'] } });
    open(place);
    expect(await screen.findByRole('switch', { name: 'Follower directory' })).toBeDisabled();
  });
});

describe("The reading of WeChat's list", () => {
  test('is begun by hand, shows how far it is, and shows whom it found', async () => {
    const running = aDirectory({ sync: aSync({ status: 'running', read: 1_000, ended_at: null }) });
    const fake = steward();
    const { user } = open(place);
    await screen.findByText('oAlice');
    fake.on(`POST ${api}/followers/sync`, () => {
      fake.on(`GET ${directory}`, running);
      return running;
    });
    await user.click(screen.getByRole('button', { name: 'Read now' }));
    expect(await screen.findByText('Reading WeChat’s list: 1,000 of 2,000')).toBeVisible();
    expect(screen.getByRole('progressbar')).toHaveAttribute('aria-valuenow', '50');
    const before = fake.callsTo(list).length;
    fake.on(`GET ${directory}`, aDirectory());
    expect(await screen.findByText('7 new, 3 gone')).toBeVisible();
    await waitFor(() => expect(fake.callsTo(list).length).toBeGreaterThan(before));
  });

  test('that failed says why and what to do', async () => {
    steward({
      [`GET ${directory}`]: aDirectory({
        sync: aSync({
          status: 'failed',
          error: 'WeChat refused: api unauthorized',
          errcode: 48001,
          rid: 'rid-5',
          advice: 'Grant the set.',
        }),
      }),
    });
    open(place);
    const alert = (await screen.findByText('WeChat refused: api unauthorized')).closest('[role=alert]');
    expect(alert).toHaveTextContent(/48001.*Grant the set\..*rid-5/);
    expect(screen.getByText(/The last reading failed; the directory is as it was before/)).toBeVisible();
  });

  test('that rests says until when', async () => {
    steward({ [`GET ${directory}`]: aDirectory({ sync: aSync({ status: 'paused', paused_until: '2099-01-01T00:00:00Z' }) }) });
    open(place);
    expect(await screen.findByText(/Paused\. It goes on/)).toBeVisible();
  });

  test('is all that keeps the directory current where WeChat pushes no events', async () => {
    steward({ [`GET ${directory}`]: aDirectory({ events: false }) });
    open(place);
    expect(await screen.findByText(/WeChat does not tell of people who come and go/)).toBeVisible();
  });
});

describe('The followers of an account', () => {
  test('are searched by how the openid begins, through the address', async () => {
    const fake = steward();
    const { user, history } = open(place);
    await screen.findByText('oBob');
    await user.type(screen.getByRole('textbox', { name: 'OpenID begins with' }), 'oA{Enter}');
    await waitFor(() => expect(fake.callsTo(list).at(-1)?.query).toMatchObject({ q: 'oA' }));
    expect(history.location.href).toBe(`${place}?q=oA`);
  });

  test('are turned over page by page', async () => {
    const fake = steward({ [list]: { ...page(aFollower()), next_cursor: 'c2', synced_at: null } });
    const { user } = open(place);
    await user.click(await screen.findByRole('button', { name: 'Next' }));
    await waitFor(() => expect(fake.callsTo(list).at(-1)?.query).toMatchObject({ cursor: 'c2' }));
  });

  test('show their unionids where those are kept', async () => {
    steward({
      [`GET ${directory}`]: aDirectory({ unionids: true }),
      [list]: { ...page(aFollower({ unionid: 'uAlice' }), aFollower({ openid: 'oBob' })), synced_at: null },
    });
    open(place);
    expect((await screen.findByText('oAlice')).closest('tr')).toHaveTextContent('uAlice');
    expect(screen.getByText('oBob').closest('tr')).toHaveTextContent('none known');
  });

  test('that are none say so', async () => {
    steward({ [list]: { ...page(), synced_at: '2026-01-01T00:00:00Z' } });
    open(place);
    expect(await screen.findByText('Nobody follows this account.')).toBeVisible();
  });

  test('lead to the accounts on which a person follows', async () => {
    steward({ 'GET /v1/tenants/t1/followers': { data: [] }, 'GET /v1/tenants/t1/authorizers': page() });
    const { user, history } = open(place);
    await user.click(await screen.findByRole('link', { name: 'On which accounts oAlice follows' }));
    await waitFor(() => expect(history.location.href).toBe('/tenants/t1/followers?person=oAlice'));
  });
});
