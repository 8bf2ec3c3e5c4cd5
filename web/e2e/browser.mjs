// @ts-check
// A Chromium of this machine, and what every page of the console must keep to.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const out = fileURLToPath(new URL('out/', import.meta.url));
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const places = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

export async function openBrowser() {
  const executablePath = process.env['CHROMIUM_PATH'] ?? places.find((place) => existsSync(place));
  if (!executablePath) throw new Error('no Chromium found: install one, or name it in CHROMIUM_PATH');
  mkdirSync(out, { recursive: true });
  const quiet = [
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ];
  // Chromium refuses its sandbox to root, which is who runs in most containers.
  return chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox', ...quiet] : quiet });
}

/**
 * A page in a fresh profile. `troubles` collects what no page of the console may do: throw, break its content security policy, or load
 * anything from a host that is not Steward's.
 * @param {import('playwright-core').Browser} browser
 * @param {string} url Steward's
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
export async function openPage(browser, url, options) {
  const context = await browser.newContext({
    baseURL: url,
    locale: 'en-US',
    viewport: { width: 1440, height: 900 },
    reducedMotion: 'reduce',
    ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  /** @type {string[]} */
  const troubles = [];
  page.on('pageerror', (error) => troubles.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) troubles.push(message.text());
  });
  page.on('request', (request) => {
    // blob: is a file that the page itself has made.
    if (![url, 'data:', 'blob:'].some((start) => request.url().startsWith(start))) troubles.push(`foreign host: ${request.url()}`);
  });
  return { page, context, troubles };
}

/**
 * Fails on what keeps people with a screen reader or a keyboard out.
 * @param {import('playwright-core').Page} page
 */
export async function checkAccessible(page) {
  await page.evaluate(axeSource);
  const violations = await page.evaluate(async () => {
    const { axe } = /** @type {{axe: typeof import('axe-core')}} */ (/** @type {unknown} */ (window));
    const result = await axe.run(document, { resultTypes: ['violations'] });
    return result.violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
  });
  assert.deepEqual(violations, []);
}

/**
 * Fails if the page as a whole scrolls sideways.
 * @param {import('playwright-core').Page} page
 */
export async function checkFits(page) {
  const excess = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(excess, 0, 'pixels that the body is too wide');
}

/**
 * @param {import('playwright-core').Page} page
 * @param {string} name
 */
export async function picture(page, name) {
  await page.screenshot({ path: `${out}${name}.png` });
}
