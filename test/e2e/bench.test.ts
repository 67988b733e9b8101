/** `npm run bench` with the window around the core, on two real clusters: that it measures, not what. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { desktopEnv } from '../support/electron-app.ts';
import { readyElectron } from '../support/electron-ready.ts';

const CORE_MAIN = fileURLToPath(new URL('../../out/electron/core/main.js', import.meta.url));

const ready = await readyElectron();
const reason = ready.missing === undefined ? '' : ` (skipped: ${ready.missing})`;

interface Report {
  readonly follow: { readonly rowsPerSecond: number };
  readonly loopDelayMs: Record<string, number>;
  readonly shell?: { readonly electron: string; readonly loopDelayMs: Record<string, number> };
}

describe.skipIf(ready.missing !== undefined)(`the bench in Electron 9.4.1${reason}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'lifeline-bench-'));
  afterAll(async () => {
    if (ready.missing === undefined) await ready.display[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  it('measures the event loops of the core and of the shell around it', async () => {
    if (ready.missing !== undefined) throw new Error(ready.missing);
    const { program, display } = ready;
    const json = join(folder, 'bench.json');
    const options = ['--shell', '--electron', program, '--seconds', '3', '--json', json];
    const env = desktopEnv({ display: display.name, dataDirectory: join(folder, 'unused') });
    const { stdout } = await promisify(execFile)(process.execPath, [CORE_MAIN, 'bench', ...options], { env });
    expect(stdout).toContain("Shell's event loop late");
    const report = JSON.parse(readFileSync(json, 'utf8')) as Report;
    expect(report.follow.rowsPerSecond).toBeGreaterThan(0);
    expect(report.shell?.electron).toBe('9.4.1');
    for (const delay of [report.loopDelayMs, report.shell?.loopDelayMs]) {
      expect(Object.keys(delay ?? {})).toEqual(['p50', 'p99', 'max']);
      for (const ms of Object.values(delay ?? {})) expect(ms).toBeGreaterThan(0);
    }
  });
});
