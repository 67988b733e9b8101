/**
 * `npm start -- drill`: the main job on two real servers, from nothing to a verdict. The judge (load, ledger,
 * comparison) knows nothing of the engine; this file only brings the two together.
 */
import { randomInt } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Listr, type ListrTask, type ListrTaskWrapper } from 'listr2';
import { pino } from 'pino';
import { ReplicationError, toReplicationError } from '../../../shared/model/replication-error.ts';
import type { TaskStatus } from '../../../shared/model/task-status.ts';
import type { EngineHost } from '../../engine/host/engine-host.ts';
import { compareClusters } from '../drill/compare/compare-clusters.ts';
import { startLoad, type LoadResult } from '../drill/load/run-load.ts';
import { formatReport, type DrillReport } from '../drill/report.ts';
import { sabotageTarget, type SabotageKind } from '../drill/sabotage.ts';
import { startLab, type Lab } from '../lab/lab.ts';
import { formatDuration } from '../services/status-lines.ts';
import { TaskService } from '../services/task-service.ts';

/** After the load has ended the target is level within seconds; this only ends a drill that hangs. */
const LEVEL_TIMEOUT_MS = 10 * 60_000;
/** Between two lines of progress where they do not replace each other. */
const PLAIN_LINE_INTERVAL_MS = 2_000;

export interface DrillOptions {
  readonly json?: string;
  readonly wal: 'nats';
  readonly rows: number;
  readonly seconds: number;
  readonly seed?: number;
  readonly wheel?: string;
  readonly logLevel: string;
  readonly sabotage?: SabotageKind;
}

/** A line under a step, for its progress. */
type Say = (text: string) => void;

/** One drill: its steps in order, each leaving behind what the next one needs. */
class Drill {
  readonly seed: number;
  readonly #options: DrillOptions;
  readonly #signal: AbortSignal;
  readonly #startedAt = new Date();
  readonly #phases: DrillReport['phases'] = [];
  #lab: Lab | undefined;
  #tasks: TaskService | undefined;
  #host: EngineHost | undefined;
  #load: LoadResult | undefined;
  #loadStartedMs = 0;
  #levelMs = 0;
  #comparison: Awaited<ReturnType<typeof compareClusters>> | undefined;

  constructor(options: DrillOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.seed = options.seed ?? randomInt(2 ** 31);
  }

  steps(): ListrTask[] {
    const { sabotage } = this.#options;
    return [
      this.#step('Start two real Milvus clusters on this machine', (say) => this.#startLab(say)),
      this.#step('Start the replication', (say) => this.#startTask(say)),
      this.#step('Write a mixed load into the source', (say) => this.#runLoad(say)),
      this.#step('Wait until the target is level', (say) => this.#awaitLevel(say)),
      ...(sabotage === undefined
        ? []
        : [this.#step(`Sabotage the target (${sabotage})`, (say) => this.#sabotage(sabotage, say))]),
      this.#step('Compare both sides by key and content', (say) => this.#compare(say)),
    ];
  }

  /** `stopped` by the operator or by an error: then there is a sentence, and perhaps no comparison. */
  report(failure: string | undefined): DrillReport {
    const status = this.#host?.status;
    const load = this.#load;
    const comparison = this.#comparison;
    const elapsedMs = this.#levelMs - this.#loadStartedMs;
    const byKind = load?.operations ?? {};
    const problem =
      failure ?? (comparison?.equal === true ? undefined : (comparison?.summary ?? 'Nothing was compared.'));
    return {
      version: 1,
      equal: problem === undefined,
      startedAt: this.#startedAt.toISOString(),
      durationMs: Date.now() - this.#startedAt.getTime(),
      wal: this.#options.wal,
      seed: this.seed,
      rows: {
        written: load?.rowsWritten ?? 0,
        source: comparison?.rowsSource ?? 0,
        target: comparison?.rowsTarget ?? 0,
        ledger: comparison?.rowsLedger ?? 0,
      },
      operations: {
        total: Object.values(byKind).reduce((sum, count) => sum + count, 0),
        byKind,
        unknown: load?.operationsUnknown ?? 0,
      },
      ...(status === undefined || status.lagMs.samples === 0
        ? {}
        : { lagMs: { p50: status.lagMs.p50, p99: status.lagMs.p99 } }),
      ...(load === undefined || elapsedMs <= 0
        ? {}
        : { rowsPerSecond: Math.round((load.rowsWritten * 1000) / elapsedMs) }),
      collections: comparison?.collections ?? [],
      phases: this.#phases,
      ...(problem === undefined ? {} : { failure: problem }),
    };
  }

  async cleanUp(): Promise<void> {
    await this.#tasks?.stopAll();
    await this.#lab?.stop();
  }

  async #startLab(say: Say): Promise<void> {
    this.#lab = await startLab({
      purpose: 'throwaway',
      wheelFile: this.#options.wheel,
      signal: this.#signal,
      onProgress: ({ message, fraction }) =>
        say(fraction === undefined ? message : `${message} (${Math.floor(fraction * 100)} %)`),
    });
    say('Running. Until the drill ends, both listen on every interface of this machine, behind a generated password.');
  }

  async #startTask(say: Say): Promise<void> {
    const lab = expected(this.#lab);
    const { logLevel } = this.#options;
    const logger = pino({ level: logLevel, base: null }, pino.destination(2));
    this.#tasks = new TaskService({ storeFile: join(lab.directory, 'store.sqlite'), logLevel, logger });
    const host = this.#tasks.start({ taskId: 'drill', source: lab.source.asSource, target: lab.target.asTarget });
    this.#host = host;
    await whenFollowing(host, this.#signal);
    say('Following.');
  }

  async #runLoad(say: Say): Promise<void> {
    const { rows, seconds } = this.#options;
    const lab = expected(this.#lab);
    const host = expected(this.#host);
    this.#loadStartedMs = performance.now();
    this.#load = await startLoad({
      source: lab.source.asTarget.milvus,
      rows,
      seconds,
      seed: this.seed,
      ledgerFile: this.#ledgerFile(),
      signal: this.#signal,
      onProgress: ({ rowsInserted, rowsTotal }) =>
        say(`${count(rowsInserted)} of ${count(rowsTotal)} rows inserted; ${written(host.status)}`),
    });
  }

  async #awaitLevel(say: Say): Promise<void> {
    const host = expected(this.#host);
    const onStatus = (status: TaskStatus): void => say(written(status));
    host.on('status', onStatus);
    try {
      await orTimeout(host.whenLevel(), this.#signal);
    } finally {
      host.off('status', onStatus);
    }
    this.#levelMs = performance.now();
  }

  async #sabotage(kind: SabotageKind, say: Say): Promise<void> {
    const done = await sabotageTarget(kind, expected(this.#lab).target.asTarget.milvus, this.seed);
    say(
      `Row ${done.key} of ${done.database}.${done.collection}${done.field === undefined ? '' : `, field ${done.field}`}.`,
    );
  }

  async #compare(say: Say): Promise<void> {
    const lab = expected(this.#lab);
    this.#comparison = await compareClusters({
      source: lab.source.asTarget.milvus,
      target: lab.target.asTarget.milvus,
      ledgerFile: this.#ledgerFile(),
      signal: this.#signal,
      onProgress: ({ side, collectionsRead, collectionsTotal, rowsRead }) =>
        say(`${side}: ${collectionsRead} of ${collectionsTotal} collections, ${count(rowsRead)} rows read`),
    });
    say(this.#comparison.summary);
  }

  #ledgerFile(): string {
    return join(expected(this.#lab).directory, 'ledger.jsonl');
  }

  #step(title: string, run: (say: Say) => Promise<void>): ListrTask {
    return {
      title,
      rendererOptions: { persistentOutput: true, outputBar: 1 },
      task: async (_context, task: Pick<ListrTaskWrapper<unknown, never, never>, 'output'>): Promise<void> => {
        const startedMs = performance.now();
        let last = '';
        let lastAtMs = -Infinity;
        await run((text) => {
          const nowMs = performance.now();
          // A terminal shows one line in place; in a log every change would be a line of its own.
          if (text === last || (!process.stdout.isTTY && nowMs - lastAtMs < PLAIN_LINE_INTERVAL_MS)) return;
          lastAtMs = nowMs;
          task.output = last = text;
        });
        this.#phases.push({ name: title, durationMs: Math.round(performance.now() - startedMs) });
      },
    } as ListrTask;
  }
}

/** @returns the exit code: 0 only when both sides are equal. */
export async function drill(options: DrillOptions, signal: AbortSignal): Promise<number> {
  const one = new Drill(options, signal);
  let failure: string | undefined;
  try {
    await new Listr(one.steps(), {
      fallbackRenderer: 'simple',
      collectErrors: false,
      // Its own listener would end the process before the lab is stopped.
      registerSignalListeners: false,
    }).run();
  } catch (error) {
    failure = signal.aborted ? 'The drill was stopped.' : toReplicationError(error).message;
  }
  const report = one.report(failure);
  await one.cleanUp();
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
  process.stdout.write(`\n${formatReport(report)}\n`);
  return report.equal ? 0 : 1;
}

/** Resolves when the task follows. Rejects with what keeps it from it: in a drill nobody mends an address meanwhile. */
function whenFollowing(host: EngineHost, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    host.on('status', (status) => {
      if (status.state === 'following') resolve();
    });
    host.on('failed', reject);
    signal.addEventListener('abort', () => reject(toReplicationError(signal.reason)), { once: true });
  });
}

async function orTimeout(level: Promise<void>, signal: AbortSignal): Promise<void> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(LEVEL_TIMEOUT_MS)]);
  const ended = new Promise<never>((_, reject) => {
    limit.addEventListener('abort', () => reject(tooLate(signal)), { once: true });
  });
  await Promise.race([level, ended]);
}

function tooLate(signal: AbortSignal): ReplicationError {
  if (signal.aborted) return toReplicationError(signal.reason);
  return new ReplicationError(
    'timeout',
    'target',
    `The target was not level ${formatDuration(LEVEL_TIMEOUT_MS)} after the load had ended. See the log with --log-level info.`,
  );
}

/** What an earlier step has left behind. */
function expected<T>(value: T | undefined): T {
  if (value === undefined) throw new ReplicationError('bug', 'internal', 'A step of the drill ran before its turn.');
  return value;
}

const numbers = new Intl.NumberFormat('en-US');
const count = (value: number): string => numbers.format(value);
const written = (status: TaskStatus | undefined): string =>
  `${count(status?.rowsWritten ?? 0)} rows written to the target, ${count(status?.rowsDeleted ?? 0)} deleted`;
