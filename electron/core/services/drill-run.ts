/**
 * One drill: the main job on two real servers, from nothing to a verdict. Some rows are there before the replication
 * begins, and the load goes on while they are copied, so that each drill joins copy and log. The judge (load, ledger, comparison) knows
 * nothing of the engine; this file only brings the two together. Who shows the steps is no matter of its own.
 */
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { pino } from 'pino';
import { asTaskId } from '../../../shared/model/ids.ts';
import { ReplicationError, toReplicationError } from '../../../shared/model/replication-error.ts';
import type { TaskState, TaskStatus } from '../../../shared/model/task-status.ts';
import type { EngineHost } from '../../engine/host/engine-host.ts';
import { compareClusters } from '../drill/compare/compare-clusters.ts';
import { startLoad, type LoadOptions, type LoadResult } from '../drill/load/run-load.ts';
import type { DrillReport } from '../drill/report.ts';
import { sabotageTarget, type SabotageKind } from '../drill/sabotage.ts';
import type { LabWal } from '../lab/instance-record.ts';
import { startLab, type Lab } from '../lab/lab.ts';
import { openDatabase } from '../store/database.ts';
import { SqliteTaskStore } from '../store/sqlite-task-store.ts';
import { formatDuration, troubleLines } from './status-lines.ts';
import { TaskRunner } from './task-runner.ts';

/** After the load has ended the target is level within seconds; this only ends a drill that hangs. */
const LEVEL_TIMEOUT_MS = 10 * 60_000;
/** Of the rows, to be copied: enough to be worth it, while the operations that are hard to follow are still to come. */
const FIRST_ROWS_SHARE = 0.3;
const COPY_IS_OVER: ReadonlySet<TaskState> = new Set<TaskState>(['replaying', 'following', 'held', 'failed']);
const TASK_ID = 'drill';

export interface DrillRunOptions {
  readonly wal: LabWal;
  readonly rows: number;
  readonly seconds: number;
  readonly seed?: number;
  readonly wheel?: string;
  readonly logLevel: string;
  readonly sabotage?: SabotageKind;
}

type LoadOrderTo = Parameters<NonNullable<LoadOptions['onPaused']>>[0];

/** A line under a step, for its progress. */
type Say = (text: string) => void;

export interface DrillStep {
  readonly title: string;
  /** Once, and only when the step before it has succeeded. `say` is called as often as something changes. */
  run(say: Say): Promise<void>;
}

/** One drill: its steps in order, each leaving behind what the next one needs. */
export class DrillRun {
  readonly seed: number;
  readonly #options: DrillRunOptions;
  readonly #signal: AbortSignal;
  readonly #startedAt = new Date();
  readonly #phases: DrillReport['phases'] = [];
  #lab: Lab | undefined;
  #tasks: TaskRunner | undefined;
  #host: EngineHost | undefined;
  #loading: Promise<LoadResult> | undefined;
  #order: LoadOrderTo | undefined;
  #sayLoad: Say = () => undefined;
  #load: LoadResult | undefined;
  #copy: DrillReport['copy'];
  #loadStartedMs = 0;
  #levelMs = 0;
  #comparison: Awaited<ReturnType<typeof compareClusters>> | undefined;

  constructor(options: DrillRunOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.seed = options.seed ?? randomInt(2 ** 31);
  }

  steps(): DrillStep[] {
    const { sabotage } = this.#options;
    return [
      this.#step('Start two real Milvus clusters on this machine', (say) => this.#startLab(say)),
      this.#step('Write the first rows into the source', (say) => this.#writeFirst(say)),
      this.#step('Start the replication: copy, then follow', (say) => this.#startTask(say)),
      this.#step('Write a mixed load into the source meanwhile', (say) => this.#runLoad(say)),
      this.#step('Wait until the target is level', (say) => this.#awaitLevel(say)),
      ...(sabotage === undefined
        ? []
        : [this.#step(`Sabotage the target (${sabotage})`, (say) => this.#sabotage(sabotage, say))]),
      this.#step('Compare both sides by key and content', (say) => this.#compare(say)),
    ];
  }

  /** @param failure The sentence of what ended it early; then there may be no comparison. */
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
      ...(this.#copy === undefined ? {} : { copy: this.#copy }),
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

  /** Stops what was started and removes it. */
  async cleanUp(): Promise<void> {
    await this.#tasks?.stopAll();
    await this.#lab?.stop();
  }

  async #startLab(say: Say): Promise<void> {
    this.#lab = await startLab({
      purpose: 'throwaway',
      wal: this.#options.wal,
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
    this.#tasks = new TaskRunner({ storeFile: this.#storeFile(), logLevel, logger });
    const { asSource: source } = lab.source;
    const start = { kind: 'copy', mayLoad: true } as const;
    const host = this.#tasks.start({ taskId: TASK_ID, source, target: lab.target.asTarget, start });
    this.#host = host;
    const { collections } = await whenBegun(host, this.#signal);
    say(`Copying ${count(collections.length)} collections.`);
  }

  /** Resolves when they are there and the load waits. */
  async #writeFirst(say: Say): Promise<void> {
    const { rows, seconds } = this.#options;
    this.#loadStartedMs = performance.now();
    this.#sayLoad = say;
    const paused = Promise.withResolvers<void>();
    this.#loading = startLoad({
      source: expected(this.#lab).source.asTarget.milvus,
      rows,
      seconds,
      seed: this.seed,
      ledgerFile: this.#ledgerFile(),
      signal: this.#signal,
      pauseAtShare: FIRST_ROWS_SHARE,
      onPaused: (order) => {
        this.#order = order;
        paused.resolve();
      },
      onProgress: ({ rowsInserted, rowsTotal }) => {
        const replicated = this.#host === undefined ? '' : `; ${written(this.#host.status)}`;
        this.#sayLoad(`${count(rowsInserted)} of ${count(rowsTotal)} rows inserted${replicated}`);
      },
    });
    // Also thrown by the step that waits for its end; it may fail between the two.
    this.#loading.catch(() => undefined);
    await Promise.race([paused.promise, this.#loading]);
  }

  async #runLoad(say: Say): Promise<void> {
    this.#sayLoad = say;
    const [host, order] = [expected(this.#host), expected(this.#order)];
    order('goOn');
    const onStatus = (status: TaskStatus): void => {
      if (!status.collections.every(({ state }) => COPY_IS_OVER.has(state))) {
        say(standing(status));
        return;
      }
      order('copied');
      host.off('status', onStatus);
    };
    host.on('status', onStatus);
    // One that never gets there is told of when the target is waited for.
    const late = setTimeout(() => order('copied'), LEVEL_TIMEOUT_MS);
    try {
      this.#load = await expected(this.#loading);
    } finally {
      clearTimeout(late);
      host.off('status', onStatus);
    }
  }

  async #awaitLevel(say: Say): Promise<void> {
    const host = expected(this.#host);
    const onStatus = (status: TaskStatus): void => say(standing(status));
    host.on('status', onStatus);
    try {
      await orTimeout(host.whenLevel(), this.#signal);
    } finally {
      host.off('status', onStatus);
    }
    this.#levelMs = performance.now();
    this.#copy = this.#readJoins();
    say(`${count(this.#copy.rows)} rows copied; ${written(host.status)}`);
  }

  /** What the engine's own history says of its copies. */
  #readJoins(): NonNullable<DrillReport['copy']> {
    using database = openDatabase(this.#storeFile());
    const joins = new SqliteTaskStore(database, asTaskId(TASK_ID)).joins();
    const sum = (of: (join: (typeof joins)[number]) => string): number =>
      joins.reduce((total, join) => total + Number(of(join)), 0);
    return {
      rows: sum(({ rowsCopied }) => rowsCopied),
      collectionsJoined: joins.length,
      sourceDoubles: sum(({ sourceDoubles }) => sourceDoubles),
    };
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

  #storeFile(): string {
    return join(expected(this.#lab).directory, 'store.sqlite');
  }

  #ledgerFile(): string {
    return join(expected(this.#lab).directory, 'ledger.jsonl');
  }

  #step(title: string, run: (say: Say) => Promise<void>): DrillStep {
    return {
      title,
      run: async (say) => {
        const startedMs = performance.now();
        await run(say);
        this.#phases.push({ name: title, durationMs: Math.round(performance.now() - startedMs) });
      },
    };
  }
}

/**
 * Resolves when the task knows its collections and copies them. Rejects with what keeps it from it: in a drill nobody
 * mends an address meanwhile.
 */
function whenBegun(host: EngineHost, signal: AbortSignal): Promise<TaskStatus> {
  return new Promise((resolve, reject) => {
    host.on('status', (status) => {
      if (status.state !== 'initializing' && status.state !== 'blocked') resolve(status);
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

/** What was written, and what holds it up where something does: a drill that takes long says why. */
function standing(status: TaskStatus): string {
  const bottleneck = status.stages?.bottleneck;
  const heldUpBy = bottleneck === undefined || bottleneck.stage === 'none' ? [] : [bottleneck.reason];
  return [written(status), ...heldUpBy, ...troubleLines(status)].join('; ');
}
