import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import i18n from '../i18n';
import { aBatch, anAccount, anEntry, anItem, page, platform, tenant } from '../testing/facts';
import { dialogOf, open } from '../testing/open';
import { savedFiles } from '../testing/saved';
import { FakeSteward, file, noAnswer, refuse } from '../testing/steward';

const place = '/tenants/t1/accounts/wx01/blacklist';
const api = '/v1/tenants/t1/authorizers/wx01';
const block = `POST ${api}/blacklist/block`;
const csv = (text: string, name = 'people.csv') => new File([text], name, { type: 'text/csv' });

function steward(routes: ConstructorParameters<typeof FakeSteward>[0] = {}) {
  return new FakeSteward({
    'GET /v1/me': platform,
    'GET /v1/tenants': page(tenant),
    [`GET ${api}`]: anAccount(),
    'GET /v1/tenants/t1/batches': page(),
    [`GET ${api}/blacklist`]: { ...page(anEntry()), total: 1, synced_at: null },
    'GET /v1/tenants/t1/batches/b1': aBatch(),
    'GET /v1/tenants/t1/batches/b1/items': page(anItem()),
    ...routes,
  });
}

type User = ReturnType<typeof open>['user'];

/** Opens the drawer and chooses a file. */
async function choose(user: User, chosen: File): Promise<HTMLElement> {
  await user.click(await screen.findByRole('button', { name: 'Import…' }));
  const drawer = dialogOf(await screen.findByText('Import a file for Lotus'));
  const input = drawer.querySelector<HTMLInputElement>('input[type=file]');
  if (!input) throw new Error('no field for a file');
  await user.upload(input, chosen);
  return drawer;
}

describe('Importing a file', () => {
  test('sends it as it is, with the reason, and shows the batch', async () => {
    const fake = steward({ [block]: aBatch() });
    const { user, history } = open(place);
    const drawer = await choose(user, csv('openid,reason\noAlice,spam\n'));
    expect(await within(drawer).findByText('people.csv')).toBeVisible();
    await user.type(within(drawer).getByLabelText('Reason'), 'spring cleaning');
    await user.click(within(drawer).getByRole('button', { name: 'Import and block' }));
    await waitFor(() => expect(history.location.href).toBe(`${place}?batch=b1`));
    const sent = fake.callsTo(block)[0];
    expect(sent?.body).toBe('openid,reason\noAlice,spam\n');
    expect(sent?.query).toEqual({ reason: 'spring cleaning' });
    expect(sent?.headers.get('Idempotency-Key')).toMatch(/^console-/);
  });

  test('sends a note with it', async () => {
    const fake = steward({ [block]: aBatch() });
    const { user } = open(place);
    const drawer = await choose(user, csv('oAlice'));
    await user.click(within(drawer).getByLabelText('Note'));
    await user.paste('From the spring audit.');
    await user.click(within(drawer).getByRole('button', { name: 'Import and block' }));
    await waitFor(() => expect(fake.callsTo(block)[0]?.query).toEqual({ note: 'From the spring audit.' }));
  });

  test('unblocks if that is chosen', async () => {
    const fake = steward({ [`POST ${api}/blacklist/unblock`]: aBatch({ action: 'unblock' }) });
    const { user } = open(place);
    const drawer = await choose(user, csv('oAlice'));
    await user.click(within(drawer).getByRole('radio', { name: 'Unblock' }));
    expect(within(drawer).queryByLabelText('Ends on')).toBeNull();
    await user.click(within(drawer).getByRole('button', { name: 'Import and unblock' }));
    await waitFor(() => expect(fake.callsTo(`POST ${api}/blacklist/unblock`)).toHaveLength(1));
  });

  test('with wrong lines names each by its number', async () => {
    steward({
      [block]: refuse(422, 'invalid-file', {
        errors: [
          { pointer: 'line:3', detail: 'has a quotation mark that is not closed, or not doubled' },
          { pointer: 'line:1200', detail: 'is no openid: those have letters, digits, - and _ only, at most 128 of them' },
        ],
      }),
    });
    const { user } = open(place);
    const drawer = await choose(user, csv('oAlice\n"'));
    await user.click(within(drawer).getByRole('button', { name: 'Import and block' }));
    expect(await within(drawer).findByText('Line 3')).toBeVisible();
    expect(within(drawer).getByText('Line 1200').closest('li')).toHaveTextContent('Is no openid');
  });

  test('with wrong lines says so in Chinese too', async () => {
    await i18n.changeLanguage('zh-CN');
    steward({ [block]: refuse(422, 'invalid-file', { errors: [{ pointer: 'line:1', detail: 'holds no openids' }] }) });
    const { user } = open(place);
    await user.click(await screen.findByRole('button', { name: '导入…' }));
    const drawer = dialogOf(await screen.findByText('为「Lotus」导入文件'));
    const input = drawer.querySelector<HTMLInputElement>('input[type=file]');
    await user.upload(input ?? drawer, csv('a,b'));
    await user.click(within(drawer).getByRole('button', { name: '导入并拉黑' }));
    expect((await within(drawer).findByText('第 1 行')).closest('li')).toHaveTextContent('没有任何 OpenID');
  });

  test('is sent again under the same Idempotency-Key when no answer came', async () => {
    const fake = steward({ [block]: noAnswer });
    const { user } = open(place);
    const drawer = await choose(user, csv('oAlice'));
    const send = () => user.click(within(drawer).getByRole('button', { name: 'Import and block' }));
    await send();
    expect(await within(drawer).findByText(/Steward cannot be reached/)).toBeVisible();
    await send();
    await waitFor(() => expect(fake.callsTo(block)).toHaveLength(2));
    const [first, second] = fake.callsTo(block).map(({ headers }) => headers.get('Idempotency-Key'));
    expect(second).toBe(first);
  });

  test('of nothing is not offered', async () => {
    steward();
    const { user } = open(place);
    const drawer = await choose(user, csv(''));
    expect(await within(drawer).findByText('The file is empty.')).toBeVisible();
    expect(within(drawer).getByRole('button', { name: 'Import and block' })).toBeDisabled();
  });

  test('is not offered to a key that may only read', async () => {
    steward({ 'GET /v1/me': { ...platform, scopes: ['authorizers:read', 'blacklist:read'] } });
    open(place);
    expect(await screen.findByRole('button', { name: 'Import…' })).toBeDisabled();
  });
});

describe('Exporting the list', () => {
  const route = `GET ${api}/blacklist/export`;

  async function exportAs(user: User, format: string) {
    await user.click(await screen.findByRole('button', { name: 'Export the list as filtered' }));
    await user.click(await screen.findByText(format));
  }

  test('saves what the filters match, for Excel with a mark', async () => {
    const saved = savedFiles();
    const fake = steward({ [route]: file('blacklist-wx01.csv', 'openid\r\noAlice\r\n') });
    const { user } = open(`${place}?actual=any&q=oA`);
    await exportAs(user, 'CSV for Excel');
    await waitFor(() => expect(saved).toHaveLength(1));
    expect(saved[0]?.name).toBe('blacklist-wx01.csv');
    expect(await saved[0]?.text()).toBe('openid\r\noAlice\r\n');
    expect(fake.callsTo(route)[0]?.query).toEqual({ format: 'csv', bom: 'true', actual: 'any', q: 'oA' });
  });

  test('for programs is NDJSON', async () => {
    const saved = savedFiles();
    const fake = steward({ [route]: file('blacklist-wx01.ndjson', '{}\n') });
    const { user } = open(place);
    await exportAs(user, 'NDJSON, for programs');
    await waitFor(() => expect(saved).toHaveLength(1));
    expect(fake.callsTo(route)[0]?.query).toEqual({ format: 'ndjson', actual: 'blocked' });
  });

  test('that is refused says why, and saves nothing', async () => {
    const saved = savedFiles();
    steward({ [route]: refuse(503, 'busy') });
    const { user } = open(place);
    await exportAs(user, 'CSV for Excel');
    expect(await screen.findByText('Detail of busy.')).toBeVisible();
    expect(saved).toHaveLength(0);
  });
});
