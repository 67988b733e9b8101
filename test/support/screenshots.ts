/**
 * Pictures of every page on a fake core: `node test/support/screenshots.ts [folder] [pattern of names]`. Chromium comes from
 * `CHROMIUM`, or /usr/bin/chromium. Pictures go to out/screenshots unless another folder is given.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import vue from '@vitejs/plugin-vue';
import { chromium, type Page } from 'playwright-core';
import { createServer } from 'vite';
import { rendererConfig } from '../../renderer/vite.config.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const [folder = join(root, 'out/screenshots'), pattern = ''] = process.argv.slice(2);

/** Every file is compiled for the first one; on a busy machine that takes its time. */
const FIRST_PAGE_TIMEOUT_MS = 180_000;

interface Shot {
  readonly name: string;
  readonly state: string;
  readonly path: string;
  readonly theme?: 'light' | 'dark';
  readonly language?: 'en' | 'zh-Hans' | 'zh-Hant';
  /** After the page is there. */
  readonly then?: (page: Page) => Promise<void>;
  readonly width?: number;
  readonly height?: number;
}

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });

/** The wizard's steps behind the choice of the two clusters. */
const STEPS_BEHIND_TARGET = ['selection', 'start', 'name', 'summary'] as const;

async function wizardAt(page: Page, step: (typeof STEPS_BEHIND_TARGET)[number]): Promise<void> {
  await page.getByLabel('orders-prod').check();
  await button(page, 'Next').click();
  await page.getByLabel('standby').check();
  const clicks = STEPS_BEHIND_TARGET.indexOf(step) + 1;
  for (let click = 0; click < clicks; click += 1) await button(page, 'Next').click();
}

const SHOTS: readonly Shot[] = [
  { name: 'overview', state: 'calm', path: '/' },
  { name: 'overview-dark', state: 'calm', path: '/', theme: 'dark' },
  { name: 'overview-zh-hans', state: 'troubled', path: '/', language: 'zh-Hans' },
  { name: 'overview-zh-hant', state: 'calm', path: '/', language: 'zh-Hant' },
  { name: 'overview-troubled', state: 'troubled', path: '/' },
  { name: 'overview-silent', state: 'silent', path: '/' },
  { name: 'overview-empty', state: 'empty', path: '/' },
  { name: 'overview-lost', state: 'lost', path: '/', theme: 'dark' },
  { name: 'protections', state: 'calm', path: '/protections' },
  { name: 'protections-unreachable', state: 'unreachable', path: '/protections' },
  {
    name: 'protections-delete',
    state: 'calm',
    path: '/protections',
    then: async (page) => {
      await button(page, 'Delete orders').click();
      await page.getByRole('dialog').waitFor();
    },
  },
  { name: 'protection', state: 'calm', path: '/protection/orders' },
  { name: 'protection-dark', state: 'troubled', path: '/protection/orders', theme: 'dark' },
  {
    name: 'protection-troubled',
    state: 'troubled',
    path: '/protection/orders',
    then: (page) => page.getByRole('row', { name: /images/ }).click(),
  },
  { name: 'protection-crowded', state: 'crowded', path: '/protection/orders' },
  { name: 'protection-narrow', state: 'calm', path: '/protection/orders', width: 760 },
  { name: 'protection-zh-hans', state: 'troubled', path: '/protection/orders', language: 'zh-Hans' },
  { name: 'protection-asked', state: 'question', path: '/protection/orders' },
  {
    name: 'collection-operations',
    state: 'question',
    path: '/protection/orders',
    then: (page) =>
      page
        .getByRole('row', { name: /orders/ })
        .nth(1)
        .click(),
  },
  {
    name: 'operation-settings',
    state: 'question',
    path: '/protection/orders',
    then: (page) => page.getByText('Operations, rights and overrides').click(),
  },
  {
    name: 'selection-dialog',
    state: 'calm',
    path: '/protection/orders',
    then: async (page) => {
      await button(page, 'Change the selection').click();
      await page.getByRole('dialog').waitFor();
    },
  },
  { name: 'wizard', state: 'calm', path: '/protections/new' },
  {
    name: 'wizard-summary',
    state: 'calm',
    path: '/protections/new',
    then: (page) => wizardAt(page, 'summary'),
  },
  {
    name: 'wizard-selection',
    state: 'calm',
    path: '/protections/new',
    then: async (page) => {
      await wizardAt(page, 'selection');
      await page.getByLabel('Chosen collections').check();
      await page.getByRole('checkbox', { name: 'shop.orders' }).check();
      await page.getByRole('textbox', { name: 'Patterns, one a line' }).fill('archive.*');
      await page.getByText('Other names on the target').click();
      await page.getByRole('textbox', { name: 'Before each collection' }).fill('dr_');
      await page.getByRole('cell', { name: 'shop.dr_orders' }).waitFor();
    },
  },
  {
    name: 'wizard-start',
    state: 'calm',
    path: '/protections/new',
    then: (page) => wizardAt(page, 'start'),
  },
  {
    name: 'wizard-positions-dark',
    state: 'calm',
    path: '/protections/new',
    theme: 'dark',
    then: async (page) => {
      await wizardAt(page, 'start');
      await page.getByLabel('From given positions').check();
      await page.getByLabel('Positions as JSON').fill('{"by-dev-rootcoord-dml_0": "not base64!"}');
    },
  },
  { name: 'clusters', state: 'calm', path: '/clusters' },
  { name: 'clusters-empty-dark', state: 'empty', path: '/clusters', theme: 'dark' },
  {
    name: 'cluster-tested',
    state: 'calm',
    path: '/cluster/orders-prod',
    then: async (page) => {
      await button(page, 'Test connection').click();
      await page.getByText('Everything that was tested works.').waitFor();
    },
  },
  {
    name: 'cluster-log-dark',
    state: 'calm',
    path: '/cluster/orders-prod',
    theme: 'dark',
    then: (page) => page.getByRole('tab', { name: 'Log' }).click(),
  },
  {
    name: 'cluster-problems',
    state: 'empty',
    path: '/clusters/new',
    then: (page) => button(page, 'Save').click(),
  },
  { name: 'cluster-zh-hant', state: 'calm', path: '/cluster/orders-prod', language: 'zh-Hant' },
  { name: 'protection-copying', state: 'copying', path: '/protection/orders' },
  { name: 'protection-copying-zh-hans', state: 'copying', path: '/protection/orders', language: 'zh-Hans' },
  { name: 'protection-lagging', state: 'lagging', path: '/protection/orders' },
  {
    name: 'protection-lagging-channels-dark',
    state: 'lagging',
    path: '/protection/orders',
    theme: 'dark',
    then: (page) => page.getByText('Channels (2)').click(),
  },
  { name: 'protection-silent-zh-hant', state: 'silent', path: '/protection/orders', language: 'zh-Hant' },
  { name: 'protection-gap', state: 'gap', path: '/protection/orders' },
  {
    name: 'protection-copy-again',
    state: 'gap',
    path: '/protection/orders',
    then: async (page) => {
      await button(page, 'Copy these again').click();
      await page.getByRole('dialog').waitFor();
    },
  },
  {
    name: 'protection-marked',
    state: 'quarantine',
    path: '/protection/orders',
    then: async (page) => {
      await page.getByRole('checkbox', { name: 'Select all rows' }).check();
      await page.getByRole('row', { name: /images/ }).click();
    },
  },
  {
    name: 'quarantine',
    state: 'quarantine',
    path: '/protection/orders',
    then: async (page) => {
      await button(page, 'Inspect').click();
      await page.getByText('First keys').waitFor();
    },
  },
  {
    name: 'quarantine-skip-dark',
    state: 'quarantine',
    path: '/protection/orders',
    theme: 'dark',
    then: async (page) => {
      await button(page, 'Inspect').click();
      await button(page, 'Skip …').click();
      await page.getByLabel('Reason').fill('Test rows of the importer');
    },
  },
  {
    name: 'protection-in-use',
    state: 'inUse',
    path: '/protection/orders',
    then: (page) => button(page, 'Take the target over …').click(),
  },
  { name: 'small-protection-gap', state: 'gap', path: '/protection/orders', width: 900, height: 600 },
  ...(
    ['overview:/', 'protections:/protections', 'protection:/protection/orders', 'cluster:/cluster/orders-prod'] as const
  ).map((page): Shot => {
    const [name = '', path = ''] = page.split(':');
    return { name: `small-${name}`, state: 'troubled', path, width: 900, height: 600 };
  }),
  { name: 'small-lab', state: 'drilled', path: '/lab', width: 900, height: 600, language: 'zh-Hant', theme: 'dark' },
  {
    name: 'protections-marked-dark',
    state: 'calm',
    path: '/protections',
    theme: 'dark',
    then: async (page) => {
      await page.getByRole('checkbox', { name: 'Select orders' }).check();
      await button(page, 'View').click();
    },
  },
  { name: 'lab', state: 'empty', path: '/lab' },
  { name: 'lab-drilling', state: 'drilling', path: '/lab' },
  { name: 'lab-drilled-dark', state: 'drilled', path: '/lab', theme: 'dark' },
  { name: 'lab-failed', state: 'labFailed', path: '/lab' },
  { name: 'lab-zh-hans', state: 'drilled', path: '/lab', language: 'zh-Hans' },
];

const profile = mkdtempSync(join(tmpdir(), 'lifeline-chromium-'));
mkdirSync(folder, { recursive: true });
const server = await createServer({
  configFile: false,
  root,
  logLevel: 'warn',
  plugins: [vue()],
  define: rendererConfig.define ?? {},
  server: { host: '127.0.0.1', port: 0 },
  cacheDir: join(profile, 'vite'),
});
await server.listen();
const address = server.resolvedUrls?.local[0] ?? '';
const browser = await chromium.launch({
  executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});
let failedCount = 0;
try {
  for (const shot of SHOTS.filter(({ name }) => new RegExp(pattern).test(name))) {
    const page = await browser.newPage({
      viewport: { width: shot.width ?? 1280, height: shot.height ?? 800 },
      deviceScaleFactor: 1,
      colorScheme: shot.theme ?? 'light',
      locale: 'en-US',
    });
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') console.error(`${shot.name}: ${message.text()}`);
    });
    page.on('pageerror', (error) => console.error(`${shot.name}: ${error.message}`));
    await page.addInitScript(
      ([theme, language]) => {
        localStorage.setItem('lifeline.theme', theme ?? 'light');
        localStorage.setItem('lifeline.language', language ?? 'en');
      },
      [shot.theme ?? 'light', shot.language ?? 'en'],
    );
    page.setDefaultNavigationTimeout(FIRST_PAGE_TIMEOUT_MS);
    try {
      await page.goto(`${address}test/support/fake-window/?state=${shot.state}#${shot.path}`);
      await page.locator('h1').first().waitFor();
      // Until the first rates have been measured.
      if (shot.state !== 'empty') await page.waitForTimeout(2500);
      await shot.then?.(page);
      await page.waitForTimeout(300);
      await page.screenshot({ path: join(folder, `${shot.name}.png`) });
      console.log(shot.name);
    } catch (error) {
      failedCount += 1;
      console.error(`${shot.name}: ${String(error)}`);
    } finally {
      await page.close();
    }
  }
} finally {
  await browser.close();
  await server.close();
  rmSync(profile, { recursive: true, force: true });
}
process.exitCode = failedCount === 0 ? 0 : 1;
