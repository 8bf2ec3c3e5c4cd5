import { screen, waitFor } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import { aList, page, platform, tenant } from '../testing/facts';
import { dialogOf, open } from '../testing/open';
import { FakeSteward, refuse } from '../testing/steward';

const place = '/tenants/t1/lists';
const api = '/v1/tenants/t1/lists';

function steward(routes: ConstructorParameters<typeof FakeSteward>[0] = {}) {
  return new FakeSteward({
    'GET /v1/me': platform,
    'GET /v1/tenants': page(tenant),
    [`GET ${api}`]: page(aList({ working: true }), aList({ id: 'l2', name: 'Fraud', persons: 1_200 })),
    [`GET ${api}/l3`]: { list: aList({ id: 'l3', name: 'Bots', persons: 0 }), accounts: [] },
    [`GET ${api}/l3/persons`]: page(),
    ...routes,
  });
}

describe('The shared lists', () => {
  test('say how many people are on each, and which is at work', async () => {
    steward();
    open(place);
    expect((await screen.findByRole('link', { name: 'Spammers' })).closest('tr')).toHaveTextContent(/Working.*2.*spam.*ops/);
    expect(screen.getByRole('link', { name: 'Fraud' }).closest('tr')).toHaveTextContent('1,200');
  });

  test('that are none say so', async () => {
    steward({ [`GET ${api}`]: page() });
    open(place);
    expect(await screen.findByText('There are no shared lists yet.')).toBeVisible();
  });

  test('that cannot be read say why', async () => {
    steward({ [`GET ${api}`]: refuse(403, 'scope-missing') });
    open(place);
    expect(await screen.findByText('Detail of scope-missing.')).toBeVisible();
  });

  test('are turned over page by page', async () => {
    const fake = steward({ [`GET ${api}`]: { ...page(aList()), next_cursor: 'c2' } });
    const { user } = open(place);
    await user.click(await screen.findByRole('button', { name: 'Next' }));
    await waitFor(() => expect(fake.callsTo(`GET ${api}`).at(-1)?.query).toMatchObject({ cursor: 'c2' }));
  });
});

describe('A new list', () => {
  test('is made with a name and a reason, and shown', async () => {
    const fake = steward({ [`POST ${api}`]: aList({ id: 'l3', name: 'Bots', persons: 0 }) });
    const { user, history } = open(place);
    await user.click(await screen.findByRole('button', { name: 'New list' }));
    await user.type(await screen.findByLabelText('Name'), ' Bots ');
    await user.type(screen.getByLabelText('Reason'), 'automated');
    await user.click(screen.getByRole('button', { name: 'Make the list' }));
    expect(await screen.findByRole('heading', { name: 'Bots Shared list' })).toBeVisible();
    expect(history.location.pathname).toBe(`${place}/l3`);
    expect(fake.callsTo(`POST ${api}`)[0]?.body).toEqual({ name: 'Bots', reason: 'automated' });
  });

  test('whose name another has says so, and keeps what was typed', async () => {
    steward({ [`POST ${api}`]: refuse(409, 'list-name-taken') });
    const { user } = open(place);
    await user.click(await screen.findByRole('button', { name: 'New list' }));
    await user.type(await screen.findByLabelText('Name'), 'Fraud{Enter}');
    const problem = await screen.findByText('Detail of list-name-taken.');
    expect(dialogOf(problem)).toBeVisible();
    expect(screen.getByLabelText('Name')).toHaveValue('Fraud');
  });

  test('is not offered to a key that may only read', async () => {
    steward({ 'GET /v1/me': { ...platform, scopes: ['blacklist:read'] } });
    open(place);
    expect(await screen.findByRole('button', { name: 'New list' })).toBeDisabled();
  });
});
