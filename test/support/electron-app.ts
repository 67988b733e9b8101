/** The desktop program as a person has it: the built shell in a real Electron, with a data folder of its own. */
import { fileURLToPath } from 'node:url';
import { _electron, type ElectronApplication, type Page } from 'playwright-core';
import type { ContractAnswer } from '../../shared/contract/client.ts';
import type { BridgeEvent, LifelineBridge } from '../../shared/contract/desktop.ts';

/** What the page's own scripts see; these functions run there. */
interface PageGlobals {
  readonly lifeline: LifelineBridge;
  heard: BridgeEvent[];
}

/** Through the bridge, as the page's scripts do it. */
export const call = (page: Page, name: string, input: unknown = {}): Promise<ContractAnswer> =>
  page.evaluate(([n, i]) => (globalThis as unknown as PageGlobals).lifeline.call(n, i), [name, input] as const);

/** From now on `heard` has all events. */
export const listen = (page: Page): Promise<void> =>
  page.evaluate(() => {
    const page = globalThis as unknown as PageGlobals;
    page.heard = [];
    page.lifeline.onEvent((event) => page.heard.push(event));
  });

export const heard = (page: Page): Promise<BridgeEvent[]> =>
  page.evaluate(() => (globalThis as unknown as PageGlobals).heard);

const START_LIMIT_MS = 60_000;

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

export const SHELL_MAIN = path('../../out/shell/main.cjs');

export interface DesktopOptions {
  /** Electron's program. */
  readonly program: string;
  readonly display: string;
  readonly dataDirectory: string;
  /** Laid over the environment: another core, another window. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Desktop {
  readonly app: ElectronApplication;
  readonly page: Page;
  /** Of the shell. */
  readonly pid: number;
  /** As its menu does it; resolves when the shell is gone. */
  quit(): Promise<void>;
}

export function desktopArgs(): string[] {
  // Chromium's own sandbox refuses to run as root; the window stays sandboxed from Node all the same.
  return [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), '--disable-gpu', SHELL_MAIN];
}

export function desktopEnv(options: Omit<DesktopOptions, 'program'>): Record<string, string> {
  const inherited = Object.entries(process.env).filter(
    // The test runner's own settings are none of the program's.
    (entry): entry is [string, string] =>
      entry[1] !== undefined && !/^(VITEST|NODE_ENV|NODE_OPTIONS|ELECTRON)/.test(entry[0]),
  );
  return {
    ...Object.fromEntries(inherited),
    DISPLAY: options.display,
    LIFELINE_DATA_DIR: options.dataDirectory,
    LIFELINE_NODE: process.execPath,
    LANG: 'en_US.UTF-8',
    ...options.env,
  };
}

export async function startDesktop(options: DesktopOptions): Promise<Desktop> {
  const app = await _electron.launch({
    executablePath: options.program,
    args: desktopArgs(),
    env: desktopEnv(options),
    timeout: START_LIMIT_MS,
  });
  const shell = app.process();
  const page = await app.firstWindow({ timeout: START_LIMIT_MS });
  await page.waitForLoadState('domcontentloaded');
  return {
    app,
    page,
    pid: shell.pid!,
    async quit() {
      const gone = app.waitForEvent('close', { timeout: START_LIMIT_MS });
      // Not awaited: the answer may be lost with the program.
      void app.evaluate(({ app: electron }) => electron.quit()).catch(() => undefined);
      await gone;
    },
  };
}
