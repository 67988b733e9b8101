/** What is known of each task's status: heard from its thread, or made up where no thread speaks; told as events. */
import type { z } from 'zod';
import { taskStatusSchema } from '../../../shared/model/task-status.ts';
import { errorDataWithHint } from '../../engine/host/error-data.ts';
import type { EngineHost } from '../../engine/host/engine-host.ts';
import type { Logger } from '../../engine/runtime/logger.ts';
import type { DesiredState } from '../store/protection-store.ts';
import type { EventHub } from './event-hub.ts';
import { Refusal } from './refusal.ts';
import { Throttle } from './throttle.ts';

/** Four times a second looks alive; a list of 500 collections costs something each time. */
const STATUS_INTERVAL_MS = 250;

export type Status = z.output<typeof taskStatusSchema>;

/** A thread speaks four times a second; one that has not for so long may stand still. */
const FRESH_MS = 2_000;

interface Live {
  status: Status | undefined;
  /** A thread is to be heard: its silence counts. */
  isFollowed: boolean;
  readonly throttle: Throttle<Status>;
}

export class TaskStatuses {
  readonly #hub: EventHub;
  readonly #logger: Logger;
  readonly #live = new Map<string, Live>();

  constructor(hub: EventHub, logger: Logger) {
    this.#hub = hub;
    this.#logger = logger;
  }

  /** The last that was told; of a thread that has gone silent, with its silence added to what grows by the clock. */
  get(id: string): Status | undefined {
    const live = this.#live.get(id);
    if (live?.status === undefined || !live.isFollowed) return live?.status;
    const silenceMs = Date.now() - live.status.at;
    return silenceMs > FRESH_MS ? aged(live.status, silenceMs) : live.status;
  }

  /** From now on what the task's thread says is told. */
  follow(host: EngineHost): void {
    const id = host.taskId;
    const live = this.#liveOf(id);
    live.isFollowed = true;
    host.on('status', (status) => {
      const parsed = taskStatusSchema.safeParse(status);
      if (parsed.success) this.#tell(id, live, parsed.data);
      // A fault of ours in one task's report must not end the core with all the others.
      else this.#logger.error({ taskId: id, err: parsed.error }, "A task's status does not fit the contract.");
    });
    host.on('failed', (error) => {
      // The engine's own last status says why in most cases; where it could not even begin, this does.
      if (host.status?.trouble === undefined || live.status?.trouble === undefined) this.#fail(id, live, error);
    });
  }

  /** It has been stopped because it is to be paused. @param last Where nothing was heard of it since the core's start. */
  pause(id: string, last: Status | undefined): void {
    const live = this.#liveOf(id);
    const status = live.status ?? last;
    live.isFollowed = false;
    if (status === undefined) return;
    live.throttle.reset();
    this.#tell(id, live, atRest(status, 'paused'));
  }

  /** What still waits to be told is of a thread that has ended. */
  drop(id: string): void {
    const live = this.#live.get(id);
    if (live === undefined) return;
    live.isFollowed = false;
    live.throttle.reset();
  }

  fail(id: string, thrown: unknown): void {
    this.#fail(id, this.#liveOf(id), thrown);
  }

  /** The task is gone. */
  forget(id: string): void {
    this.drop(id);
    this.#live.delete(id);
  }

  #liveOf(id: string): Live {
    const found = this.#live.get(id);
    if (found !== undefined) return found;
    const publish = (status: Status): void => this.#hub.publish('task.status', { id, status });
    const live: Live = { status: undefined, isFollowed: false, throttle: new Throttle(STATUS_INTERVAL_MS, publish) };
    this.#live.set(id, live);
    return live;
  }

  #tell(id: string, live: Live, status: Status): void {
    // A thread may speak once more after its task was removed.
    if (this.#live.get(id) !== live) return;
    live.status = status;
    live.throttle.offer(status);
  }

  #fail(id: string, live: Live, thrown: unknown): void {
    const { hint, ...error } = thrown instanceof Refusal ? thrown.toData() : errorDataWithHint(thrown);
    this.#logger.error({ taskId: id, code: error.code }, error.message);
    const at = Date.now();
    const trouble = { error: { ...error, causes: [...error.causes] }, hint, since: at };
    this.#tell(id, live, { ...(live.status ?? emptyStatus(id)), at, state: 'failed', trouble });
  }
}

/** Of its JSON. `undefined`: written by another version it no longer fits; then nothing is known, which is said as that. */
export function parseStatus(json: string): Status | undefined {
  return taskStatusSchema.safeParse(JSON.parse(json)).data;
}

/** Nothing that was heard so long ago can be called in sync; the age of what is confirmed has grown meanwhile. */
export function aged(last: Status, silenceMs: number): Status {
  const { now } = last.lagMs;
  const older = <T extends { lagMs?: number | undefined }>(one: T): T =>
    one.lagMs === undefined ? one : { ...one, lagMs: one.lagMs + silenceMs };
  return {
    ...last,
    isInSync: false,
    lagMs: { ...last.lagMs, ...(now === undefined ? {} : { now: now + silenceMs }) },
    collections: last.collections.map((collection) => {
      const { shards } = collection;
      return { ...older(collection), ...(shards === undefined ? {} : { shards: shards.map(older) }) };
    }),
  };
}

/**
 * As it was when it was stopped, and no longer in trouble: what stood in its way is looked at again when it goes on. What is
 * of the moment is taken away; how long the log keeps what is needed stays, by the clock (`keptUntilMs`).
 */
export function atRest(last: Status, desired: DesiredState): Status {
  const state = desired === 'paused' ? 'paused' : 'initializing';
  const collections = last.collections.map((collection) => {
    const calm: Status['collections'][number] = { ...collection, state };
    delete calm.trouble;
    delete calm.detail;
    delete calm.lagMs;
    delete calm.shards;
    return calm;
  });
  const status: Status = { ...last, state, collections, lagMs: { ...last.lagMs } };
  delete status.lagMs.now;
  delete status.trouble;
  delete status.isInSync;
  delete status.source;
  delete status.stages;
  const headroom = last.headroom?.map((channel) => ({ ...channel, leftMs: null }));
  if (headroom !== undefined) status.headroom = headroom;
  return status;
}

function emptyStatus(taskId: string): Status {
  return {
    taskId,
    state: 'initializing',
    at: 0,
    collections: [],
    calls: {},
    rowsWritten: 0,
    rowsDeleted: 0,
    bytesRead: 0,
    messagesRead: 0,
    unknownMessages: {},
    skippedOperations: {},
    operationsPending: 0,
    lagMs: { p50: 0, p99: 0, max: 0, samples: 0 },
    budgetUsedBytes: 0,
    budgetPeakBytes: 0,
    notices: [],
  };
}
