import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import type { Preview } from '../client';
import { anAccount, page, platform, tenant } from '../testing/facts';
import { open } from '../testing/open';
import { FakeSteward, refuse } from '../testing/steward';

const place = '/tenants/t1/accounts/wx01/blacklist';
const api = '/v1/tenants/t1/authorizers/wx01';
const block = `POST ${api}/blacklist/block`;
const none = {
  total: 0,
  would_change: 0,
  already: 0,
  unknown: 0,
  pending_other: 0,
  belongs_elsewhere: 0,
  malformed: 0,
  duplicates: 0,
  blank: 0,
};

function aPreview(values: Partial<Preview> = {}): Preview {
  return { dry_run: true, action: 'block', authorizer_appid: 'wx01', counts: none, elsewhere: [], malformed: [], ...values };
}

function steward(routes: ConstructorParameters<typeof FakeSteward>[0] = {}) {
  return new FakeSteward({
    'GET /v1/me': platform,
    'GET /v1/tenants': page(tenant),
    [`GET ${api}`]: anAccount(),
    'GET /v1/tenants/t1/authorizers/wx02': anAccount({ appid: 'wx02', nick_name: 'Harbour' }),
    'GET /v1/tenants/t1/batches': page(),
    [`GET ${api}/blacklist`]: { ...page(), total: 0, synced_at: null },
    ...routes,
  });
}

/** Pastes into the drawer and asks what would happen. */
async function check(user: ReturnType<typeof open>['user'], text: string): Promise<HTMLElement> {
  await user.click(await screen.findByRole('button', { name: 'Block…' }));
  await user.click(await screen.findByLabelText('OpenIDs'));
  await user.paste(text);
  const form = await screen.findByRole('dialog');
  await waitFor(() => expect(within(form).getByRole('button', { name: 'Check first' })).toBeEnabled());
  await user.click(within(form).getByRole('button', { name: 'Check first' }));
  return form;
}

describe('Checking a wish first', () => {
  test('tells what would change, and does nothing', async () => {
    const counts = { ...none, total: 1_210, would_change: 1_200, already: 3, unknown: 5, pending_other: 1, duplicates: 1 };
    const fake = steward({ [block]: aPreview({ counts }) });
    const { user, history } = open(place);
    const form = await check(user, 'oAlice oBob');
    const told = (await within(form).findByText('1,200 people would be newly blocked')).closest('[role=status]');
    expect(told).toHaveTextContent(/would be blocked1,200.*Blocked already3.*Unknown here.*5.*superseded1.*Duplicates, skipped1/);
    expect(told).not.toHaveTextContent('Blank');
    expect(fake.callsTo(block).map(({ body }) => body)).toEqual([{ openids: ['oAlice', 'oBob'], dry_run: true }]);
    expect(history.location.href).toBe(place);
  });

  test('names the accounts that openids belong to in truth', async () => {
    steward({
      [block]: aPreview({ counts: { ...none, total: 2, belongs_elsewhere: 2 }, elsewhere: [{ openid: 'oLost', appid: 'wx02' }] }),
    });
    const { user } = open(place);
    const form = await check(user, 'oLost');
    const told = (await within(form).findByText('These belong to other accounts:')).parentElement;
    await waitFor(() => expect(told).toHaveTextContent(/Harbour wx02.*oLost.*… and 1 more/));
  });

  test('names what is no openid by its place', async () => {
    steward({ [block]: aPreview({ counts: { ...none, total: 2, malformed: 1 }, malformed: [{ index: 1, beginning: '张三' }] }) });
    const { user } = open(place);
    const form = await check(user, 'oAlice 张三');
    expect((await within(form).findByText('张三', { selector: '.small code' })).closest('li')).toHaveTextContent('No. 2: 张三');
  });

  test('is about what was pasted then: once that changes, it is gone', async () => {
    steward({ [block]: aPreview({ counts: { ...none, total: 1, would_change: 1 } }) });
    const { user } = open(place);
    const form = await check(user, 'oAlice');
    await within(form).findByText('1 person would be newly blocked');
    await user.type(within(form).getByLabelText('OpenIDs'), ' oBob');
    expect(within(form).queryByText('1 person would be newly blocked')).toBeNull();
  });

  test('that is refused says why', async () => {
    steward({ [block]: refuse(409, 'account-not-active') });
    const { user } = open(place);
    const form = await check(user, 'oAlice');
    expect(await within(form).findByText('Detail of account-not-active.')).toBeVisible();
  });
});
