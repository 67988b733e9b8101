/** The shell in the oldest Electron, with a core that keeps to the protocol and does nothing else. */
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openBenchServer } from '../../electron/core/bench/bench-server.ts';
import { BENCH_LINE_VARIABLE, type ShellFigures } from '../../shared/bench/bench-line.ts';
import { call, desktopArgs, desktopEnv, heard, listen, startDesktop, type Desktop } from '../support/electron-app.ts';
import { readyElectron } from '../support/electron-ready.ts';

const FAKE_CORE = fileURLToPath(new URL('../support/electron-core.ts', import.meta.url));
const PAGE = '<!doctype html><meta charset="utf-8"><title>Lifeline</title><h1>Try</h1>';
/** Tries what a page must not be able to do, and tells through the one call that the core keeps. */
const PROBE = `(async () => {
  const found = [document.title];
  try { found.push(eval('"ran"')); } catch (error) { found.push(error.name); }
  const other = window.open('https://example.invalid/');
  location.href = 'data:text/html,elsewhere';
  await new Promise((resolve) => setTimeout(resolve, 500));
  found.push(other === null || other.closed ? 'closed' : 'open');
  found.push(await Notification.requestPermission());
  found.push(await fetch('http://127.0.0.1:9/').catch((error) => error.name));
  lifeline.call('connections.save', { name: found.concat(location.href).join(' ') });
})();`;

const ready = await readyElectron();
const { program, display } = ready.missing === undefined ? ready : { program: '', display: undefined };
const reason = ready.missing === undefined ? '' : ` (skipped: ${ready.missing})`;

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

afterAll(() => display?.[Symbol.asyncDispose]());

describe.skipIf(ready.missing !== undefined)(`the shell in Electron 9.4.1${reason}`, () => {
  let folder: string;
  let desktop: Desktop | undefined;

  const options = (env: Record<string, string> = {}) => ({
    program,
    display: display?.name ?? '',
    dataDirectory: join(folder, 'data'),
    env: { LIFELINE_CORE_ENTRY: FAKE_CORE, LIFELINE_WINDOW_DIR: join(folder, 'window'), ...env },
  });
  const start = async (env?: Record<string, string>): Promise<Desktop> => (desktop = await startDesktop(options(env)));

  const corePid = async ({ page }: Desktop): Promise<number> => {
    const answer = await call(page, 'system.info');
    return answer.ok ? Number((answer.output as { platform: string }).platform) : 0;
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lifeline-shell-'));
    mkdirSync(join(folder, 'window'));
    writeFileSync(join(folder, 'window', 'index.html'), PAGE);
  });

  afterEach(async () => {
    await desktop?.quit().catch(() => undefined);
    desktop = undefined;
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  it('opens the window with the bridge and nothing of Node or Electron in it', async () => {
    const { page, app } = await start();
    expect(page.url()).toBe('lifeline://app/index.html');
    await expect(page.title()).resolves.toBe('Lifeline');
    const seen = await page.evaluate(() => {
      const { lifeline } = globalThis as unknown as { lifeline: object };
      return {
        bridge: Object.keys(lifeline),
        node: ['require', 'process', 'module', 'Buffer', 'electron'].filter((name) => name in globalThis),
      };
    });
    expect(seen).toEqual({ bridge: ['call', 'onEvent', 'platform'], node: [] });
    const settings = await app.evaluate(({ BrowserWindow }) => {
      const [window] = BrowserWindow.getAllWindows();
      const contents = window?.webContents as unknown as { getWebPreferences(): Record<string, unknown> };
      const { sandbox, contextIsolation, nodeIntegration } = contents.getWebPreferences();
      return { sandbox, contextIsolation, nodeIntegration };
    });
    expect(settings).toEqual({ sandbox: true, contextIsolation: true, nodeIntegration: false });
  });

  it("passes a call to the core, which runs on the project's own Node, and its answer back", async () => {
    const { page } = await start();
    await expect(call(page, 'system.info')).resolves.toMatchObject({ ok: true, output: { node: process.version } });
  });

  it('brings events to the window in order, the state of the link first', async () => {
    const { page } = await start();
    await call(page, 'system.info');
    await listen(page);
    await call(page, 'connections.save', { name: 'orders' });
    await call(page, 'connections.save', { name: 'standby' });
    await vi.waitFor(async () => expect(await heard(page)).toHaveLength(3));
    await expect(heard(page)).resolves.toEqual([
      { name: 'link', payload: 'connected' },
      { name: 'connections.changed', payload: { connections: ['orders'] } },
      { name: 'connections.changed', payload: { connections: ['orders', 'standby'] } },
    ]);
  });

  it('refuses what the contract does not know or does not take, before the core sees it', async () => {
    const { page } = await start();
    for (const name of ['no.such', 'toString', '__proto__']) {
      await expect(call(page, name)).resolves.toMatchObject({ ok: false, error: { code: 'unknownProcedure' } });
    }
    await expect(call(page, 'tasks.pause', { id: '../x' })).resolves.toMatchObject({
      ok: false,
      error: { code: 'invalidInput', context: { field: 'id' } },
    });
  });

  it('goes nowhere else, opens no other window, grants nothing, and runs no script but its own', async () => {
    const scripts = `<script>document.title = 'inline'</script><script src="probe.js"></script>`;
    writeFileSync(join(folder, 'window', 'index.html'), PAGE + scripts);
    writeFileSync(join(folder, 'window', 'probe.js'), PROBE);
    // Started by hand: the test's own tool waits for ever for a window and a navigation that are refused.
    const shell = spawn(program, desktopArgs(), { env: desktopEnv(options()), stdio: 'ignore' });
    const exited = once(shell, 'exit');
    try {
      const results = join(folder, 'data', 'clusters.json');
      await vi.waitFor(() => expect(existsSync(results)).toBe(true), 20_000);
      const [found] = JSON.parse(readFileSync(results, 'utf8')) as [string];
      expect(found.split(' ')).toEqual([
        'Lifeline',
        'EvalError',
        'closed',
        'denied',
        'TypeError',
        'lifeline://app/index.html',
      ]);
    } finally {
      shell.kill();
      await exited;
    }
  });

  it('starts a core that was killed again and tells the window', async () => {
    desktop = await start();
    const { page } = desktop;
    const first = await corePid(desktop);
    await listen(page);
    process.kill(first, 'SIGKILL');
    await vi.waitFor(
      async () => expect((await heard(page)).at(-1)).toEqual({ name: 'link', payload: 'resumed' }),
      10_000,
    );
    expect((await heard(page)).map(({ payload }) => payload)).toEqual(['connected', 'lost', 'resumed']);
    expect(await corePid(desktop)).not.toBe(first);
  });

  it('answers a call whose core dies over it', async () => {
    desktop = await start();
    const pid = await corePid(desktop);
    const pending = call(desktop.page, 'drill.get');
    process.kill(pid, 'SIGKILL');
    await expect(pending).resolves.toMatchObject({ ok: false, error: { code: 'notReady' } });
  });

  it("shows the core's sentence when it cannot begin", async () => {
    const { app, page } = await start({ FAKE_CORE_FAILS: 'The data folder is served by process 12 already.' });
    await expect(call(page, 'system.info')).resolves.toMatchObject({
      ok: false,
      error: { message: 'The data folder is served by process 12 already.' },
    });
    // The message box waits for a click that no script can give it.
    app.process().kill('SIGKILL');
    desktop = undefined;
  });

  it('stops the core in order when it quits, leaves no process, and finds everything again at the next start', async () => {
    desktop = await start();
    const { pid } = desktop;
    const core = await corePid(desktop);
    await call(desktop.page, 'connections.save', { name: 'orders' });
    await desktop.app.evaluate(({ BrowserWindow }) =>
      BrowserWindow.getAllWindows()[0]?.setBounds({ width: 1000, height: 700 }),
    );
    await desktop.quit();
    expect(existsSync(join(folder, 'data', 'stopped-in-order'))).toBe(true);
    await vi.waitFor(() => expect([pid, core].filter(isAlive)).toEqual([]), 5_000);

    desktop = await start();
    await expect(call(desktop.page, 'connections.list')).resolves.toEqual({
      ok: true,
      output: { connections: ['orders'] },
    });
    const size = await desktop.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.getBounds());
    expect(size).toMatchObject({ width: 1000, height: 700 });
  });

  it('ends in order on SIGTERM, and takes the core along when it is killed', async () => {
    desktop = await start();
    const core = await corePid(desktop);
    const gone = desktop.app.waitForEvent('close');
    process.kill(desktop.pid, 'SIGTERM');
    await gone;
    expect(existsSync(join(folder, 'data', 'stopped-in-order'))).toBe(true);
    await vi.waitFor(() => expect(isAlive(core)).toBe(false), 5_000);

    desktop = await start();
    const next = await corePid(desktop);
    process.kill(desktop.pid, 'SIGKILL');
    await vi.waitFor(() => expect(isAlive(next)).toBe(false), 5_000);
    desktop = undefined;
  });

  it('opens once per data folder: a second start brings the first window to the front and ends', async () => {
    await start();
    const second = spawn(program, desktopArgs(), { env: desktopEnv(options()), stdio: 'ignore' });
    const [code] = (await once(second, 'exit')) as [number];
    expect(code).toBe(0);
    await expect(call(desktop!.page, 'system.info')).resolves.toMatchObject({ ok: true });
  });

  it('measures for a bench how long its event loop was kept, and quits when the bench is gone', async () => {
    const bench = await openBenchServer(folder);
    const { app, page } = await start({ [BENCH_LINE_VARIABLE]: bench.path });
    const gone = app.waitForEvent('close');
    const shell = await bench.shell;
    expect(shell.hello).toEqual({ kind: 'hello', from: 'shell', electron: '9.4.1', node: '12.14.1' });

    const measure = async (work: () => Promise<unknown>): Promise<ShellFigures['loopDelayMs']> => {
      await shell.call('measure');
      await work();
      return ((await shell.call('report')) as ShellFigures).loopDelayMs;
    };
    const calls = async (): Promise<void> => {
      for (let count = 0; count < 50; count += 1) await call(page, 'system.info');
    };
    const kept = await measure(async () => {
      await calls();
      await app.evaluate(() => {
        const until = Date.now() + 200;
        while (Date.now() < until);
      });
      await calls();
    });
    expect(kept.max).toBeGreaterThanOrEqual(200);
    // The resolution is in it; more of an idle loop would be a fault of the measurement.
    expect(kept.p50).toBeGreaterThan(3);
    expect(kept.p50).toBeLessThan(50);
    // A second measurement begins anew.
    expect((await measure(calls)).max).toBeLessThan(kept.max);

    bench.close();
    await gone;
    desktop = undefined;
  });
});
