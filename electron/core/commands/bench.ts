/**
 * `npm run bench`: figures, not tests. So far: how fast a task follows a source that is written to without a pause, and
 * how long the core's event loop is kept from its work meanwhile (`loopDelayMs`), which is what a window would feel.
 */
import { fork } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { extname, join } from 'node:path';
import { pino } from 'pino';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { TaskStatus } from '../../../shared/model/task-status.ts';
import type { BulkLoadAnswer, BulkLoadRequest } from '../bench/bulk-load-main.ts';
import { startLab } from '../lab/lab.ts';
import { TaskRunner } from '../services/task-runner.ts';

/** Resolution of the measurement: a delay shorter than this is not seen, and costs nothing to a person either. */
const LOOP_RESOLUTION_MS = 5;
const NANOSECONDS_PER_MS = 1e6;

export interface BenchOptions {
  readonly wal: 'nats' | 'kafka';
  readonly seconds: number;
  readonly json?: string;
  readonly logLevel: string;
}

/** @returns the process's exit code. */
export async function bench(
  options: BenchOptions,
  signal: AbortSignal,
  print: (line: string) => void,
): Promise<number> {
  const { wal, seconds, logLevel } = options;
  print(`Starting two Milvus clusters on ${wal} …`);
  await using lab = await startLab({ purpose: 'throwaway', wal, signal });
  const logger = pino({ level: logLevel, base: null }, pino.destination(2));
  const tasks = new TaskRunner({ storeFile: join(lab.directory, 'store.sqlite'), logLevel, logger });
  try {
    const host = tasks.start({ taskId: 'bench', source: lab.source.asSource, target: lab.target.asTarget });
    const load = startLoad(lab.source.asTarget.milvus);
    await load.loading;
    print(`Measuring for ${seconds} s …`);
    const before = host.status;
    const loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
    loop.enable();
    const startedMs = performance.now();
    await delay(seconds * 1_000, undefined, { signal });
    loop.disable();
    const elapsedS = (performance.now() - startedMs) / 1_000;
    const after: TaskStatus | undefined = host.status;
    const sourceRows = await load.stop();
    await host.whenLevel();
    const report = {
      version: 1,
      wal,
      seconds,
      rowsPerSecond: { source: Math.round(sourceRows / elapsedS) },
      follow: { rowsPerSecond: Math.round(((after?.rowsWritten ?? 0) - (before?.rowsWritten ?? 0)) / elapsedS) },
      lagMs: { p50: after?.lagMs.p50 ?? 0, p99: after?.lagMs.p99 ?? 0 },
      loopDelayMs: {
        p50: loop.percentile(50) / NANOSECONDS_PER_MS,
        p99: loop.percentile(99) / NANOSECONDS_PER_MS,
        max: loop.max / NANOSECONDS_PER_MS,
      },
      peakRssMiB: Math.round(process.resourceUsage().maxRSS / 1_024),
    };
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
    const ms = (value: number): string => `${value.toFixed(1)} ms`;
    print(`Log                    ${wal}`);
    print(
      `Source takes           ${report.rowsPerSecond.source.toLocaleString('en-US')} rows/s (128 floats, batches of 2,000)`,
    );
    print(`Target follows         ${report.follow.rowsPerSecond.toLocaleString('en-US')} rows/s`);
    print(`Lag                    p50 ${ms(report.lagMs.p50)}, p99 ${ms(report.lagMs.p99)}`);
    print(
      `Core's event loop late p50 ${ms(report.loopDelayMs.p50)}, p99 ${ms(report.loopDelayMs.p99)}, at most ${ms(report.loopDelayMs.max)}`,
    );
    print(`Peak memory            ${report.peakRssMiB} MiB`);
    return 0;
  } finally {
    await tasks.stopAll();
  }
}

interface Load {
  /** The collection is there and rows are on their way. */
  readonly loading: Promise<void>;
  /** @returns the rows that the source acknowledged. */
  stop(): Promise<number>;
}

function startLoad(source: Extract<BulkLoadRequest, { kind: 'start' }>['source']): Load {
  const entry = new URL(`../bench/bulk-load-main${extname(import.meta.url)}`, import.meta.url);
  const child = fork(fileURLToPath(entry), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const loading = Promise.withResolvers<void>();
  const done = Promise.withResolvers<number>();
  // Whoever asks next hears of it; a failure between the questions must not end the process.
  done.promise.catch(() => undefined);
  child.on('message', (answer: BulkLoadAnswer) => {
    if (answer.kind === 'loading') loading.resolve();
    else if (answer.kind === 'done') done.resolve(answer.rows);
    else fail(answer.message);
  });
  child.once('exit', () => fail('its process ended'));
  const fail = (message: string): void => {
    const error = new ReplicationError('labFailed', 'lab', `The bench's load failed: ${message}.`);
    loading.reject(error);
    done.reject(error);
  };
  child.send({ kind: 'start', source } satisfies BulkLoadRequest);
  return {
    loading: loading.promise,
    stop: () => {
      if (child.connected) child.send({ kind: 'stop' } satisfies BulkLoadRequest);
      return done.promise;
    },
  };
}
