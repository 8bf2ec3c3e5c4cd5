import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import { aBatch, anAccount, anEntry, anItem, page, platform, tenant } from '../testing/facts';
import { dialogOf, open } from '../testing/open';
import { FakeSteward, refuse } from '../testing/steward';

const place = '/tenants/t1/accounts/wx01/drift';
const api = '/v1/tenants/t1/authorizers/wx01/blacklist';
const byHand = anEntry({ openid: 'oBob', want: null, reason: '', wanted_by: '', wanted_at: null, batch_id: null });

function steward(routes: ConstructorParameters<typeof FakeSteward>[0] = {}) {
  return new FakeSteward({
    'GET /v1/me': platform,
    'GET /v1/tenants': page(tenant),
    'GET /v1/tenants/t1/authorizers/wx01': anAccount(),
    [`GET ${api}`]: { ...page(anEntry({ actual: 'unblocked' }), byHand), total: 2_300, synced_at: '2026-01-01T00:00:00Z' },
    'GET /v1/tenants/t1/batches/b1': aBatch(),
    'GET /v1/tenants/t1/batches/b1/items': page(anItem()),
    ...routes,
  });
}

describe('What was changed outside', () => {
  test('is shown beside what was wanted here', async () => {
    const fake = steward();
    open(place);
    const row = async (openid: string) => (await screen.findByText(openid)).closest('tr');
    expect(await row('oAlice')).toHaveTextContent(/Unblocked outside.*ago.*Blocked.*spam.*lotus-crm/);
    expect(await row('oBob')).toHaveTextContent(/Blocked outside.*ago.*nothing asked/);
    expect(fake.callsTo(`GET ${api}`)[0]?.query).toMatchObject({ drift: 'any' });
  });

  test('is filtered through the address', async () => {
    const fake = steward();
    const { user, history } = open(place);
    await user.click(await screen.findByRole('radio', { name: 'Blocked outside' }));
    await waitFor(() => expect(fake.callsTo(`GET ${api}`).at(-1)?.query).toMatchObject({ drift: 'blocked_outside' }));
    expect(history.location.href).toBe(`${place}?drift=blocked_outside`);
  });

  test('that is nothing says so, and offers no remedy', async () => {
    steward({ [`GET ${api}`]: { ...page(), total: 0, synced_at: null } });
    open(place);
    expect(await screen.findByText('WeChat’s list is as it was asked for here.')).toBeVisible();
    expect(screen.getByRole('button', { name: 'Adopt all…' })).toBeDisabled();
  });

  test('that cannot be read says why', async () => {
    steward({ [`GET ${api}`]: refuse(403, 'scope-missing') });
    open(place);
    expect(await screen.findByText('Detail of scope-missing.')).toBeVisible();
  });

  test('is not adopted as if all of it had been counted', async () => {
    const many = { ...page(byHand), total: 10_000, total_is_at_least: true, synced_at: '2026-01-01T00:00:00Z' };
    steward({ [`GET ${api}`]: many });
    const { user } = open(place);
    await screen.findByText('more than 10,000 openids');
    await user.click(screen.getByRole('button', { name: 'Adopt all…' }));
    const dialog = dialogOf(await screen.findByText('Adopt what was done outside?'));
    expect(dialog).toHaveTextContent('More than 10,000 entries want from now on what is the case at WeChat');
  });

  test('is adopted as a whole', async () => {
    const fake = steward({ [`POST ${api}/adopt`]: { adopted: 2_300 } });
    const { user } = open(place);
    await screen.findByText('oAlice');
    await user.click(screen.getByRole('button', { name: 'Adopt all…' }));
    const dialog = dialogOf(await screen.findByText('Adopt what was done outside?'));
    expect(dialog).toHaveTextContent('2,300 entries want from now on what is the case at WeChat');
    await user.type(within(dialog).getByLabelText('Reason'), 'agreed');
    await user.click(within(dialog).getByRole('button', { name: 'Adopt' }));
    expect(await screen.findByText('2,300 entries adopted.')).toBeVisible();
    expect(fake.callsTo(`POST ${api}/adopt`)[0]?.body).toEqual({ drift: 'any', reason: 'agreed' });
  });

  test('is restored for those selected, and the batch is shown', async () => {
    const fake = steward({ [`POST ${api}/restore`]: { batches: [aBatch()] } });
    const { user, history } = open(place);
    await user.click(await screen.findByRole('checkbox', { name: 'Select oBob' }));
    await user.click(screen.getByRole('button', { name: 'Restore 1…' }));
    const dialog = dialogOf(await screen.findByText('Restore what is wanted here?'));
    expect(dialog).toHaveTextContent('Those whom the merchant blocked by hand are unblocked too');
    await user.click(within(dialog).getByRole('button', { name: 'Restore' }));
    await waitFor(() => expect(history.location.href).toBe(`${place}?batch=b1`));
    expect(fake.callsTo(`POST ${api}/restore`)[0]?.body).toEqual({ drift: 'any', openids: ['oBob'] });
  });

  test('that is all the merchant’s own has nothing to restore as a whole', async () => {
    steward({ [`POST ${api}/restore`]: { batches: [] } });
    const { user } = open(place);
    await screen.findByText('oAlice');
    await user.click(screen.getByRole('button', { name: 'Restore all…' }));
    const dialog = dialogOf(await screen.findByText('Restore what is wanted here?'));
    expect(dialog).toHaveTextContent('of whom nobody here ever asked anything stay blocked');
    await user.click(within(dialog).getByRole('button', { name: 'Restore' }));
    expect(await screen.findByText('There was nothing to restore.')).toBeVisible();
  });
});
