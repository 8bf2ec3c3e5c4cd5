import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import type { Routed, Unrouted } from '../client';
import { aBatch, anAccount, page, platform, tenant } from '../testing/facts';
import { open } from '../testing/open';
import { FakeSteward, noAnswer, refuse } from '../testing/steward';

const place = '/tenants/t1/people';
const block = 'POST /v1/tenants/t1/blacklist/block';

const counts = { total: 2, pending: 2, done: 0, already: 0, failed: 0, superseded: 0, cancelled: 0, skipped: 0 };
const running = aBatch({ status: 'running', counts });

function unrouted(why: Unrouted['why'], appid: string | null = null): Unrouted {
  return { openid: `o-${why}`, unionid: '', why, appid, advice: 'Advice.' };
}

function steward(answer: Partial<Routed> = {}, routes: ConstructorParameters<typeof FakeSteward>[0] = {}) {
  return new FakeSteward({
    'GET /v1/me': platform,
    'GET /v1/tenants': page(tenant),
    'GET /v1/tenants/t1/authorizers': page(anAccount(), anAccount({ appid: 'wx02', nick_name: 'Jasmine' })),
    'GET /v1/tenants/t1/authorizers/wx01': anAccount(),
    'GET /v1/tenants/t1/authorizers/wx02': anAccount({ appid: 'wx02', nick_name: 'Jasmine' }),
    'GET /v1/tenants/t1/batches/b1': running,
    [block]: { batches: [], unrouted: [], ...answer },
    ...routes,
  });
}

/** Opens the page, pastes and sends. */
async function send(text = 'oAlice\noBob') {
  const { user, history } = open(place);
  await user.click(await screen.findByLabelText('OpenIDs', { selector: 'textarea' }));
  await user.paste(text);
  await user.click(await screen.findByRole('button', { name: /^Block \d/ }));
  return { user, history };
}

describe('Blocking without naming an account', () => {
  test('sends what was pasted, with a reason', async () => {
    const fake = steward({ batches: [running] });
    const { user } = open(place);
    await user.click(await screen.findByLabelText('OpenIDs', { selector: 'textarea' }));
    await user.paste('oAlice\noAlice, oBob');
    await user.type(screen.getByLabelText('Reason'), 'spam');
    await user.click(await screen.findByRole('button', { name: 'Block 2 people' }));
    expect(await screen.findByText('2 people are being worked on. Accounts: 1.')).toBeVisible();
    expect(fake.callsTo(block)[0]?.body).toEqual({ openids: ['oAlice', 'oAlice', 'oBob'], reason: 'spam' });
    expect(fake.callsTo(block)[0]?.headers.get('Idempotency-Key')).toMatch(/^console-[0-9a-f]{32}$/);
  });

  test('takes a note beside the reason', async () => {
    const fake = steward({ batches: [running] });
    const { user } = open(place);
    await user.click(await screen.findByLabelText('OpenIDs', { selector: 'textarea' }));
    await user.paste('oAlice');
    await user.click(screen.getByLabelText('Note'));
    await user.paste('Three complaints.');
    await user.click(await screen.findByRole('button', { name: 'Block 1 person' }));
    await waitFor(() => expect(fake.callsTo(block)[0]?.body).toEqual({ openids: ['oAlice'], note: 'Three complaints.' }));
  });

  test('names the account for unknown openids', async () => {
    const fake = steward();
    const { user } = open(place);
    await user.click(await screen.findByLabelText('OpenIDs', { selector: 'textarea' }));
    await user.paste('oAlice');
    await user.click(screen.getByLabelText('Account for unknown openids'));
    await user.click(await screen.findByTitle('Jasmine · wx02'));
    await user.click(screen.getByRole('button', { name: 'Block 1 person' }));
    await waitFor(() => expect(fake.callsTo(block)[0]?.body).toEqual({ openids: ['oAlice'], assume_appid: 'wx02' }));
  });

  test('takes unionids, which are meant on every account', async () => {
    const fake = steward({ batches: [running] });
    const { user } = open(place);
    await user.click(await screen.findByRole('radio', { name: 'UnionIDs' }));
    await user.click(screen.getByLabelText('UnionIDs', { selector: 'textarea' }));
    await user.paste('uAlice');
    await user.click(await screen.findByRole('button', { name: 'Block 1 person' }));
    await waitFor(() => expect(fake.callsTo(block)[0]?.body).toEqual({ unionids: ['uAlice'] }));
  });

  test('says beforehand what would go where, and does nothing', async () => {
    const fake = steward(
      {},
      {
        [block]: {
          dry_run: true,
          action: 'block',
          accounts: [{ authorizer_appid: 'wx02', openids: 2 }],
          unrouted: [{ ...unrouted('unknown'), openid: '', unionid: 'uNobody' }],
        },
      },
    );
    const { user } = open(place);
    await user.click(await screen.findByLabelText('OpenIDs', { selector: 'textarea' }));
    await user.paste('oAlice');
    await user.click(screen.getByRole('button', { name: 'Preview' }));
    expect((await screen.findByRole('link', { name: 'Jasmine' })).closest('tr')).toHaveTextContent('2 openids');
    expect(screen.getByText('uNobody')).toBeVisible();
    expect(fake.callsTo(block).map(({ body }) => body)).toEqual([{ openids: ['oAlice'], dry_run: true }]);
  });

  test('shows a preview no longer once something else is pasted', async () => {
    steward({}, { [block]: { dry_run: true, action: 'block', accounts: [], unrouted: [] } });
    const { user } = open(place);
    await user.click(await screen.findByLabelText('OpenIDs', { selector: 'textarea' }));
    await user.paste('oAlice');
    await user.click(screen.getByRole('button', { name: 'Preview' }));
    expect(await screen.findByText('Nothing would go anywhere.')).toBeVisible();
    await user.type(screen.getByLabelText('OpenIDs', { selector: 'textarea' }), 'x');
    await waitFor(() => expect(screen.queryByText('Nothing would go anywhere.')).toBeNull());
  });

  test('shows the batch of each account, as it goes on', async () => {
    const fake = steward({ batches: [running] });
    await send();
    const row = (await screen.findByRole('link', { name: 'Lotus' })).closest('tr');
    expect(row).toHaveTextContent('0 of 2 have an outcome');
    fake.on('GET /v1/tenants/t1/batches/b1', aBatch({ counts: { ...counts, pending: 0, done: 2 } }));
    await waitFor(() => expect(row).toHaveTextContent('2 of 2 succeeded'));
  });

  test('opens a batch, with what came of each openid', async () => {
    steward({ batches: [running] }, { 'GET /v1/tenants/t1/batches/b1/items': page() });
    const { user } = await send();
    await user.click(await screen.findByRole('button', { name: 'Show the batch of wx01' }));
    expect(await screen.findByText('Batch: block')).toBeVisible();
  });

  test('tries those whom nobody knows on an account', async () => {
    steward({ unrouted: [unrouted('unknown')] });
    const { user } = await send();
    expect(await screen.findByText('1 openid that no account is known for')).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Try on an account…' }));
    expect(await screen.findByLabelText('OpenIDs', { selector: 'textarea' })).toHaveValue('o-unknown');
  });

  test('leads to the directories that would know them', async () => {
    steward({ unrouted: [unrouted('unknown')] });
    const { user, history } = await send();
    await user.click(await screen.findByRole('link', { name: 'To the follower directories' }));
    await waitFor(() => expect(history.location.href).toBe('/tenants/t1/followers'));
  });

  test('leads to the accounts of those whom several know', async () => {
    steward({ unrouted: [unrouted('ambiguous')] });
    await send();
    const link = await screen.findByRole('link', { name: 'On which accounts o-ambiguous follows' });
    expect(link).toHaveAttribute('href', '/tenants/t1/followers?person=o-ambiguous');
  });

  test.each([
    ['permission_missing', /has not granted user management/],
    ['account_not_active', /Nothing can be done for the account as it is/],
  ] as const)('of those on an account with %s says what to do, and leads there', async (why, help) => {
    steward({ unrouted: [unrouted(why, 'wx02')] });
    await send();
    const alert = (await screen.findByText(help)).closest<HTMLElement>('[role=alert]');
    expect(await within(alert ?? document.body).findByRole('link', { name: 'Jasmine' })).toHaveAttribute(
      'href',
      '/tenants/t1/accounts/wx02/blacklist',
    );
  });

  test('is sent again under the same Idempotency-Key when no answer came', async () => {
    const fake = steward({}, { [block]: noAnswer });
    const { user } = await send();
    expect(await screen.findByText(/Steward cannot be reached/)).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Block 2 people' }));
    await waitFor(() => expect(fake.callsTo(block)).toHaveLength(2));
    const [first, second] = fake.callsTo(block).map(({ headers }) => headers.get('Idempotency-Key'));
    expect(second).toBe(first);
  });

  test('that is refused keeps what was pasted', async () => {
    steward({}, { [block]: refuse(409, 'idempotency-key-reused') });
    await send('oAlice');
    expect(await screen.findByText('Detail of idempotency-key-reused.')).toBeVisible();
    expect(screen.getByLabelText('OpenIDs', { selector: 'textarea' })).toHaveValue('oAlice');
  });

  test('is not offered to a key that may only read', async () => {
    steward({}, { 'GET /v1/me': { ...platform, scopes: ['authorizers:read', 'blacklist:read'] } });
    const { user } = open(place);
    await user.click(await screen.findByLabelText('OpenIDs', { selector: 'textarea' }));
    await user.paste('oAlice');
    expect(await screen.findByRole('button', { name: 'Block 1 person' })).toBeDisabled();
  });
});

test('Unblocking without naming an account asks for no end', async () => {
  const route = 'POST /v1/tenants/t1/blacklist/unblock';
  const fake = steward({}, { [route]: { batches: [aBatch({ action: 'unblock', counts })], unrouted: [] } });
  const { user, history } = open(place);
  await user.click(await screen.findByRole('radio', { name: 'Unblock' }));
  expect(history.location.href).toBe(`${place}?action=unblock`);
  expect(screen.queryByLabelText('Ends on')).toBeNull();
  await user.click(screen.getByLabelText('OpenIDs', { selector: 'textarea' }));
  await user.paste('oAlice');
  await user.click(await screen.findByRole('button', { name: 'Unblock 1 person' }));
  await waitFor(() => expect(fake.callsTo(route)[0]?.body).toEqual({ openids: ['oAlice'] }));
});
