/** The whole program as a person has it: the desktop window, the real core, two real clusters. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startLab, type Lab } from '../../electron/core/lab/lab.ts';
import { startDesktop, type Desktop } from '../support/electron-app.ts';
import { readyElectron } from '../support/electron-ready.ts';
import { readProtection } from '../support/window-actions.ts';
import {
  ledgerIn,
  loadSource,
  PROTECTION,
  protectLab,
  untilEqual,
  untilRowsArrive,
  untilState,
} from '../support/window-story.ts';

const ready = await readyElectron();
const reason = ready.missing === undefined ? '' : ` (skipped: ${ready.missing})`;

describe.skipIf(ready.missing !== undefined)(`the desktop program in Electron 9.4.1${reason}`, () => {
  let lab: Lab;
  let folder: string;
  let desktop: Desktop | undefined;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'lifeline-desktop-'));
    lab = await startLab({ purpose: 'throwaway' });
  });
  afterAll(async () => {
    await desktop?.quit().catch(() => undefined);
    await lab.stop();
    if (ready.missing === undefined) await ready.display[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  const start = async (): Promise<Desktop> => {
    if (ready.missing !== undefined) throw new Error(ready.missing);
    const { program, display } = ready;
    return startDesktop({ program, display: display.name, dataDirectory: join(folder, 'data') });
  };

  it('protects a cluster, shows rows arrive, quits in the middle of a load, and goes on at the next start without loss', async () => {
    desktop = await start();
    await protectLab(desktop.page, lab);

    const ledgerFile = ledgerIn(folder);
    const loaded = loadSource(lab, { ledgerFile, rows: 4_000, seconds: 15 });
    await untilRowsArrive(desktop.page);
    await desktop.quit();

    desktop = await start();
    await untilRowsArrive(desktop.page);
    await loaded;
    await untilState(desktop.page, 'Following').catch(() => untilState(desktop!.page, 'Idle'));
    await untilEqual(desktop.page, lab, ledgerFile);
    expect((await readProtection(desktop.page, PROTECTION)).rowsWritten).toBeGreaterThan(0);
  });
});
