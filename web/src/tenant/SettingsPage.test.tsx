import { screen, waitFor } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import { page, platform, tenant, tenantsOwn } from '../testing/facts';
import { open } from '../testing/open';
import { FakeSteward, refuse } from '../testing/steward';

const place = '/tenants/t1/settings';
const name = 'Hand out access tokens';

function steward(routes: ConstructorParameters<typeof FakeSteward>[0] = {}) {
  return new FakeSteward({ 'GET /v1/me': platform, 'GET /v1/tenants': page(tenant), 'GET /v1/tenants/t1': tenant, ...routes });
}

describe('The hand-out of tokens', () => {
  test('is turned on, and the page says what that allows', async () => {
    const fake = steward({ 'PATCH /v1/tenants/t1': { ...tenant, token_handout: true } });
    const { user } = open(place);
    const handout = await screen.findByRole('switch', { name });
    expect(handout).not.toBeChecked();
    expect(handout).toHaveAccessibleDescription(/Lets the tenant’s own systems fetch the access tokens/);
    await user.click(handout);
    await waitFor(() => expect(handout).toBeChecked());
    expect(fake.callsTo('PATCH /v1/tenants/t1')[0]?.body).toEqual({ token_handout: true });
  });

  test('stays as it is when that fails, and the page says why', async () => {
    steward({ 'PATCH /v1/tenants/t1': refuse(500, 'internal') });
    const { user } = open(place);
    await user.click(await screen.findByRole('switch', { name }));
    expect(await screen.findByRole('alert')).toHaveTextContent('Detail of internal.');
    expect(screen.getByRole('switch', { name })).not.toBeChecked();
  });

  test("is not changed with a tenant's own key", async () => {
    steward({ 'GET /v1/me': tenantsOwn });
    open(place);
    expect(await screen.findByRole('switch', { name })).toBeDisabled();
  });
});
