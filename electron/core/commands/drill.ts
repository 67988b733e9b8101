/**
 * `npm start -- drill`: the main job on two real servers, from nothing to a verdict. The judge (load, ledger,
 * comparison) knows nothing of the engine; this file only brings the two together.
 */
import { randomInt } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Listr, type ListrTaskWrapper } from 'listr2';
import { pino } from 'pino';
import { ReplicationError, toReplicationError } from '../../../shared/model/replication-error.ts';
import type { TaskStatus } from '../../../shared/model/task-status.ts';
import type { EngineHost } from '../../engine/host/engine-host.ts';
import { compareClusters, type ComparisonReport } from '../drill/compare/compare-clusters.ts';
import { startLoad, type LoadResult } from '../drill/load/run-load.ts';
import { formatReport, type DrillReport } from '../drill/report.ts';
import { sabotageTarget, type Sabotage } from '../drill/sabotage.ts';
import { startLab, type Lab } from '../lab/lab.ts';
import { formatDuration } from '../services/status-lines.ts';
import { TaskService } from '../services/task-service.ts';

/** After the load has ended the target is level within seconds; this only ends a drill that hangs. */
const LEVEL_TIMEOUT_MS = 10 * 60_000;

export interface DrillOptions {
  readonly json?: string;
  readonly wal: 'nats';
  readonly rows: number;
  readonly seconds: number;
  readonly seed?: number;
  readonly wheel?: string;
  readonly logLevel: string;
  readonly sabotage?: Sabotage;
}

/** What the steps hand on to each other. */
interface DrillState {
  lab?: Lab;
  tasks?: TaskService;
  host?: EngineHost;
  load?: LoadResult;
  comparison?: ComparisonReport;
  status?: TaskStatus;
  readonly phases: { name: string; durationMs: number }[];
}

type Step = ListrTaskWrapper<DrillState, never, never>;

/** @returns the exit code: 0 only when both sides are equal. */
export async function drill(options: DrillOptions, signal: AbortSignal): Promise<number> {
  const startedAt = new Date();
  const seed = options.seed ?? randomInt(2 ** 31);
  const state: DrillState = { phases: [] };
  let failure: string | undefined;
  try {
    await new Listr<DrillState>(stepsOf(options, seed, signal), {
      ctx: state,
      collectErrors: false,
      rendererOptions: { collapseSubtasks: false, collapseErrors: true },
      fallbackRendererOptions: { logTitleChange: false },
    } as never).run();
    if (state.comparison?.equal !== true) failure = state.comparison?.failure ?? 'The two sides were not compared.';
  } catch (error) {
    failure = signal.aborted ? 'The drill was stopped.' : toReplicationError(error).message;
  } finally {
    await cleanUp(state);
  }
  const report = toReport(options, seed, startedAt, state, failure);
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
  process.stdout.write(`\n${formatReport(report)}\n`);
  return failure === undefined ? 0 : 1;
}

function stepsOf(options: DrillOptions, seed: number, signal: AbortSignal) {
  return [
    step('Two real Milvus clusters on this machine', async (state, task) => {
      state.lab = await startLab({
        purpose: 'throwaway',
        wheelFile: options.wheel,
        signal,
        onProgress: ({ message, fraction }) => {
          task.output = fraction === undefined ? message : `${message} ${Math.floor(fraction * 100)} %`;
        },
      });
      task.output = 'running; their ports are open to this network, behind a generated password, until the drill ends';
    }),
    step('Replication from the source to the target', async (state, task) => {
      const { lab } = expectLab(state);
      const logger = pino({ level: options.logLevel, base: null }, pino.destination(2));
      state.tasks = new TaskService({ storeFile: join(lab.directory, 'store.sqlite'), logLevel: options.logLevel, logger });
      const host = state.tasks.start({
        taskId: 'drill',
        source: lab.source.asSource,
        target: lab.target.asTarget,
        readBudgetBytes: 256 * 1024 * 1024,
      });
      state.host = host;
      await whenFollowing(host, signal);
      task.output = 'following';
    }),
    step('Mixed load on the source', async (state, task) => {
      const { lab } = expectLab(state);
      const onStatus = (status: TaskStatus): void => {
        state.status = status;
      };
      state.host?.on('status', onStatus);
      state.load = await startLoad({
        source: lab.source.asTarget.milvus,
        rows: options.rows,
        seconds: options.seconds,
        seed,
        ledgerFile: join(lab.directory, 'ledger.jsonl'),
        signal,
        onProgress: (progress) => {
          const behind = state.status === undefined ? '' : `, ${count(state.status.rowsWritten)} rows written to the target`;
          task.output = `${count(progress.rows)} of ${count(options.rows)} rows, ${count(progress.operations)} operations${behind}`;
        },
      });
      state.host?.off('status', onStatus);
    }),
    step('Until the target is level', async (state, task) => {
      const { host } = state;
      if (host === undefined) throw new ReplicationError('bug', 'internal', 'The task was not started.');
      const startedMs = performance.now();
      host.on('status', (status) => {
        task.output = `${count(status.rowsWritten)} rows written, ${formatDuration(performance.now() - startedMs)}`;
      });
      await orTimeout(host.whenLevel(), signal);
      state.status = host.status;
    }),
    ...(options.sabotage === undefined ? [] : [sabotageStep(options.sabotage, seed)]),
    step('Comparison by key and content', async (state, task) => {
      const { lab } = expectLab(state);
      state.comparison = await compareClusters({
        source: lab.source.asTarget.milvus,
        target: lab.target.asTarget.milvus,
        ledgerFile: join(lab.directory, 'ledger.jsonl'),
        signal,
        onProgress: (message) => {
          task.output = message;
        },
      });
      task.output = state.comparison.equal ? 'equal' : 'not equal';
    }),
  ];
}

function sabotageStep(kind: Sabotage, seed: number) {
  return step(`Sabotage of the target (${kind})`, async (state, task) => {
    task.output = await sabotageTarget(kind, expectLab(state).lab.target.asTarget.milvus, seed);
  });
}

/** A step of the list, its duration noted. */
function step(title: string, run: (state: DrillState, task: Step) => Promise<void>) {
  return {
    title,
    rendererOptions: { persistentOutput: true },
    task: async (state: DrillState, task: Step): Promise<void> => {
      const startedMs = performance.now();
      await run(state, task);
      state.phases.push({ name: title, durationMs: Math.round(performance.now() - startedMs) });
    },
  };
}

/** Resolves when the task follows. Rejects with what keeps it from it: in a drill nobody mends an address meanwhile. */
function whenFollowing(host: EngineHost, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    host.on('status', (status) => {
      if (status.state === 'following') resolve();
    });
    host.on('failed', reject);
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
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
  return new ReplicationError('timeout', 'target', `The target was not level ${formatDuration(LEVEL_TIMEOUT_MS)} after the load had ended.`);
}

async function cleanUp(state: DrillState): Promise<void> {
  await state.tasks?.stopAll();
  await state.lab?.stop();
}

function expectLab(state: DrillState): { lab: Lab } {
  if (state.lab === undefined) throw new ReplicationError('bug', 'internal', 'The lab was not started.');
  return { lab: state.lab };
}

function toReport(
  options: DrillOptions,
  seed: number,
  startedAt: Date,
  state: DrillState,
  failure: string | undefined,
): DrillReport {
  void options;
  void seed;
  void startedAt;
  void state;
  void failure;
  throw new ReplicationError('bug', 'internal', 'unfinished');
}

const numbers = new Intl.NumberFormat('en-US');
const count = (value: number): string => numbers.format(value);
