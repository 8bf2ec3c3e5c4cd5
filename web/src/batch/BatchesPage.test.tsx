import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import type { Batch } from '../client';
import { aBatch, aList, anAccount, anItem, page, platform, tenant } from '../testing/facts';
import { dialogOf, open } from '../testing/open';
import { savedFiles } from '../testing/saved';
import { FakeSteward, file, noAnswer, refuse } from '../testing/steward';

const ofTenant = '/tenants/t1/batches';
const ofAccount = '/tenants/t1/accounts/wx01/batches';
const list = 'GET /v1/tenants/t1/batches';
const paused = {
  status: 'paused',
  pause_reason: 'Paused by ops (platform_key): wrong: list',
  paused_at: '2026-01-02T00:00:00Z',
  paused_by: 'ops (platform_key)',
} as const;
const none = { total: 0, pending: 0, done: 0, already: 0, failed: 0, superseded: 0, cancelled: 0, skipped: 0 };

function steward(routes: ConstructorParameters<typeof FakeSteward>[0] = {}) {
  return new FakeSteward({
    'GET /v1/me': platform,
    'GET /v1/tenants': page(tenant),
    'GET /v1/tenants/t1/authorizers/wx01': anAccount(),
    [list]: page(aBatch()),
    ...routes,
  });
}

/** A Steward that has this batch, b1 unless it has another id. */
function stewardWith(values: Partial<Batch>, routes: ConstructorParameters<typeof FakeSteward>[0] = {}) {
  const batch = aBatch(values);
  return steward({
    [list]: page(batch),
    [`${list}/${batch.id}`]: batch,
    [`${list}/${batch.id}/items`]: page(anItem()),
    ...routes,
  });
}

/** Opens the dialog that a button of the batch leads to. */
async function ask(user: ReturnType<typeof open>['user'], button: string | RegExp, title: string): Promise<HTMLElement> {
  await user.click(await screen.findByRole('button', { name: button }));
  return dialogOf(await screen.findByText(title));
}

describe('The batches', () => {
  test('of an account show what was asked for, by whom, why, and what came of it', async () => {
    const fake = steward({
      [list]: page(
        aBatch({ action: 'unblock', reason: 'apologised', counts: { ...none, total: 1_203, done: 1_200, failed: 2, skipped: 1 } }),
        aBatch({ id: 'b2', status: 'paused', undo_of: 'b0' }),
      ),
    });
    open(ofAccount);
    const row = (await screen.findByText('apologised')).closest('tr');
    expect(row).toHaveTextContent(/Unblock.*Ended.*1,202 openids.*Done 1,200.*Failed 2.*apologised.*ops.*ago/);
    expect(screen.getByText('Paused').closest('tr')).toHaveTextContent(/Block.*Paused.*Undo/);
    expect(fake.callsTo(list)[0]?.query).toMatchObject({ appid: 'wx01' });
    expect(screen.getByRole('heading', { name: 'Lotus Batches' })).toBeVisible();
  });

  test('of a tenant name the account of each', async () => {
    const fake = steward();
    open(ofTenant);
    expect(await screen.findByRole('link', { name: 'wx01' })).toHaveAttribute('href', ofAccount);
    expect(fake.callsTo(list)[0]?.query).not.toHaveProperty('appid');
  });

  test('of nobody say so', async () => {
    steward({ [list]: page() });
    open(ofTenant);
    expect(await screen.findByText('Nobody has asked for anything yet.')).toBeVisible();
  });

  test('that cannot be read say why', async () => {
    steward({ [list]: refuse(403, 'scope-missing') });
    open(ofTenant);
    expect(await screen.findByText('Detail of scope-missing.')).toBeVisible();
  });

  test('are paged', async () => {
    const fake = steward({ [list]: { ...page(aBatch()), next_cursor: 'c2' } });
    const { user, history } = open(ofAccount);
    await user.click(await screen.findByRole('button', { name: 'Next' }));
    await waitFor(() => expect(fake.callsTo(list).at(-1)?.query).toMatchObject({ cursor: 'c2' }));
    expect(history.location.href).toBe(`${ofAccount}?cursor=c2`);
  });

  test('open beside the list', async () => {
    stewardWith({ reason: 'spam wave' });
    const { user, history } = open(ofAccount);
    await user.click(await screen.findByRole('button', { name: /^Show the batch of/ }));
    expect(await screen.findByText('Batch: block')).toBeVisible();
    expect(history.location.href).toBe(`${ofAccount}?batch=b1`);
  });
});

describe('A batch', () => {
  test('under way is cancelled once that is confirmed', async () => {
    const route = 'POST /v1/tenants/t1/batches/b1/cancel';
    const counts = { ...none, total: 5, pending: 2, done: 3 };
    const fake = stewardWith({ status: 'running', counts });
    const { user } = open(`${ofAccount}?batch=b1`);
    const dialog = await ask(user, 'Cancel the batch…', 'Cancel this batch?');
    expect(dialog).toHaveTextContent(/2 openids that WeChat has not answered are withdrawn.*3 that are done stay done/);
    expect(fake.callsTo(route)).toHaveLength(0);
    const cancelled = aBatch({ status: 'cancelled', counts: { ...counts, pending: 0, cancelled: 2 } });
    fake.on(route, () => {
      fake.on(`${list}/b1`, cancelled);
      return cancelled;
    });
    await user.click(within(dialog).getByRole('button', { name: 'Cancel the batch' }));
    await waitFor(() => expect(screen.queryByRole('button', { name: 'Cancel the batch…' })).toBeNull());
    expect(fake.callsTo(route)).toHaveLength(1);
  });

  test('under way is paused for a reason, and says by whom and why', async () => {
    const route = 'POST /v1/tenants/t1/batches/b1/pause';
    const running = { status: 'running', counts: { ...none, total: 1_005, pending: 1_002, done: 3 } } as const;
    const fake = stewardWith(running);
    const { user } = open(`${ofAccount}?batch=b1`);
    const dialog = await ask(user, 'Pause…', 'Pause this batch?');
    expect(dialog).toHaveTextContent(/1,002 openids that WeChat has not answered wait until somebody resumes/);
    await user.type(within(dialog).getByLabelText('Reason'), 'wrong');
    fake.on(route, () => {
      const batch = aBatch({ ...running, ...paused });
      fake.on(`${list}/b1`, batch);
      return batch;
    });
    await user.click(within(dialog).getByRole('button', { name: 'Pause the batch' }));
    const alert = (await screen.findByText(/Somebody has paused this batch/)).closest('[role=alert]');
    expect(alert).toHaveTextContent(/Byops.*Since.*ago.*Reasonwrong: list$/);
    expect(fake.callsTo(route)[0]?.body).toEqual({ reason: 'wrong' });
  });

  test('of blocks says before it is paused that what ends meanwhile is withdrawn', async () => {
    stewardWith({ status: 'running' });
    const { user } = open(`${ofAccount}?batch=b1`);
    expect(await ask(user, 'Pause…', 'Pause this batch?')).toHaveTextContent('Whose block would end before that is withdrawn.');
  });

  test('that somebody has paused is resumed once that is confirmed', async () => {
    const route = 'POST /v1/tenants/t1/batches/b1/resume';
    const counts = { ...none, total: 5, pending: 5 };
    const fake = stewardWith({ ...paused, counts });
    const { user } = open(`${ofAccount}?batch=b1`);
    const dialog = await ask(user, 'Resume…', 'Resume this batch?');
    expect(fake.callsTo(route)).toHaveLength(0);
    fake.on(route, () => {
      const batch = aBatch({ status: 'running', counts });
      fake.on(`${list}/b1`, batch);
      return batch;
    });
    await user.click(within(dialog).getByRole('button', { name: 'Resume the batch' }));
    expect(await screen.findByRole('button', { name: 'Pause…' })).toBeVisible();
    expect(screen.queryByText(/Somebody has paused this batch/)).toBeNull();
  });

  test('that cannot be paused says why', async () => {
    stewardWith({ status: 'running' }, { 'POST /v1/tenants/t1/batches/b1/pause': refuse(403, 'scope-missing') });
    const { user } = open(`${ofAccount}?batch=b1`);
    const dialog = await ask(user, 'Pause…', 'Pause this batch?');
    await user.click(within(dialog).getByRole('button', { name: 'Pause the batch' }));
    expect(await within(dialog).findByText('Detail of scope-missing.')).toBeVisible();
  });

  test('has its failures tried again by another, which is shown then', async () => {
    const route = 'POST /v1/tenants/t1/batches/b1/retry';
    const sequel = aBatch({ id: 'b2', retry_of: 'b1' });
    const fake = stewardWith(
      { counts: { ...none, total: 3, done: 1, failed: 2 } },
      { [route]: sequel, [`${list}/b2`]: sequel, [`${list}/b2/items`]: page() },
    );
    const { user, history } = open(`${ofAccount}?batch=b1`);
    const dialog = await ask(user, 'Retry 2 failed…', 'Try again what failed?');
    await user.click(within(dialog).getByRole('button', { name: 'Try again' }));
    await waitFor(() => expect(history.location.href).toBe(`${ofAccount}?batch=b2`));
    expect(fake.callsTo(route)[0]?.headers.get('Idempotency-Key')).toMatch(/^console-/);
    await user.click(await screen.findByRole('button', { name: 'Show that batch' }));
    expect(history.location.href).toBe(`${ofAccount}?batch=b1`);
  });

  test('is undone for a reason', async () => {
    const route = 'POST /v1/tenants/t1/batches/b1/undo';
    const sequel = aBatch({ id: 'b2', action: 'unblock', undo_of: 'b1' });
    const fake = stewardWith(
      { counts: { ...none, total: 1_001, done: 1_000, already: 1 } },
      { [route]: sequel, [`${list}/b2`]: sequel, [`${list}/b2/items`]: page() },
    );
    const { user, history } = open(`${ofAccount}?batch=b1`);
    const dialog = await ask(user, 'Undo…', 'Undo this batch?');
    expect(dialog).toHaveTextContent(/unblocks the 1,000 people whom this one blocked.*1 that was so before stays/);
    await user.type(within(dialog).getByLabelText('Reason'), 'wrong list');
    await user.click(within(dialog).getByRole('button', { name: 'Undo the batch' }));
    await waitFor(() => expect(history.location.href).toBe(`${ofAccount}?batch=b2`));
    expect(fake.callsTo(route)[0]?.body).toEqual({ reason: 'wrong list' });
  });

  test('is undone once, however often it is asked for without an answer', async () => {
    const route = 'POST /v1/tenants/t1/batches/b1/undo';
    const fake = stewardWith({ counts: { ...none, total: 1, done: 1 } }, { [route]: noAnswer });
    const { user } = open(`${ofAccount}?batch=b1`);
    const dialog = await ask(user, 'Undo…', 'Undo this batch?');
    await user.click(within(dialog).getByRole('button', { name: 'Undo the batch' }));
    await within(dialog).findByText(/Steward cannot be reached/);
    await user.click(within(dialog).getByRole('button', { name: 'Undo the batch' }));
    await waitFor(() => expect(fake.callsTo(route)).toHaveLength(2));
    const [first, second] = fake.callsTo(route).map(({ headers }) => headers.get('Idempotency-Key'));
    expect(second).toBe(first);
  });

  test('that cannot be undone any more says why', async () => {
    stewardWith({ counts: { ...none, total: 1, done: 1 } }, { 'POST /v1/tenants/t1/batches/b1/undo': refuse(409, 'nothing-to-undo') });
    const { user } = open(`${ofAccount}?batch=b1`);
    const dialog = await ask(user, 'Undo…', 'Undo this batch?');
    await user.click(within(dialog).getByRole('button', { name: 'Undo the batch' }));
    expect(await within(dialog).findByText('Detail of nothing-to-undo.')).toBeVisible();
  });

  test('offers only what can be done about it', async () => {
    stewardWith({ counts: { ...none, total: 2, already: 2 } });
    open(`${ofAccount}?batch=b1`);
    await screen.findByText('2 of 2 succeeded, 0 failed');
    expect(screen.queryByRole('button', { name: /^(Cancel|Pause|Resume|Retry|Undo)/ })).toBeNull();
  });

  test('is left alone by a key that may only read', async () => {
    stewardWith(
      { counts: { ...none, total: 1, done: 1 } },
      { 'GET /v1/me': { ...platform, scopes: ['blacklist:read', 'authorizers:read'] } },
    );
    open(`${ofAccount}?batch=b1`);
    expect(await screen.findByRole('button', { name: 'Undo…' })).toBeDisabled();
  });

  test('leads to the shared list that asked for it', async () => {
    stewardWith({ list_id: 'l1' }, { 'GET /v1/tenants/t1/lists/l1': { list: aList(), accounts: [] } });
    open(`${ofAccount}?batch=b1`);
    expect(await screen.findByRole('link', { name: 'Spammers' })).toHaveAttribute('href', '/tenants/t1/lists/l1');
  });

  test('says of a shared list that is gone that it was deleted', async () => {
    stewardWith({ list_id: 'l1' }, { 'GET /v1/tenants/t1/lists/l1': refuse(404, 'not-found') });
    open(`${ofAccount}?batch=b1`);
    expect(await screen.findByText('One that has been deleted')).toBeVisible();
  });

  test('shows what was noted about all of it', async () => {
    stewardWith({ note: 'Three complaints in May.' });
    open(`${ofAccount}?batch=b1`);
    expect(await screen.findByText('Three complaints in May.')).toBeVisible();
  });

  test('shows the reason and the note that an openid has of its own', async () => {
    const words = { reason: 'spam', note: 'From the spring audit.' };
    stewardWith(words, {
      [`${list}/b1/items`]: page(anItem(words), anItem({ ...words, openid: 'oBob', reason: 'insults', note: 'See ticket 4711.' })),
    });
    open(`${ofAccount}?batch=b1`);
    expect((await screen.findByText('oBob')).closest('tr')).toHaveTextContent(/insults.*See ticket 4711\./);
    expect(screen.getByText('oAlice').closest('tr')).not.toHaveTextContent(/spam|audit/);
  });

  test('is exported as its outcomes are filtered', async () => {
    const saved = savedFiles();
    const route = `${list}/b1/items/export`;
    const fake = stewardWith(
      { counts: { ...none, total: 2, done: 1, failed: 1 } },
      { [route]: file('batch-b1.csv', 'openid,outcome\r\n') },
    );
    const { user } = open(`${ofAccount}?batch=b1`);
    await user.click(await screen.findByRole('radio', { name: 'Failed 1' }));
    await user.click(screen.getByRole('button', { name: 'Export the openids as filtered' }));
    await user.click(await screen.findByText('CSV for Excel'));
    await waitFor(() => expect(saved.map(({ name }) => name)).toEqual(['batch-b1.csv']));
    expect(fake.callsTo(route)[0]?.query).toEqual({ format: 'csv', bom: 'true', outcome: 'failed' });
  });
});
