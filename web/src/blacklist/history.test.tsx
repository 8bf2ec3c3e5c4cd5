import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import type { HistoryEvent } from '../client';
import { aBatch, aList, anAccount, anEntry, page, platform, tenant } from '../testing/facts';
import { open } from '../testing/open';
import { FakeSteward, refuse } from '../testing/steward';

const place = '/tenants/t1/accounts/wx01/blacklist';
const api = '/v1/tenants/t1/authorizers/wx01';
const list = `GET ${api}/blacklist`;

function anEvent(values: Partial<HistoryEvent> = {}): HistoryEvent {
  return {
    at: '2026-01-02T00:00:00Z',
    action: 'block',
    outcome: 'done',
    reason: 'spam',
    until: null,
    by: 'lotus-crm (tenant_key)',
    batch_id: 'b0',
    list_id: null,
    errcode: null,
    rid: '',
    advice: '',
    ended_at: '2026-01-02T00:00:05Z',
    ...values,
  };
}

function steward(routes: ConstructorParameters<typeof FakeSteward>[0] = {}) {
  return new FakeSteward({
    'GET /v1/me': platform,
    'GET /v1/tenants': page(tenant),
    [`GET ${api}`]: anAccount(),
    'GET /v1/tenants/t1/batches': page(),
    [list]: { ...page(anEntry()), total: 1, synced_at: null },
    ...routes,
  });
}

describe('The filters of the list', () => {
  test('for reason, who, wish and state go through the address', async () => {
    const fake = steward();
    const { user, history } = open(place);
    await user.click(await screen.findByRole('button', { name: 'More filters' }));
    await user.type(screen.getByRole('textbox', { name: 'Reason contains' }), 'spam{Enter}');
    await user.type(screen.getByRole('textbox', { name: 'Asked by' }), 'shop{Enter}');
    await user.click(screen.getByRole('combobox', { name: 'State' }));
    await user.click(await screen.findByTitle('Refused by WeChat'));
    await user.click(screen.getByRole('combobox', { name: 'Wanted' }));
    await user.click(await screen.findByTitle('Wanted: blocked'));
    await waitFor(() =>
      expect(fake.callsTo(list).at(-1)?.query).toEqual({
        actual: 'blocked',
        reason: 'spam',
        by: 'shop',
        want: 'blocked',
        failed: 'true',
        limit: '50',
      }),
    );
    expect(history.location.search).toBe('?reason=spam&by=shop&state=failed&want=blocked');
  });

  test('are in sight where a link has set one, and cleared together', async () => {
    const fake = steward();
    const { user, history } = open(`${place}?state=pending&by=shop`);
    await user.click(await screen.findByRole('button', { name: 'Clear the filters' }));
    await waitFor(() => expect(history.location.href).toBe(place));
    expect(fake.callsTo(list)[0]?.query).toMatchObject({ pending: 'true', by: 'shop' });
    expect(screen.getByRole('button', { name: 'More filters' })).toBeVisible();
  });

  test('that are too wide say so', async () => {
    steward({ [list]: refuse(422, 'search-too-wide') });
    open(`${place}?reason=spam`);
    expect(await screen.findByText('Detail of search-too-wide.')).toBeVisible();
  });
});

describe('The history of an openid', () => {
  const route = `GET ${api}/blacklist/oAlice/history`;

  test('tells who asked for what, why, and what came of it', async () => {
    steward({
      [route]: page(
        anEvent({ action: 'unblock', reason: 'apologised', outcome: 'failed', errcode: 49003, rid: 'rid-9', advice: 'Ask the merchant.' }),
        anEvent(),
      ),
    });
    const { user, history } = open(place);
    await user.click(await screen.findByRole('button', { name: 'History of oAlice' }));
    expect(history.location.href).toBe(`${place}?history=oAlice`);
    const [newest, first] = await within(await screen.findByRole('dialog')).findAllByRole('listitem');
    expect(newest).toHaveTextContent(/Unblock.*Failed.*lotus-crm.*apologised.*49003.*Ask the merchant\..*rid-9/);
    expect(first).toHaveTextContent(/Block.*Done.*lotus-crm.*spam/);
  });

  test('tells what was noted', async () => {
    steward({ [route]: page(anEvent({ note: 'Three complaints in May.' })) });
    open(`${place}?history=oAlice`);
    expect(await screen.findByText('Three complaints in May.')).toBeVisible();
  });

  test('leads to the shared list that asked for it', async () => {
    steward({
      [route]: page(anEvent({ list_id: 'l1' })),
      'GET /v1/tenants/t1/lists/l1': { list: aList(), accounts: [] },
    });
    open(`${place}?history=oAlice`);
    expect(await screen.findByRole('link', { name: 'Spammers' })).toHaveAttribute('href', '/tenants/t1/lists/l1');
  });

  test('leads to the batch', async () => {
    steward({
      [route]: page(anEvent()),
      'GET /v1/tenants/t1/batches/b0': aBatch({ id: 'b0' }),
      'GET /v1/tenants/t1/batches/b0/items': page(),
    });
    const { user, history } = open(`${place}?history=oAlice`);
    await user.click(await screen.findByRole('button', { name: /^Show the batch of/ }));
    await waitFor(() => expect(history.location.href).toBe(`${place}?batch=b0`));
  });

  test('of nothing says so', async () => {
    steward({ [route]: page() });
    open(`${place}?history=oAlice`);
    expect(await screen.findByText('Nobody has asked for anything about this openid.')).toBeVisible();
  });

  test('that cannot be read says why', async () => {
    steward({ [route]: refuse(403, 'scope-missing') });
    open(`${place}?history=oAlice`);
    expect(await screen.findByText('Detail of scope-missing.')).toBeVisible();
  });
});
