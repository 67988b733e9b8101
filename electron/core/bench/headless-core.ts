/** The core alone as the bench's subject. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BENCH_LINE_VARIABLE, type CoreFigures } from '../../../shared/bench/bench-line.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import { openBenchServer } from './bench-server.ts';
import { callsTo, endChild } from './measured-process.ts';
import { dataDirectoryIn, type Subject, type SubjectOptions } from './subject.ts';

/** A second on a quiet machine. */
const START_LIMIT_MS = 60_000;
const CORE_MAIN = fileURLToPath(new URL(`./headless-core-main${extname(import.meta.url)}`, import.meta.url));

export async function openHeadless(options: SubjectOptions): Promise<Subject> {
  const { directory, logLevel, profileDirectory, signal } = options;
  await using opened = new AsyncDisposableStack();
  const server = await openBenchServer(directory);
  const profile = profileDirectory === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDirectory}`];
  // With the options that the program itself was started with, as its user has it.
  const child = spawn(process.execPath, [...process.execArgv, ...profile, CORE_MAIN], {
    env: {
      ...process.env,
      LIFELINE_DATA_DIR: dataDirectoryIn(directory),
      LIFELINE_LOG_LEVEL: logLevel,
      [BENCH_LINE_VARIABLE]: server.path,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  // With its line closed the core stops its task, stores and ends by itself.
  opened.defer(() => endChild(child, () => server.close()));
  const listening = new AbortController();
  const limit = AbortSignal.any([signal, AbortSignal.timeout(START_LIMIT_MS), listening.signal]);
  const ended = once(child, 'close', { signal: limit }).then(
    () => Promise.reject(notThere()),
    (cause: unknown) => Promise.reject(signal.aborted ? (signal.reason as Error) : notThere(cause)),
  );
  try {
    const core = await Promise.race([server.core, ended]);
    const stack = opened.move();
    return {
      call: callsTo(core),
      async measure() {
        await core.call('measure');
      },
      report: async () => ({ core: (await core.call('report')) as CoreFigures }),
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  } finally {
    ended.catch(() => undefined);
    listening.abort();
  }
}

const notThere = (cause?: unknown): ReplicationError =>
  new ReplicationError('labFailed', 'internal', "The bench's core did not start. Its log above may say why.", {
    cause,
  });
