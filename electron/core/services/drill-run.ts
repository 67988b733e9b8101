/**
 * One drill: the main job on two real servers, from nothing to a verdict. The judge (load, ledger, comparison) knows
 * nothing of the engine; this file only brings the two together. Who shows the steps is no matter of its own.
 */
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { pino } from 'pino';
import { ReplicationError, toReplicationError } from '../../../shared/model/replication-error.ts';
import type { TaskStatus } from '../../../shared/model/task-status.ts';
import type { EngineHost } from '../../engine/host/engine-host.ts';
import { compareClusters } from '../drill/compare/compare-clusters.ts';
import { startLoad, type LoadResult } from '../drill/load/run-load.ts';
import type { DrillReport } from '../drill/report.ts';
import { sabotageTarget, type SabotageKind } from '../drill/sabotage.ts';
import type { LabWal } from '../lab/instance-record.ts';
import { startLab, type Lab } from '../lab/lab.ts';
import { formatDuration } from './status-lines.ts';
import { TaskRunner } from './task-runner.ts';

/** After the load has ended the target is level within seconds; this only ends a drill that hangs. */
const LEVEL_TIMEOUT_MS = 10 * 60_000;

export interface DrillRunOptions {
  readonly wal: LabWal;
  readonly rows: number;
  readonly seconds: number;
  readonly seed?: number;
  readonly wheel?: string;
  readonly logLevel: string;
  readonly sabotage?: SabotageKind;
}

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
  #load: LoadResult | undefined;
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
      this.#step('Start the replication', (say) => this.#startTask(say)),
      this.#step('Write a mixed load into the source', (say) => this.#runLoad(say)),
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
    this.#tasks = new TaskRunner({ storeFile: join(lab.directory, 'store.sqlite'), logLevel, logger });
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
