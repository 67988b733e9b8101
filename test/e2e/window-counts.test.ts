/**
 * How many clicks a person needs, in a real browser on a fake core (test/support/fake-window): the counts of
 * renderer/UX-COUNTS.md, which may only go down. Every click and key that the browser got from outside is counted.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type Locator, type Page } from 'playwright-core';
import { createServer, type ViteDevServer } from 'vite';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CHROMIUM_ARGS, readyBrowser } from '../support/browser-ready.ts';

const ready = await readyBrowser();
const reason = ready.missing === undefined ? '' : ` (skipped: ${ready.missing})`;
const root = fileURLToPath(new URL('../..', import.meta.url));

/** Where rows come and go without being asked for, nobody needs longer than this to be answered. */
const ANSWER_LIMIT_MS = 10_000;

describe.skipIf(ready.missing !== undefined)(`the window asks for few clicks${reason}`, () => {
  let folder: string;
  let server: ViteDevServer | undefined;
  let browser: Browser | undefined;
  let page: Page | undefined;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'lifeline-counts-'));
    server = await createServer({
      configFile: join(root, 'renderer/vite.config.ts'),
      root,
      logLevel: 'warn',
      server: { host: '127.0.0.1', port: 0 },
      cacheDir: join(folder, 'vite'),
    });
    await server.listen();
    browser = await chromium.launch({
      executablePath: ready.missing === undefined ? ready.program : '',
      args: CHROMIUM_ARGS,
    });
  });
  afterEach(() => page?.close());
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  /** Everybody begins at the overview, once it is there. */
  async function openWindow(state: string): Promise<Page> {
    page = await browser!.newPage({ locale: 'en-US', viewport: { width: 1280, height: 800 } });
    page.setDefaultTimeout(ANSWER_LIMIT_MS);
    await page.addInitScript(() => {
      const counted = globalThis as unknown as { clickCount: number };
      const document = (globalThis as unknown as { document: EventTarget }).document;
      counted.clickCount = 0;
      for (const type of ['mousedown', 'keydown']) {
        document.addEventListener(type, (event) => (counted.clickCount += event.isTrusted ? 1 : 0), true);
      }
    });
    // The first page of a run is compiled meanwhile.
    await page.goto(`${server!.resolvedUrls!.local[0]!}test/support/fake-window/?state=${state}`, { timeout: 60_000 });
    await page.getByRole('heading', { level: 1 }).waitFor({ timeout: 60_000 });
    return page;
  }

  /** What the browser and the window take, without the person: said in the log, since machines differ. */
  async function timed(what: string, deed: () => Promise<void>): Promise<void> {
    const began = performance.now();
    await deed();
    console.log(`${what}: ${((performance.now() - began) / 1000).toFixed(1)} s`);
  }

  const clicksOf = (one: Page): Promise<number> =>
    one.evaluate(() => (globalThis as unknown as { clickCount: number }).clickCount);
  const place = (one: Page, name: string): Locator =>
    one.getByRole('navigation', { name: 'Places' }).getByRole('link', { name });

  it('protects the lab’s pair with three', async () => {
    const window = await openWindow('labRunning');
    await timed('Protect the pair', async () => {
      await place(window, 'Lab').click();
      await window.getByRole('button', { name: 'Protect one with the other' }).click();
      await window.getByText('It creates the collections on Lab target').waitFor();
      await window.getByRole('button', { name: 'Create protection' }).click();
      await window.getByRole('heading', { name: 'Lab source → Lab target' }).waitFor();
    });
    expect(await clicksOf(window)).toBe(3);
  });

  it('says why a protection does not follow with none, and why a collection lags, and what to do, with two', async () => {
    const window = await openWindow('troubled');
    await window.getByText('The target refuses writes (quota exceeded).').first().waitFor();
    expect(await clicksOf(window)).toBe(0);
    await timed('Why a collection lags', async () => {
      await window.getByRole('row', { name: 'orders' }).first().click();
      const worst = window.getByRole('row', { name: /images/ });
      await worst.waitFor();
      expect(await window.locator('tr.row').first().innerText()).toContain('images');
      await worst.click();
      await window.getByText('Compare the schema and settings of the collection on both sides').waitFor();
    });
    expect(await clicksOf(window)).toBe(2);
  });

  it('pauses everything with two, and takes that back with a third', async () => {
    const window = await openWindow('calm');
    await timed('Pause everything', async () => {
      await place(window, 'Protections').click();
      await window.getByRole('button', { name: /^Pause all/ }).click();
      await window.getByText('2 protections were paused.').waitFor();
    });
    expect(await clicksOf(window)).toBe(2);
    await window.getByRole('button', { name: 'Undo' }).click();
    await window.getByText('2 protections were resumed.').waitFor();
    expect(await clicksOf(window)).toBe(3);
  });

  it('runs a drill with two', async () => {
    const window = await openWindow('calm');
    await timed('Begin a drill', async () => {
      await place(window, 'Lab').click();
      await window.getByRole('button', { name: 'Run the drill' }).click();
      await window.getByText('The drill is running.').waitFor();
    });
    expect(await clicksOf(window)).toBe(2);
  });

  it('walks fifteen hundred collections with the keyboard, making only those in sight', async () => {
    const window = await openWindow('crowded');
    await window.getByRole('row', { name: 'orders' }).first().click();
    await window.getByText('1,500 collections').waitFor();
    await window.locator('tr.row').first().focus();
    await window.keyboard.press('End');
    await window.locator('tr.row:focus', { hasText: 'tenant_1499' }).waitFor();
    await window.keyboard.press('ArrowUp');
    await window.locator('tr.row:focus', { hasText: 'tenant_1498' }).waitFor();
    await window.keyboard.press('Home');
    await window.locator('tr.row:focus', { hasText: 'tenant_0000' }).waitFor();
    expect(await window.locator('tr.row').count()).toBeLessThan(80);
    await window.keyboard.press('Enter');
    await window.getByText('ID on the source').waitFor();
  });
});
