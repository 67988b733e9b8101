/** The same window served headless, in a browser of today, on two real clusters. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startLab, type Lab } from '../../electron/core/lab/lab.ts';
import { CHROMIUM_ARGS, readyBrowser } from '../support/browser-ready.ts';
import { startHeadlessCore, type HeadlessCore } from '../support/headless-core.ts';
import { addCluster, openPlace, pauseProtection, resumeProtection } from '../support/window-actions.ts';
import {
  ledgerIn,
  loadSource,
  PROTECTION,
  protectLab,
  untilEqual,
  untilRowsArrive,
  untilState,
} from '../support/window-story.ts';

const ready = await readyBrowser();
const reason = ready.missing === undefined ? '' : ` (skipped: ${ready.missing})`;

describe.skipIf(ready.missing !== undefined)(`the window in a browser${reason}`, () => {
  let lab: Lab | undefined;
  let folder: string;
  let core: HeadlessCore | undefined;
  let browser: Browser | undefined;
  let page: Page;
  const errors: string[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'lifeline-browser-'));
    lab = await startLab({ purpose: 'throwaway' });
    core = await startHeadlessCore(join(folder, 'data'));
    browser = await chromium.launch({
      executablePath: ready.missing === undefined ? ready.program : '',
      args: CHROMIUM_ARGS,
    });
    page = await (await browser.newContext({ locale: 'en-US', viewport: { width: 1280, height: 860 } })).newPage();
    page.on('pageerror', (error) => errors.push(error.message));
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  });
  afterAll(async () => {
    await browser?.close();
    await core?.stop();
    await lab?.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  it('asks a stranger to sign in, and lets in who has the link, once', async () => {
    await page.goto(new URL('/', core!.signInLink).href);
    await page.getByRole('heading', { name: 'Sign in to Lifeline' }).waitFor();
    // What the browser notes of the refused calls is what is meant to happen.
    errors.length = 0;
    await page.goto(core!.signInLink);
    await page.getByRole('navigation', { name: 'Places' }).waitFor();

    const stranger = await (await browser!.newContext()).newPage();
    await stranger.goto(core!.signInLink);
    await stranger.getByRole('heading', { name: 'Sign in to Lifeline' }).waitFor();
    await stranger.context().close();
  });

  it('says at each hop what is wrong with a connection', async () => {
    const { milvus } = lab!.target.asTarget;
    const found = await addCluster(page, { name: 'wrong', milvus: { ...milvus, password: 'not the password' } });
    expect(found).toContain('Not everything works yet');
    await openPlace(page, 'Clusters');
    await page.getByRole('button', { name: 'Remove wrong' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove cluster' }).click();
    await page.getByRole('cell', { name: 'wrong' }).first().waitFor({ state: 'detached' });
  });

  it('protects a cluster, shows rows arrive, pauses, resumes, and both sides are equal in the end', async () => {
    await protectLab(page, lab!);
    const ledgerFile = ledgerIn(folder);
    const loaded = loadSource(lab!, { ledgerFile, rows: 3_000, seconds: 10 });
    await untilRowsArrive(page);
    await pauseProtection(page, PROTECTION);
    await untilState(page, 'Paused');
    await loaded;
    await resumeProtection(page, PROTECTION);
    await untilEqual(page, lab!, ledgerFile);
    expect(errors).toEqual([]);
  });
});
