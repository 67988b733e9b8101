/**
 * The desktop window as the bench's subject: the built shell in the Electron at hand, on the screen that there is or on
 * one in memory, with the core that it starts by itself.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { extname } from 'node:path';
import { BENCH_LINE_VARIABLE, type CoreFigures, type ShellFigures } from '../../../shared/bench/bench-line.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import { openBenchServer, type BenchServer, type Measured } from './bench-server.ts';
import { callsTo, endChild } from './measured-process.ts';
import { dataDirectoryIn, type Subject, type SubjectOptions } from './subject.ts';
import { startDisplay, type Display } from './virtual-display.ts';

/** A window and its core are there in some 3 s; a busy machine takes its time. */
const START_LIMIT_MS = 60_000;
const LAST_WORDS_CHARS = 8 * 1024;
/** Chromium's own chatter, for its developers. */
const CHATTER = /^\[\d+:\d+\/[\d.]+:(ERROR|WARNING|INFO)/;

const EXTENSION = extname(import.meta.url);
/** The shell is bundled; from source it is the bundle of the last build. */
const OUT = EXTENSION === '.ts' ? '../../../out/' : '../../../';
const SHELL_MAIN = fileURLToPath(new URL(`${OUT}shell/main.cjs`, import.meta.url));
const CORE_MAIN = fileURLToPath(new URL(`./bench-core-main${EXTENSION}`, import.meta.url));

export interface DesktopOptions extends SubjectOptions {
  /** Electron's program. */
  readonly electron: string;
}

/** @throws prerequisiteMissing where there is no screen or the window does not open. */
export async function openDesktop({ directory, logLevel, electron, signal }: DesktopOptions): Promise<Subject> {
  await using opened = new AsyncDisposableStack();
  const display = await findDisplay();
  if (display !== undefined) opened.use(display);
  const server = await openBenchServer(directory);
  opened.defer(() => server.close());
  // Chromium's own sandbox refuses to run as root; the page stays apart from Node all the same.
  const args = process.platform === 'linux' && process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const window = spawn(electron, [...args, SHELL_MAIN], {
    env: {
      ...process.env,
      ...(display === undefined ? {} : { DISPLAY: display.name }),
      LIFELINE_DATA_DIR: dataDirectoryIn(directory),
      LIFELINE_CORE_ENTRY: CORE_MAIN,
      LIFELINE_NODE: process.execPath,
      LIFELINE_LOG_LEVEL: logLevel,
      [BENCH_LINE_VARIABLE]: server.path,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  opened.defer(() => endChild(window, () => window.kill()));
  const { shell, core } = await bothThere(window, server, signal);
  const stack = opened.move();
  return {
    call: callsTo(core),
    async measure() {
      await Promise.all([shell.call('measure'), core.call('measure')]);
    },
    async report() {
      const [ofShell, ofCore] = await Promise.all([shell.call('report'), core.call('report')]);
      const { electron: version, node } = shell.hello;
      return { core: ofCore as CoreFigures, shell: { ...(ofShell as ShellFigures), electron: version, node } };
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** The screen in memory that was started; `undefined` where there is a real one. */
async function findDisplay(): Promise<Display | undefined> {
  const { DISPLAY, WAYLAND_DISPLAY } = process.env;
  if (process.platform !== 'linux' || (DISPLAY ?? '') !== '' || (WAYLAND_DISPLAY ?? '') !== '') return undefined;
  return startDisplay().catch((cause: unknown) => {
    throw missing('there is no display, and Xvfb, which makes one in memory, does not run here', cause);
  });
}

async function bothThere(
  window: ChildProcess,
  { shell, core }: BenchServer,
  signal: AbortSignal,
): Promise<{ shell: Measured<'shell'>; core: Measured<'core'> }> {
  let words = '';
  window.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    words = (words + chunk).slice(-LAST_WORDS_CHARS);
    const lines = chunk.split('\n').filter((line) => !CHATTER.test(line));
    if (lines.some((line) => line.trim() !== '')) process.stderr.write(lines.join('\n'));
  });
  const listening = new AbortController();
  const limit = AbortSignal.any([signal, AbortSignal.timeout(START_LIMIT_MS), listening.signal]);
  // `once` rejects with an error that the process emits: then it could not be started at all.
  const ended = once(window, 'close', { signal: limit }).then(
    ([code, by]: unknown[]) => {
      throw missing(`Electron ended at once (${String(code ?? by)}), ${whyEnded(words)}`);
    },
    (cause: unknown) => {
      signal.throwIfAborted();
      throw missing(
        limit.aborted ? 'the window and its core were not there in time' : 'Electron does not start',
        cause,
      );
    },
  );
  try {
    const [ofShell, ofCore] = await Promise.race([Promise.all([shell, core]), ended]);
    return { shell: ofShell, core: ofCore };
  } finally {
    ended.catch(() => undefined);
    listening.abort();
  }
}

function whyEnded(words: string): string {
  const last = words
    .split('\n')
    .filter((line) => line.trim() !== '' && !CHATTER.test(line))
    .pop();
  // What it does, without a word, when it cannot connect to its display.
  return last ?? 'perhaps the display cannot be reached';
}

const missing = (reason: string, cause?: unknown): ReplicationError =>
  new ReplicationError('prerequisiteMissing', 'config', `The shell cannot be measured: ${reason}.`, { cause });
