import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import type { BlacklistEntry } from '../client';
import {
  aBatch,
  anAccount,
  anEntry,
  anItem,
  lostRefreshToken,
  messages,
  page,
  platform,
  tenant,
  users,
  wellHealth,
} from '../testing/facts';
import { open } from '../testing/open';
import { FakeSteward, noAnswer, refuse } from '../testing/steward';

const place = '/tenants/t1/accounts/wx01/blacklist';
const api = '/v1/tenants/t1/authorizers/wx01';
const list = `GET ${api}/blacklist`;

function entries(...data: BlacklistEntry[]) {
  return { ...page(...data), total: data.length, total_is_at_least: false, synced_at: '2026-01-01T00:00:00Z' };
}

function steward(routes: ConstructorParameters<typeof FakeSteward>[0] = {}) {
  return new FakeSteward({
    'GET /v1/me': platform,
    'GET /v1/tenants': page(tenant),
    [`GET ${api}`]: anAccount(),
    'GET /v1/tenants/t1/batches': page(),
    [list]: entries(anEntry(), anEntry({ openid: 'oBob', want: null, reason: '', wanted_by: '', wanted_at: null, batch_id: null })),
    ...routes,
  });
}

const counts = { total: 3, pending: 0, done: 1, already: 0, failed: 1, superseded: 0, cancelled: 0, skipped: 1 };

/** Opens the drawer and pastes. */
async function paste(user: ReturnType<typeof open>['user'], text: string): Promise<HTMLElement> {
  await user.click(await screen.findByRole('button', { name: 'Block…' }));
  await user.click(await screen.findByLabelText('OpenIDs'));
  await user.paste(text);
  return screen.findByRole('dialog');
}

describe('The blacklist', () => {
  test('shows what is wanted beside what WeChat has', async () => {
    steward({
      [list]: entries(
        anEntry(),
        anEntry({ openid: 'oByHand', want: null, wanted_at: null }),
        anEntry({ openid: 'oWaiting', actual: null, pending: true }),
        anEntry({
          openid: 'oRefused',
          actual: 'unblocked',
          errcode: 49003,
          rid: 'rid-9',
          advice: 'This openid belongs to another account.',
        }),
      ),
    });
    open(place);
    const row = async (openid: string) => (await screen.findByText(openid)).closest('tr');
    expect(await row('oAlice')).toHaveTextContent(/Blocked.*Blocked.*spam.*lotus-crm/);
    expect(await row('oByHand')).toHaveTextContent('Blocked by the merchant');
    expect(await row('oWaiting')).toHaveTextContent(/Not known yet.*not sent yet/);
    expect(await row('oRefused')).toHaveTextContent(/Not blocked.*refused.*49003.*belongs to another account.*rid-9/);
    expect(screen.getByText('4 openids')).toBeVisible();
    expect(screen.getByRole('heading', { name: 'Lotus Blacklist' })).toBeVisible();
  });

  test('says that there are more than were counted', async () => {
    steward({ [list]: { ...entries(anEntry()), total: 10_000, total_is_at_least: true } });
    open(`${place}?reason=spam`);
    expect(await screen.findByText('more than 10,000 openids')).toBeVisible();
  });

  test('shows what was noted about an entry', async () => {
    steward({ [list]: entries(anEntry({ note: 'Three complaints in May.' })) });
    open(place);
    expect((await screen.findByText('Three complaints in May.')).closest('tr')).toHaveTextContent(/oAlice.*spam/);
  });

  test('is filtered and searched through the address', async () => {
    const fake = steward();
    const { user, history } = open(place);
    await screen.findByText('oAlice');
    expect(fake.callsTo(list)[0]?.query).toMatchObject({ actual: 'blocked' });
    await user.click(screen.getByRole('radio', { name: 'All' }));
    await user.type(screen.getByRole('textbox', { name: 'OpenID begins with' }), 'oA{Enter}');
    await waitFor(() => expect(fake.callsTo(list).at(-1)?.query).toMatchObject({ actual: 'any', q: 'oA' }));
    expect(history.location.href).toBe(`${place}?actual=any&q=oA`);
  });

  test('of nobody says so, and that WeChat was never asked', async () => {
    steward({ [list]: { ...entries(), synced_at: null } });
    open(place);
    expect(await screen.findByText('Nobody is blocked on this account.')).toBeVisible();
    expect(screen.getByText(/own list has not been read yet/)).toBeVisible();
  });

  test('of an account that does not exist says so', async () => {
    steward({ [`GET ${api}`]: refuse(404, 'not-found') });
    open(place);
    expect(await screen.findByText('Detail of not-found.')).toBeVisible();
  });

  test('warns of an account that lacks the permission set', async () => {
    steward({ [`GET ${api}`]: anAccount({ permission_sets: [messages], can_blacklist: false }) });
    open(place);
    expect(await screen.findByText(/“User management” \(2\) has not been granted/)).toBeVisible();
    expect(screen.getByRole('button', { name: 'Authorize again' })).toBeVisible();
  });
});

describe('The token of the account', () => {
  const health = {
    ...wellHealth,
    status: 'exhausted' as const,
    failing_since: '2020-01-01T00:00:00Z',
    attempts: 15,
    last_error: lostRefreshToken,
  };

  test('that cannot be renewed is explained, and renewed by hand', async () => {
    const fake = steward({ [`GET ${api}`]: anAccount({ health }) });
    const { user } = open(place);
    const alert = (await screen.findByText(/has not been renewed for more than a day/)).closest('[role=alert]');
    expect(alert).toHaveTextContent(/Failed tries15.*refresh_token is invalid.*61023.*Ask the merchant.*rid-1/);
    fake.on(`POST ${api}/renew`, () => {
      fake.on(`GET ${api}`, anAccount());
      return anAccount();
    });
    await user.click(screen.getByRole('button', { name: 'Renew now' }));
    expect(await screen.findByText('The token has been renewed.')).toBeVisible();
    await waitFor(() => expect(alert).not.toBeInTheDocument());
    expect(fake.callsTo(`POST ${api}/renew`)).toHaveLength(1);
  });

  test('that WeChat refuses again says so, with what to do', async () => {
    steward({
      [`GET ${api}`]: anAccount({ health }),
      [`POST ${api}/renew`]: refuse(502, 'wechat-refused', { errcode: 61023, rid: 'rid-2', advice: 'Ask the merchant.' }),
    });
    const { user } = open(place);
    await user.click(await screen.findByRole('button', { name: 'Renew now' }));
    const problem = (await screen.findByText('Detail of wechat-refused.')).closest('[role=alert]');
    expect(problem).toHaveTextContent(/61023.*Ask the merchant\..*rid-2/);
  });

  test('that is lost comes back through a link for this account and platform alone', async () => {
    const links = 'POST /v1/tenants/t1/connect-links';
    const fake = steward({
      [`GET ${api}`]: anAccount({
        state: 'needs_reauthorization',
        component_appid: 'wxc2',
        health: { ...wellHealth, status: 'broken', next_attempt_at: null, last_error: lostRefreshToken },
      }),
      [links]: { id: 'l1', url: 'https://steward.test/connect/secret', expires_at: '2099-01-01T00:00:00Z' },
      'GET /v1/tenants/t1/connect-links': page(),
    });
    const { user } = open(place);
    expect((await screen.findByText('The merchant has to authorize us again.')).closest('[role=alert]')).toHaveTextContent('61023');
    await user.click(screen.getByRole('button', { name: 'Authorize again' }));
    await user.click(await screen.findByRole('button', { name: 'Create link' }));
    expect(await screen.findByRole('link', { name: 'https://steward.test/connect/secret' })).toBeVisible();
    expect(fake.callsTo(links)[0]?.body).toEqual({ expires_in: 86_400, appid: 'wx01', component_appid: 'wxc2' });
  });

  test('is not renewed with a key that may not', async () => {
    steward({ 'GET /v1/me': { ...platform, scopes: ['authorizers:read'] } });
    open(place);
    expect(await screen.findByRole('button', { name: 'Renew now' })).toBeDisabled();
  });
});

describe('Blocking', () => {
  test('counts while one pastes, sends, and shows the outcome of each openid until the batch has ended', async () => {
    const running = aBatch({ status: 'running', counts: { ...counts, pending: 2, done: 0, failed: 0 } });
    const fake = steward({
      [`POST ${api}/blacklist/block`]: aBatch({ status: 'queued', counts: { ...counts, pending: 2, done: 0, failed: 0 } }),
      'GET /v1/tenants/t1/batches/b1': running,
      'GET /v1/tenants/t1/batches/b1/items': page(anItem({ outcome: 'pending' }), anItem({ openid: 'oBad', outcome: 'pending' })),
    });
    const { user, history } = open(place);
    const form = await paste(user, 'oAlice\noAlice\n\noBad');
    await waitFor(() => expect(form).toHaveTextContent('2 openids'));
    expect(form).toHaveTextContent('1 duplicate');
    expect(form).toHaveTextContent('1 blank');
    await user.type(within(form).getByLabelText('Reason'), 'spam');
    await user.click(within(form).getByRole('button', { name: 'Block 2 people' }));

    expect(await screen.findByText('0 of 2 have an outcome')).toBeVisible();
    const sent = fake.callsTo(`POST ${api}/blacklist/block`)[0];
    expect(sent?.body).toEqual({ openids: ['oAlice', 'oAlice', 'oBad'], reason: 'spam' });
    expect(sent?.headers.get('Idempotency-Key')).toMatch(/^console-[0-9a-f]{32}$/);
    expect(history.location.href).toBe(`${place}?batch=b1`);

    fake.on('GET /v1/tenants/t1/batches/b1', aBatch({ counts, ended_at: '2026-01-02T00:00:05Z' }));
    fake.on(
      'GET /v1/tenants/t1/batches/b1/items',
      page(anItem(), anItem({ openid: 'oBad', outcome: 'failed', errcode: 40003, rid: 'rid-7', advice: 'Check this openid.' })),
    );
    expect(await screen.findByText('1 of 2 succeeded, 1 failed')).toBeVisible();
    const bad = (await screen.findByText('oBad')).closest('tr');
    await waitFor(() => expect(bad).toHaveTextContent(/Failed.*40003.*Check this openid\..*rid-7/));
    expect(screen.getByText(/1 duplicate or blank skipped/)).toBeVisible();

    const asked = fake.callsTo('GET /v1/tenants/t1/batches/b1').length;
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(fake.callsTo('GET /v1/tenants/t1/batches/b1')).toHaveLength(asked);
  });

  test('is sent again under the same Idempotency-Key when no answer came, and under a new one when it changed', async () => {
    const route = `POST ${api}/blacklist/block`;
    const fake = steward({ [route]: noAnswer });
    const { user } = open(place);
    const form = await paste(user, 'oAlice');
    const send = () => user.click(within(form).getByRole('button', { name: /^Block 1/ }));
    await send();
    expect(await within(form).findByText(/Steward cannot be reached/)).toBeVisible();
    await send();
    await waitFor(() => expect(fake.callsTo(route)).toHaveLength(2));
    await user.type(within(form).getByLabelText('Reason'), 'x');
    await waitFor(() => expect(within(form).getByRole('button', { name: /^Block 1/ })).toBeEnabled());
    await send();
    await waitFor(() => expect(fake.callsTo(route)).toHaveLength(3));
    const [first, second, third] = fake.callsTo(route).map(({ headers }) => headers.get('Idempotency-Key'));
    expect(second).toBe(first);
    expect(third).not.toBe(first);
  });

  test('takes a note beside the reason', async () => {
    const route = `POST ${api}/blacklist/block`;
    const fake = steward({ [route]: noAnswer });
    const { user } = open(place);
    const form = await paste(user, 'oAlice');
    await user.type(within(form).getByLabelText('Reason'), 'x');
    await user.click(within(form).getByLabelText('Note'));
    await user.paste('Three complaints.\nSee ticket 4711.');
    await user.click(within(form).getByRole('button', { name: /^Block 1/ }));
    await waitFor(() =>
      expect(fake.callsTo(route)[0]?.body).toEqual({ openids: ['oAlice'], reason: 'x', note: 'Three complaints.\nSee ticket 4711.' }),
    );
  });

  test('without the permission set is explained, with the link that grants it', async () => {
    steward({
      [`POST ${api}/blacklist/block`]: refuse(409, 'permission-missing', {
        detail: 'Set 2 is missing.',
        needed_sets: [users],
        granted_sets: [messages],
        connect_url: 'https://steward.test/connect/again',
      }),
    });
    const { user } = open(place);
    const form = await paste(user, 'oAlice');
    await user.click(within(form).getByRole('button', { name: 'Block 1 person' }));
    const alert = await within(form).findByText('Set 2 is missing.');
    const problem = alert.closest<HTMLElement>('[role=alert]');
    expect(problem).toHaveTextContent(
      /Any one of these permission sets is enough:.*User management 2.*Granted so far:.*Message management 1/,
    );
    expect(within(problem ?? form).getByRole('link')).toHaveAttribute('href', 'https://steward.test/connect/again');
    expect(within(form).getByLabelText('OpenIDs')).toHaveValue('oAlice');
  });

  test('is not offered to a key that may only read', async () => {
    steward({ 'GET /v1/me': { ...platform, scopes: ['authorizers:read', 'blacklist:read'] } });
    open(place);
    expect(await screen.findByRole('button', { name: 'Block…' })).toBeDisabled();
  });
});

describe('A batch', () => {
  test('is found again by its address, filtered by outcome, and says why it rests', async () => {
    const fake = steward({
      'GET /v1/tenants/t1/batches/b1': aBatch({
        status: 'paused',
        counts: { ...counts, pending: 1, done: 0 },
        pause_reason: 'The quota is used up.',
      }),
      'GET /v1/tenants/t1/batches/b1/items': ({ query }) =>
        query.outcome === 'failed'
          ? page(anItem({ openid: 'oBad', outcome: 'failed' }))
          : page(anItem({ outcome: 'pending' }), anItem({ openid: 'oBad', outcome: 'failed' })),
    });
    const { user, history } = open(`${place}?batch=b1`);
    const dialog = await screen.findByRole('dialog');
    expect(await within(dialog).findByText('The quota is used up.')).toBeVisible();
    expect(await within(dialog).findByText('oAlice')).toBeVisible();
    await user.click(within(dialog).getByRole('radio', { name: 'Failed 1' }));
    await waitFor(() => expect(within(dialog).queryByText('oAlice')).toBeNull());
    expect(fake.callsTo('GET /v1/tenants/t1/batches/b1/items').at(-1)?.query).toMatchObject({ outcome: 'failed' });
    await user.click(within(dialog).getByRole('button', { name: 'Close' }));
    expect(history.location.href).toBe(place);
  });

  test('that is at work is named on the page and can be opened', async () => {
    steward({
      'GET /v1/tenants/t1/batches': page(aBatch({ status: 'running', counts: { ...counts, pending: 1, done: 0 } }), aBatch({ id: 'b0' })),
      'GET /v1/tenants/t1/batches/b1': aBatch({ status: 'running', counts }),
      'GET /v1/tenants/t1/batches/b1/items': page(),
    });
    const { user, history } = open(place);
    expect(await screen.findByText('A batch of blocks is at work: 1 of 2, Running')).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Show' }));
    expect(history.location.href).toBe(`${place}?batch=b1`);
  });
});

test('Unblocking begins with the selected rows', async () => {
  const fake = steward({
    [`POST ${api}/blacklist/unblock`]: aBatch({ id: 'b2', action: 'unblock', counts }),
    'GET /v1/tenants/t1/batches/b2': aBatch({ id: 'b2', action: 'unblock', counts }),
    'GET /v1/tenants/t1/batches/b2/items': page(anItem()),
  });
  const { user } = open(place);
  await user.click(await screen.findByRole('checkbox', { name: 'Select oAlice' }));
  await user.click(screen.getByRole('checkbox', { name: 'Select oBob' }));
  expect(screen.getByText('2 selected')).toBeVisible();
  await user.click(screen.getByRole('button', { name: 'Unblock 2 people' }));
  const form = await screen.findByRole('dialog');
  expect(within(form).getByLabelText('OpenIDs')).toHaveValue('oAlice\noBob');
  expect(within(form).queryByLabelText('Ends on')).toBeNull();
  await user.click(within(form).getByRole('button', { name: 'Unblock 2 people' }));
  expect(await screen.findByText('Batch: unblock')).toBeVisible();
  expect(fake.callsTo(`POST ${api}/blacklist/unblock`)[0]?.body).toEqual({ openids: ['oAlice', 'oBob'] });
  expect(screen.queryByText('2 selected')).toBeNull();
});

test("Reading WeChat's list shows how far it is, and what came of it", async () => {
  const pull = {
    id: 'p1',
    authorizer_appid: 'wx01',
    status: 'running',
    requested_by: 'ops (platform_key)',
    total: 2_000,
    read: 1_000,
    added: 0,
    removed: 0,
    errcode: null,
    rid: '',
    error: '',
    advice: '',
    created_at: '2026-01-01T00:00:00Z',
    started_at: null,
    ended_at: null,
  };
  const fake = steward({ [`POST ${api}/blacklist/pull`]: pull, [`GET ${api}/blacklist/pulls/p1`]: pull });
  const { user, history } = open(place);
  await user.click(await screen.findByRole('button', { name: /Read from WeChat/ }));
  expect(await screen.findByText('Reading WeChat’s list: 1,000 of 2,000')).toBeVisible();
  expect(history.location.href).toBe(`${place}?pull=p1`);
  const before = fake.callsTo(list).length;
  fake.on(`GET ${api}/blacklist/pulls/p1`, { ...pull, status: 'done', read: 2_000, added: 7, removed: 3 });
  expect(await screen.findByText(/2,000 openids: 7 were new to us, 3 are no longer blocked/)).toBeVisible();
  await waitFor(() => expect(fake.callsTo(list).length).toBeGreaterThan(before));
  await user.click(screen.getByRole('button', { name: 'Hide the result' }));
  await waitFor(() => expect(history.location.href).toBe(place));
});
