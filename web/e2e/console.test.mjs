// @ts-check
// The console against a real Steward and a simulated WeChat, as somebody uses it. The scenarios build on each other.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { checkAccessible, checkFits, openBrowser, openPage, picture } from './browser.mjs';
import { call, startSteward } from './steward.mjs';
import { workTests } from './work.mjs';

/**
 * @typedef {import('../src/client/types.gen.ts').Tenant} Tenant
 * @typedef {import('../src/client/types.gen.ts').AuthorizerState} State
 * @typedef {{tenant: Tenant, account: import('../src/client/types.gen.ts').Authorizer}} Account
 */

/** What breaks in the demo. */
const alerts = { revoked: 'Authorization taken back', limited: 'Restricted by WeChat' };

/** @type {Record<State, string>} */
const states = { active: 'Active', needs_reauthorization: 'Needs reauthorization', limited: 'Restricted by WeChat', revoked: 'Revoked' };

describe('The console', { timeout: 600_000 }, () => {
  /** @type {import('./steward.mjs').Steward} */
  let steward;
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('playwright-core').Page} */
  let page;
  /** @type {string[]} */
  let troubles;
  /** @type {Account} may be worked on */
  let good;
  /** @type {Account} has not granted the permission set */
  let lacking;
  /** @type {Account} its merchant took the authorization back */
  let lost;
  /** @type {Tenant[]} */
  let tenants;
  /** @type {string[]} */
  let openids;
  /** @type {Set<string>} the appids that some tenant has */
  const known = new Set();

  before(async () => {
    steward = await startSteward();
    browser = await openBrowser();
    ({ data: tenants } = /** @type {import('../src/client/types.gen.ts').TenantPage} */ (await call(steward, 'GET', '/v1/tenants')));
    /** @type {Account[]} */
    const accounts = [];
    for (const tenant of tenants) {
      accounts.push(...(await accountsIn(tenant)).map((account) => ({ tenant, account })));
    }
    for (const { account } of accounts) known.add(account.appid);
    const active = accounts.filter(({ account }) => account.state === 'active');
    const find = (/** @type {boolean} */ may) => {
      const found = active.find(({ account }) => account.can_blacklist === may);
      assert.ok(found, `an active account that ${may ? 'grants' : 'lacks'} the permission set`);
      return found;
    };
    const revoked = accounts.find(({ account }) => account.state === 'revoked');
    assert.ok(revoked, 'an account that was revoked');
    lost = revoked;
    good = find(true);
    lacking = find(false);
    openids = await someoneToBlock();
    ({ page, troubles } = await openPage(browser, steward.url));
  });

  after(async () => {
    await browser?.close();
    await steward?.stop();
  });

  afterEach(() => {
    assert.deepEqual(troubles.splice(0), []);
  });

  /** @param {Tenant} tenant */
  async function accountsIn(tenant) {
    const page = await call(steward, 'GET', `/v1/tenants/${tenant.id}/authorizers`);
    return /** @type {import('../src/client/types.gen.ts').AuthorizerPage} */ (page).data;
  }

  /** Three followers of the good account, known to be unblocked. */
  async function someoneToBlock() {
    const blacklist = `/v1/tenants/${good.tenant.id}/authorizers/${good.account.appid}/blacklist`;
    await call(steward, 'POST', `${blacklist}/pull`, {});
    const page = await call(steward, 'GET', `${blacklist}?actual=blocked&limit=3`);
    const chosen = /** @type {import('../src/client/types.gen.ts').BlacklistPage} */ (page).data.map(({ openid }) => openid);
    assert.equal(chosen.length, 3, 'the demo blocks some followers of its first account');
    const batch = await call(steward, 'POST', `${blacklist}/unblock`, { openids: chosen });
    assert.equal(/** @type {import('../src/client/types.gen.ts').Batch} */ (batch).status, 'done');
    return chosen;
  }

  const accountsOf = (/** @type {Tenant} */ tenant) => `/tenants/${tenant.id}/accounts`;
  const blacklistOf = (/** @type {Account} */ { tenant, account }) => `${accountsOf(tenant)}/${account.appid}/blacklist`;
  const row = (/** @type {string} */ text) => page.locator('tr.ant-table-row', { hasText: text });

  test('refuses a wrong key in words', async () => {
    await page.goto(accountsOf(good.tenant));
    await page.getByLabel('API key').fill('stw_thisisnokey');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').getByText('unknown, revoked or expired').waitFor();
    await checkAccessible(page);
    await picture(page, 'login-refused');
  });

  test('lets a platform key in, to the place that was asked for', async () => {
    await page.getByLabel('API key').fill(steward.key);
    await page.keyboard.press('Enter');
    await page.waitForURL(`**${accountsOf(good.tenant)}`);
    await row(good.account.appid).waitFor();
    const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
    assert.ok(!stored.includes('stw_'), 'the key is stored nowhere that scripts reach');
  });

  test('shows the accounts of every tenant, with their states', async () => {
    for (const tenant of tenants) {
      await page.getByRole('combobox', { name: 'Tenant' }).click();
      await page.keyboard.type(tenant.name);
      await page.keyboard.press('Enter');
      await page.waitForURL(`**${accountsOf(tenant)}`);
      for (const { appid, state } of await accountsIn(tenant)) {
        await row(appid).getByText(states[state], { exact: true }).waitFor();
      }
    }
    await page.goto(accountsOf(lacking.tenant));
    await row(lacking.account.appid).getByText('No user management (2)').waitFor();
    await checkAccessible(page);
    await picture(page, 'accounts');
  });

  test('filters accounts by health', async () => {
    const { tenant, account } = lost;
    await page.goto(accountsOf(tenant));
    await page.getByRole('combobox', { name: 'Health' }).click();
    await page.getByTitle('Broken', { exact: true }).click();
    await page.waitForURL('**?health=broken');
    await row(account.appid).getByText('Broken', { exact: true }).waitFor();
    for (const { appid, health } of await accountsIn(tenant)) {
      if (health.status !== 'broken') await row(appid).waitFor({ state: 'detached' });
    }
  });

  test('renews a token by hand, and says where that does not help', async () => {
    await page.goto(blacklistOf(good));
    await page.getByRole('button', { name: 'Renew now' }).click();
    await page.getByText('The token has been renewed.').waitFor();

    await page.goto(blacklistOf(lost));
    await page.getByRole('button', { name: 'Renew now' }).click();
    await page.getByRole('alert').getByText('Nothing can be done for the account as it is').waitFor();
    await page.getByRole('button', { name: 'Authorize again' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Create link' }).click();
    await page.getByRole('dialog').getByRole('link').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Close', exact: true }).last().click();
    await checkAccessible(page);
    await picture(page, 'account-lost');
  });

  test('shows what has broken, of one tenant and of all', async () => {
    await page.goto(`/tenants/${lost.tenant.id}/accounts`);
    await page.getByRole('link', { name: /^Alerts \d+ open alerts?$/ }).click();
    await row(lost.account.appid).getByText(alerts.revoked).waitFor();
    await page.getByRole('link', { name: /^All alerts/ }).click();
    for (const kind of Object.values(alerts)) await row(kind).first().waitFor();
    await row(lost.account.appid).getByText(lost.tenant.name).waitFor();
    await checkAccessible(page);
    await picture(page, 'alerts');
  });

  test('diagnoses and reconciles a platform', async () => {
    await page.getByRole('link', { name: 'Platform', exact: true }).click();
    await page.getByRole('button', { name: 'Run diagnosis' }).click();
    for (const check of [
      'Callback URL',
      'Tickets',
      'AppSecret',
      'IP whitelist',
      'Access token',
      'Quota',
      'Clocks',
      'Second installation',
    ]) {
      await page.getByText(check, { exact: true }).last().waitFor();
    }
    await page.getByRole('row', { name: 'OK AppSecret' }).waitFor();
    await page.getByRole('button', { name: 'Reconcile now' }).click();
    await row('demo').first().getByText('Done', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Request tickets' }).click();
    await page.getByText('WeChat has been asked').waitFor();
    await checkAccessible(page);
    await picture(page, 'platform');
  });

  test('turns the hand-out of tokens on and off', async () => {
    await page.goto(`/tenants/${good.tenant.id}/settings`);
    const handout = page.getByRole('switch', { name: 'Hand out access tokens' });
    await handout.click();
    await page.getByRole('switch', { checked: true }).waitFor();
    assert.equal(/** @type {Tenant} */ (await call(steward, 'GET', `/v1/tenants/${good.tenant.id}`)).token_handout, true);
    await checkAccessible(page);
    await handout.click();
    await page.getByRole('switch', { checked: false }).waitFor();
    assert.equal(/** @type {Tenant} */ (await call(steward, 'GET', `/v1/tenants/${good.tenant.id}`)).token_handout, false);
  });

  test('blocks pasted openids and shows the outcome of each, live', async () => {
    const bad = 'not-an-openid';
    await page.goto(blacklistOf(good));
    await page.getByRole('button', { name: 'Block…', exact: true }).click();
    await page.getByLabel('OpenIDs').fill([...openids, openids[0], '', bad].join('\n'));
    const form = page.getByRole('dialog');
    await form.getByText('4 openids').waitFor();
    await form.getByText('1 duplicate').waitFor();
    await form.getByText('1 blank').waitFor();
    await form.getByText('These do not look like openids').waitFor();
    await form.getByLabel('Reason').fill('spam in comments');
    await checkAccessible(page);
    await picture(page, 'block');
    await form.getByRole('button', { name: 'Block 4 people' }).click();

    await page.getByText('3 of 4 succeeded, 1 failed').waitFor();
    for (const openid of openids) await row(openid).getByText('Done').waitFor();
    await row(bad).getByText('Failed').waitFor();
    await row(bad).getByText('40003').waitFor();
    await page.getByText('1 duplicate or blank skipped').waitFor();
    await checkAccessible(page);
    await picture(page, 'batch');

    await page.reload();
    await page.getByText('3 of 4 succeeded, 1 failed').waitFor();
    await page.getByRole('dialog').getByText('Failed 1').click();
    await page.getByRole('dialog').locator('tr', { hasText: openids[0] }).waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Close', exact: true }).click();
  });

  test('lists who is blocked now', async () => {
    const [openid] = openids;
    assert.ok(openid);
    await page.getByLabel('OpenID begins with').fill(openid);
    await page.getByRole('status').getByText('1 openid', { exact: true }).waitFor();
    await row(openid).getByText('spam in comments').waitFor();
    assert.match(page.url(), new RegExp(`q=${openid}`));
    await page.getByLabel('OpenID begins with').fill('');
    await row(openid).waitFor();
    await checkAccessible(page);
    await picture(page, 'blacklist');
  });

  test("reads WeChat's own list", async () => {
    await page.getByRole('button', { name: 'Read from WeChat' }).click();
    await page.getByText(/WeChat’s list has \d+ openids/).waitFor();
    await page.getByText('read from WeChat just now').waitFor();
    await page.getByRole('button', { name: 'Hide the result' }).click();
  });

  test('unblocks the selected rows', async () => {
    const filter = page.getByLabel('OpenID begins with');
    for (const openid of openids) {
      await filter.fill(openid);
      await page.getByRole('checkbox', { name: `Select ${openid}` }).check();
    }
    await page.getByRole('button', { name: 'Unblock 3 people' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Unblock 3 people' }).click();
    await page.getByText('3 of 3 succeeded, 0 failed').waitFor();
    await page.getByRole('button', { name: 'Close', exact: true }).click();
    await page.goto(`${blacklistOf(good)}?actual=unblocked`);
    for (const openid of openids) await row(openid).getByText('Not blocked').first().waitFor();
  });

  describe('The blacklist of an account', () => workTests(() => ({ page, place: blacklistOf(good), openids, row })));

  test('explains a missing permission set, with a connect link', async () => {
    await page.goto(blacklistOf(lacking));
    await page.getByText('has not been granted').waitFor();
    await page.getByRole('button', { name: 'Block…', exact: true }).click();
    await page.getByLabel('OpenIDs').fill(openids.join(' '));
    await page.getByRole('button', { name: 'Block 3 people' }).click();
    const problem = page.getByRole('dialog').getByRole('alert').last();
    await problem.getByText('Any one of these permission sets is enough').waitFor();
    const link = problem.getByRole('link');
    assert.match((await link.getAttribute('href')) ?? '', /\/connect\//);
    await link.scrollIntoViewIfNeeded();
    await checkAccessible(page);
    await picture(page, 'permission-missing');
  });

  test('connects an account once the merchant has agreed at WeChat', async () => {
    await page.goto(accountsOf(good.tenant));
    await page.getByRole('button', { name: 'Connect an account' }).click();
    await page.getByRole('button', { name: 'Create link' }).click();
    const link = page.getByRole('dialog').getByRole('link');
    const url = (await link.getAttribute('href')) ?? '';
    await picture(page, 'connect');

    const merchant = await page.context().newPage();
    await merchant.goto(url);
    await merchant.getByRole('link', { name: 'Authorize' }).first().click();
    const offered = await merchant
      .locator('input[name=account]')
      .evaluateAll((inputs) => inputs.map((input) => input.getAttribute('value') ?? ''));
    const appid = offered.find((one) => !known.has(one)) ?? '';
    assert.ok(appid, 'the simulated WeChat has an account that belongs to no tenant yet');
    await merchant.locator(`input[name=account][value=${appid}]`).check();
    for (const set of await merchant.locator('input[name=set]').all()) await set.check();
    await merchant.getByRole('button', { name: 'Confirm' }).click();
    await merchant.getByText('授权成功').waitFor();
    await merchant.close();

    await page.getByText('The merchant has authorized us.').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Close', exact: true }).last().click();
    await row(appid).getByText('Active', { exact: true }).waitFor();
    await row(appid).getByText('User management').waitFor();
  });

  test('speaks Chinese at once, and remembers it', async () => {
    await page.goto(accountsOf(lacking.tenant));
    await page.getByRole('button', { name: '中文' }).click();
    await page.getByRole('heading', { name: '公众号' }).waitFor();
    await row(lacking.account.appid).getByText('缺少用户管理权限（2）').waitFor();
    await page.reload();
    await page.getByRole('heading', { name: '公众号' }).waitFor();
    assert.equal(await page.locator('html').getAttribute('lang'), 'zh-CN');
    await checkAccessible(page);
    await picture(page, 'accounts-zh');
    await page.goto(`${blacklistOf(good)}?actual=any`);
    await row(openids[0] ?? '').waitFor();
    await checkAccessible(page);
    await picture(page, 'blacklist-zh');
  });

  test('fits a phone', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    for (const [place, name] of /** @type {const} */ ([
      [accountsOf(lacking.tenant), 'accounts'],
      [`/tenants/${lost.tenant.id}/alerts`, 'alerts'],
      ['/alerts', 'all-alerts'],
      ['/platform', 'platform'],
      [`${blacklistOf(good)}?actual=any`, 'blacklist'],
      [`${accountsOf(good.tenant)}/${good.account.appid}/batches`, 'batches'],
      [`${accountsOf(good.tenant)}/${good.account.appid}/work`, 'work'],
      [`/tenants/${good.tenant.id}/batches`, 'all-batches'],
    ])) {
      await page.goto(place);
      await page.locator('tr.ant-table-row').first().waitFor();
      await checkFits(page);
      await checkAccessible(page);
      await picture(page, `${name}-phone`);
    }
    await page.goto(blacklistOf(good));
    await page.getByRole('button', { name: '拉黑…', exact: true }).click();
    await page.getByRole('dialog').waitFor();
    await checkFits(page);
    await picture(page, 'block-phone');
    await page.setViewportSize({ width: 1440, height: 900 });
  });

  test('signs out, and lets nobody back in', async () => {
    await page.goto(accountsOf(good.tenant));
    await page.getByRole('button', { name: /demo/ }).click();
    await page.getByText('退出登录').click();
    await page.getByLabel('API 密钥').waitFor();
    await page.goto(blacklistOf(good));
    await page.getByLabel('API 密钥').waitFor();
    assert.match(page.url(), /\/login\?next=/);
  });
});
