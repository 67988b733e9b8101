/** The core as the bench sees it: protects one cluster by another, and measures itself while it does. */
import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clusters, CoreCalls, CoreFigures, RssSample, WorkFigures } from '../../../shared/bench/bench-line.ts';
import { LOOP_RESOLUTION_MS, readLoopDelay } from '../../../shared/bench/loop-delay.ts';
import type { TaskView } from '../../../shared/contract/procedures.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { TaskStatus } from '../../../shared/model/task-status.ts';
import type { EngineHost } from '../../engine/host/engine-host.ts';
import { machineCpuSeconds } from '../../engine/host/machine-cpu.ts';
import type { Core } from '../services/core.ts';
import { steadyRate } from './statistics.ts';

const NAME = 'bench';
const RSS_INTERVAL_MS = 250;
const MIB = 1024 * 1024;
const KIB_PER_MIB = 1024;
const MICROSECONDS_PER_SECOND = 1e6;

const NOTHING_YET = { at: 0, rowsWritten: 0 };

export class MeasuredCore implements CoreCalls {
  readonly #core: Core;
  readonly #loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  #taskId = '';
  #clusterIds: readonly string[] = [];
  #before: Pick<TaskStatus, 'at' | 'rowsWritten'> = NOTHING_YET;
  #startedMs = 0;
  #cpuBefore = process.cpuUsage();
  #rss: RssSample[] = [];
  #rssTimer: NodeJS.Timeout | undefined;

  constructor(core: Core) {
    this.#core = core;
  }

  /** By the calls that the window would make. */
  async protect(clusters: Clusters): Promise<void> {
    await this.#create(clusters);
    // Once it has begun: what is made from then on it meets in the log.
    await this.untilLevel();
  }

  copy(clusters: Clusters): Promise<WorkFigures> {
    return this.#work(() => this.#create(clusters));
  }

  catchUp(): Promise<WorkFigures> {
    return this.#work(() => this.#call('tasks.resume', { id: this.#taskId }));
  }

  async unprotect(): Promise<void> {
    await this.#call('tasks.remove', { id: this.#taskId });
    for (const id of this.#clusterIds) await this.#call('connections.remove', { id });
  }

  async pause(): Promise<void> {
    const { hub, runner } = this.#core;
    const stopped = Promise.withResolvers<void>();
    const look = (): void => {
      if (runner.host(this.#taskId) === undefined) stopped.resolve();
    };
    // The status of a paused task is published when it has stopped.
    const end = hub.on(look);
    await this.#call('tasks.pause', { id: this.#taskId });
    look();
    await stopped.promise.finally(end);
  }

  measure(): void {
    this.#before = this.#running()?.status ?? NOTHING_YET;
    this.#startedMs = performance.now();
    this.#cpuBefore = process.cpuUsage();
    this.#rss = [];
    this.#rssTimer = setInterval(() => {
      const atMs = performance.now() - this.#startedMs;
      this.#rss.push({ atMs, mib: process.memoryUsage.rss() / MIB });
    }, RSS_INTERVAL_MS);
    this.#loop.reset();
    this.#loop.enable();
  }

  report(): CoreFigures {
    this.#loop.disable();
    clearInterval(this.#rssTimer);
    const status = this.#running()?.status;
    const rowsWritten = (status ?? this.#before).rowsWritten - this.#before.rowsWritten;
    // By the engine's own clock: a status is some 100 ms old.
    const rowsMs = (status ?? this.#before).at - this.#before.at;
    return {
      elapsedMs: performance.now() - this.#startedMs,
      rowsWritten,
      rowsPerSecond: rowsMs > 0 ? (rowsWritten * 1_000) / rowsMs : 0,
      lagMs: { p50: status?.lagMs.p50 ?? 0, p99: status?.lagMs.p99 ?? 0 },
      loopDelayMs: readLoopDelay(this.#loop),
      cpuSeconds: cpuSeconds(this.#cpuBefore),
      rss: this.#rss,
      peakRssMiB: Math.round(process.resourceUsage().maxRSS / KIB_PER_MIB),
    };
  }

  async untilLevel(): Promise<void> {
    await level(await this.#host());
  }

  /** Starts the task and follows it until it is level. */
  async #work(start: () => Promise<unknown>): Promise<WorkFigures> {
    const cpuBefore = process.cpuUsage();
    const machineBefore = machineCpuSeconds();
    const startedMs = performance.now();
    const startedAt = Date.now();
    await start();
    const host = await this.#host();
    const samples: { readonly atMs: number; readonly rows: number; readonly machineCpu: number }[] = [];
    const onStatus = ({ at, rowsWritten }: TaskStatus): void => {
      const isNew = rowsWritten > 0 && samples.at(-1)?.rows !== rowsWritten;
      const machineCpu = isNew ? machineCpuSeconds() : (samples.at(-1)?.machineCpu ?? machineBefore);
      samples.push({ atMs: at, rows: rowsWritten, machineCpu });
    };
    const first = Promise.withResolvers<number>();
    const onFirst = ({ rowsWritten }: TaskStatus): void => {
      if (rowsWritten > 0) first.resolve(performance.now() - startedMs);
    };
    host.on('status', onStatus).on('status', onFirst);
    try {
      await level(host);
      const elapsedMs = performance.now() - startedMs;
      const spent = cpuSeconds(cpuBefore);
      // The last rows may be newer than the last status.
      const [status] = (await once(host, 'status')) as [TaskStatus];
      const last = samples.find(({ rows }) => rows === status.rowsWritten);
      return {
        rowsWritten: status.rowsWritten,
        elapsedMs,
        lastRowsMs: last === undefined ? elapsedMs : last.atMs - startedAt,
        machineCpuSeconds: (last?.machineCpu ?? machineCpuSeconds()) - machineBefore,
        firstRowsMs: await first.promise,
        steadyRowsPerSecond: Math.round(steadyRate(samples)),
        cpuSeconds: spent,
        calls: status.calls,
        copyMs: await this.#copies(),
      };
    } finally {
      host.off('status', onStatus).off('status', onFirst);
    }
  }

  async #copies(): Promise<readonly number[]> {
    const { joins } = (await this.#call('tasks.history', { id: this.#taskId })) as {
      joins: { copyBegan: number; copyEnded: number }[];
    };
    return joins.map(({ copyBegan, copyEnded }) => copyEnded - copyBegan);
  }

  async #create({ source, target }: Clusters): Promise<void> {
    const sourceId = await this.#save('source', source);
    const targetId = await this.#save('target', target);
    this.#clusterIds = [sourceId, targetId];
    const { task } = (await this.#call('tasks.create', { name: NAME, sourceId, targetId })) as { task: TaskView };
    this.#taskId = task.id;
  }

  #running(): EngineHost | undefined {
    return this.#core.runner.host(this.#taskId);
  }

  /** A task that was begun is started some turns later. */
  async #host(): Promise<EngineHost> {
    const limit = AbortSignal.timeout(START_LIMIT_MS);
    for (;;) {
      const host = this.#running();
      if (host !== undefined) return host;
      if (limit.aborted) throw new ReplicationError('bug', 'internal', "The bench's protection does not run.");
      await nextTurn();
    }
  }

  async #save(side: string, parts: Clusters['source'] | Clusters['target']): Promise<string> {
    const saved = await this.#call('connections.save', { name: `${NAME} ${side}`, ...parts });
    return (saved as { connection: { id: string } }).connection.id;
  }

  async #call(name: string, input: unknown): Promise<unknown> {
    const answer = await this.#core.dispatch(name, input);
    if (answer.ok) return answer.output;
    throw new ReplicationError('labFailed', 'internal', `${name} failed: ${answer.error.message}`);
  }
}

/** A trouble that has lasted for so long ends the bench, which would wait for ever. */
const TROUBLE_MS_MAX = 30_000;

async function level(host: EngineHost): Promise<void> {
  const stuck = Promise.withResolvers<never>();
  const onStatus = ({ at, trouble }: TaskStatus): void => {
    if (trouble === undefined || at - trouble.since < TROUBLE_MS_MAX) return;
    stuck.reject(new ReplicationError('labFailed', 'internal', `The protection is held up: ${trouble.error.message}`));
  };
  host.on('status', onStatus);
  try {
    await Promise.race([host.whenLevel(), stuck.promise]);
  } finally {
    host.off('status', onStatus);
  }
}

/** Nothing but the queue of the task's own changes stands before its start. */
const START_LIMIT_MS = 10_000;

function cpuSeconds(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / MICROSECONDS_PER_SECOND;
}
