// @ts-check
// What the console does with the blacklist of one account beyond single wishes: files, undo, checks, and the work's hold.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { checkAccessible, picture } from './browser.mjs';

/**
 * @typedef {object} World
 * @property {import('playwright-core').Page} page
 * @property {string} place the blacklist of an account that may be worked on
 * @property {string[]} openids followers of it that are not blocked
 * @property {(text: string) => import('playwright-core').Locator} row of a table
 */

/** @param {() => World} world what the scenarios before have left */
export function workTests(world) {
  test('imports a file once its wrong lines are mended, and undoes the batch', async () => {
    const { page, place, openids } = world();
    const [first, second] = openids;
    await page.goto(place);
    await page.getByRole('button', { name: 'Import…' }).click();
    const drawer = page.getByRole('dialog');
    const file = drawer.locator('input[type=file]');
    const people = (/** @type {string} */ text) => ({ name: 'people.csv', mimeType: 'text/csv', buffer: Buffer.from(text) });
    await file.setInputFiles(people(`openid,reason\n${first},from a file\nno openid,\n`));
    await drawer.getByRole('button', { name: 'Import and block' }).click();
    await drawer.getByText('Line 3').waitFor();
    await checkAccessible(page);
    await picture(page, 'import-wrong');
    await file.setInputFiles(people(`openid,reason\n${first},from a file\n${second},\n`));
    await drawer.getByRole('button', { name: 'Import and block' }).click();
    await page.getByText('2 of 2 succeeded, 0 failed').waitFor();

    await page.getByRole('button', { name: 'Undo…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Undo this batch?' });
    await dialog.getByText('unblocks the 2 people').waitFor();
    await dialog.getByLabel('Reason').fill('wrong list');
    await checkAccessible(page);
    await picture(page, 'undo');
    await dialog.getByRole('button', { name: 'Undo the batch' }).click();
    await page.getByText('Batch: unblock').waitFor();
    await page.getByText('2 of 2 succeeded, 0 failed').waitFor();
    await page.getByRole('button', { name: 'Show that batch' }).click();
    await page.getByText('Batch: block').waitFor();
    await page.getByRole('button', { name: 'Close', exact: true }).click();
  });

  test('checks first what a block would do, and does nothing', async () => {
    const { page, place, openids } = world();
    await page.goto(place);
    await page.getByRole('button', { name: 'Block…', exact: true }).click();
    const form = page.getByRole('dialog');
    await form.getByLabel('OpenIDs').fill(openids.join(' '));
    await form.getByRole('button', { name: 'Check first' }).click();
    await form.getByText('3 people would be newly blocked').waitFor();
    await checkAccessible(page);
    await picture(page, 'preview');
    await form.getByRole('button', { name: 'Close', exact: true }).last().click();
  });

  test('exports the list as it is filtered', async () => {
    const { page, place, openids, row } = world();
    const [openid] = openids;
    await page.goto(`${place}?actual=unblocked&q=${openid}`);
    await row(openid ?? '').waitFor();
    await page.getByRole('button', { name: 'Export the list as filtered' }).click();
    const saving = page.waitForEvent('download');
    await page.getByText('CSV for Excel').click();
    const saved = await saving;
    assert.match(saved.suggestedFilename(), /\.csv$/);
    const [heading = '', line = '', end] = readFileSync(await saved.path(), 'utf8').split('\r\n');
    assert.match(heading, /^\uFEFFopenid,/);
    assert.match(line, new RegExp(`^${openid},`));
    assert.equal(end, '', 'one line only');
  });

  test('holds the work of an account, and resumes it from any of its pages', async () => {
    const { page } = world();
    await page.getByRole('link', { name: 'Sending and quota' }).click();
    await page.getByRole('row', { name: /^Block / }).waitFor();
    await page.getByRole('button', { name: 'Hold…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Hold the work of this account?' });
    await dialog.getByLabel('Reason').fill('complaint');
    await dialog.getByRole('button', { name: 'Hold', exact: true }).click();
    await page.getByRole('alert').getByText('complaint').waitFor();
    await checkAccessible(page);
    await picture(page, 'held');
    await page.getByRole('link', { name: 'Changed outside' }).click();
    await checkAccessible(page);
    await page.getByRole('button', { name: 'Resume now' }).click();
    await page.getByText('The work goes on.').waitFor();
    await page.getByRole('alert').waitFor({ state: 'detached' });
  });
}
