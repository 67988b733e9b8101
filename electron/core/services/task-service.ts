/**
 * The protections: what the operator wants of each stands in the store, and what runs is brought in line with it. Every
 * change of a task waits for the one before, so that two clicks never meet in the middle of a stop.
 */
import type { z } from 'zod';
import { taskStatusSchema, type TaskView } from '../../../shared/contract/procedures.ts';
import type { ReplicationError } from '../../../shared/model/replication-error.ts';
import { errorDataWithHint } from '../../engine/host/error-data.ts';
import type { EngineHost } from '../../engine/host/engine-host.ts';
import type { Logger } from '../../engine/runtime/logger.ts';
import type { ProtectionStore, StoredProtection } from '../store/protection-store.ts';
import type { ConnectionService } from './connection-service.ts';
import type { EventHub } from './event-hub.ts';
import { newId } from './new-id.ts';
import { Refusal } from './refusal.ts';
import type { TaskRunner } from './task-runner.ts';
import { Throttle } from './throttle.ts';

/** Four times a second looks alive; a list of 500 collections costs something each time. */
const STATUS_INTERVAL_MS = 250;

type Status = z.output<typeof taskStatusSchema>;

interface Live {
  status: Status | undefined;
  readonly throttle: Throttle<Status>;
  /** The last change that was asked for; the next one waits for it. */
  pending: Promise<void>;
}

export interface TaskServiceOptions {
  readonly store: ProtectionStore;
  readonly connections: ConnectionService;
  readonly runner: TaskRunner;
  readonly hub: EventHub;
  readonly logger: Logger;
}

export class TaskService {
  readonly #options: TaskServiceOptions;
  readonly #live = new Map<string, Live>();
  #isClosing = false;

  constructor(options: TaskServiceOptions) {
    this.#options = options;
  }

  list(): TaskView[] {
    return this.#options.store.list().map((protection) => this.#view(protection));
  }

  create({ name, sourceId, targetId }: { name: string; sourceId: string; targetId: string }): TaskView {
    const { store, connections } = this.#options;
    const { etcd } = connections.asSource(sourceId);
    const { milvus } = connections.asTarget(targetId);
    const sourceMilvus = connections.get(sourceId).parts['milvus'] as { address: string } | undefined;
    if (sourceId === targetId || sourceMilvus?.address === milvus.address) {
      throw new Refusal(
        'invalidInput',
        'Source and target are the same cluster; it would copy its own changes without end.',
        'Choose another target.',
        { field: 'targetId', etcd: etcd.endpoints.join(',') },
      );
    }
    if (store.list().some((other) => other.name === name)) {
      throw new Refusal('invalidInput', `A protection named ${name} exists already.`, 'Choose another name.', {
        field: 'name',
      });
    }
    const id = newId(name, 'protection');
    const protection: StoredProtection = {
      id,
      name,
      sourceId,
      targetId,
      desired: 'running',
      createdAt: Date.now(),
      pausedAt: undefined,
      lastStatus: undefined,
    };
    store.add(protection);
    this.#reconcile(id);
    this.#changed();
    return this.#view(protection);
  }

  /** The wish is stored when this returns; the task stops after the write in flight. */
  pause(id: string): TaskView {
    const { store } = this.#options;
    if (this.#get(id).desired !== 'paused') {
      store.setDesired(id, 'paused', Date.now());
      this.#reconcile(id);
      this.#changed();
    }
    return this.#view(this.#get(id));
  }

  /** Starts it, and starts it anew where it waits for a person: the cause may have been mended. */
  resume(id: string): TaskView {
    const { store } = this.#options;
    this.#get(id);
    store.setDesired(id, 'running');
    this.#reconcile(id, { isAnew: true });
    this.#changed();
    return this.#view(this.#get(id));
  }

  /** Returns when it has stopped and its checkpoints are gone. The target is not touched. */
  async remove(id: string): Promise<void> {
    const { store, runner } = this.#options;
    this.#get(id);
    await this.#queue(id, async () => {
      await runner.stop(id);
      store.remove(id);
      this.#live.get(id)?.throttle.reset();
      this.#live.delete(id);
    });
    this.#changed();
  }

  /** Names of the tasks that use the connection. */
  usersOf(connectionId: string): string[] {
    return this.#options.store
      .list()
      .filter(({ sourceId, targetId }) => sourceId === connectionId || targetId === connectionId)
      .map(({ name }) => name);
  }

  /** Of every task that should run and uses the connection, which has changed. */
  restartUsersOf(connectionId: string): void {
    for (const { id, sourceId, targetId, desired } of this.#options.store.list()) {
      const isUser = sourceId === connectionId || targetId === connectionId;
      if (isUser && desired === 'running') this.#reconcile(id, { isAnew: true });
    }
  }

  /** At the core's start. */
  startAll(): void {
    for (const { id, desired } of this.#options.store.list()) if (desired === 'running') this.#reconcile(id);
  }

  /** At the core's end: all stop, checkpoints stored; what is desired stays as it is. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await Promise.all([...this.#live.keys()].map((id) => this.#queue(id, () => this.#stop(id))));
  }

  #get(id: string): StoredProtection {
    const found = this.#options.store.get(id);
    if (found !== undefined) return found;
    throw new Refusal('notFound', `There is no protection with the id "${id}".`, 'Look at the list again.');
  }

  /** Brings what runs in line with what is desired, after whatever is under way. */
  #reconcile(id: string, { isAnew = false } = {}): void {
    const done = this.#queue(id, async () => {
      const protection = this.#options.store.get(id);
      if (protection === undefined || this.#isClosing) return;
      if (isAnew || protection.desired === 'paused') await this.#stop(id);
      if (protection.desired === 'running') this.#start(protection);
      else this.#pausedNow(id);
    });
    // Nobody waits for it: its failure stands in the task's status.
    done.catch(() => undefined);
  }

  /** Runs after the task's earlier changes. A failure is told in the task's status and keeps nothing after it back. */
  #queue(id: string, work: () => Promise<void>): Promise<void> {
    const live = this.#liveOf(id);
    const done = live.pending.then(work);
    live.pending = done.catch((error: unknown) => this.#failed(id, error));
    return done;
  }

  #start({ id, sourceId, targetId }: StoredProtection): void {
    const { connections, runner } = this.#options;
    if (runner.host(id) !== undefined) return;
    const live = this.#liveOf(id);
    const host = runner.start({
      taskId: id,
      source: connections.asSource(sourceId),
      target: connections.asTarget(targetId),
    });
    host.on('status', (status) => {
      const parsed = taskStatusSchema.safeParse(status);
      if (parsed.success) this.#heard(id, live, parsed.data);
      // A fault of ours in one task's report must not end the core with all the others.
      else this.#options.logger.error({ taskId: id, err: parsed.error }, "A task's status does not fit the contract.");
    });
    host.on('failed', (error) => this.#ended(id, live, host, error));
  }

  async #stop(id: string): Promise<void> {
    const { runner, store } = this.#options;
    if (runner.host(id) === undefined) return;
    await runner.stop(id);
    const { status, throttle } = this.#liveOf(id);
    throttle.reset();
    if (status !== undefined) store.setLastStatus(id, JSON.stringify(status));
  }

  #pausedNow(id: string): void {
    const live = this.#liveOf(id);
    const last = live.status ?? this.#lastStored(id);
    if (last === undefined) return;
    live.throttle.reset();
    this.#heard(id, live, atRest(last, 'paused'));
  }

  #heard(id: string, live: Live, status: Status): void {
    // A thread may speak once more after its task was removed.
    if (this.#live.get(id) !== live) return;
    live.status = status;
    live.throttle.offer(status);
  }

  /** The engine's own last status says why in most cases; where it could not even begin, this does. */
  #ended(id: string, live: Live, host: EngineHost, error: ReplicationError): void {
    const isTold = host.status?.trouble !== undefined && live.status?.trouble !== undefined;
    if (!isTold) this.#failed(id, error);
  }

  #failed(id: string, thrown: unknown): void {
    const live = this.#live.get(id);
    if (live === undefined) return;
    const { hint, ...error } = thrown instanceof Refusal ? thrown.toData() : errorDataWithHint(thrown);
    this.#options.logger.error({ taskId: id, code: error.code }, error.message);
    const at = Date.now();
    const trouble = {
      error: { ...error, causes: [...error.causes], context: { ...error.context } },
      hint,
      since: at,
    };
    this.#heard(id, live, { ...(live.status ?? emptyStatus(id)), at, state: 'failed', trouble });
  }

  #liveOf(id: string): Live {
    const found = this.#live.get(id);
    if (found !== undefined) return found;
    const throttle = new Throttle<Status>(STATUS_INTERVAL_MS, (status) =>
      this.#options.hub.publish('task.status', { id, status }),
    );
    const live: Live = { status: undefined, throttle, pending: Promise.resolve() };
    this.#live.set(id, live);
    return live;
  }

  #lastStored(id: string): Status | undefined {
    const text = this.#options.store.get(id)?.lastStatus;
    if (text === undefined) return undefined;
    // Written by another version it may no longer fit; then nothing is known, which is said as that.
    const parsed = taskStatusSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  }

  #view({ id, name, sourceId, targetId, desired, createdAt, pausedAt }: StoredProtection): TaskView {
    const live = this.#live.get(id)?.status;
    const stored = live === undefined ? this.#lastStored(id) : undefined;
    const status = live ?? (stored === undefined ? undefined : atRest(stored, desired));
    return {
      id,
      name,
      sourceId,
      targetId,
      desired,
      createdAt,
      ...(pausedAt === undefined ? {} : { pausedAt }),
      ...(status === undefined ? {} : { status }),
    };
  }

  #changed(): void {
    this.#options.hub.publish('tasks.changed', { tasks: this.list() });
    // Views of connections name their users.
    this.#options.connections.changed();
  }
}

/** As it was when it was stopped, and no longer in trouble: what stood in its way is looked at again when it goes on. */
function atRest(last: Status, desired: StoredProtection['desired']): Status {
  const state = desired === 'paused' ? 'paused' : 'initializing';
  const collections = last.collections.map((collection) => {
    const calm: Status['collections'][number] = { ...collection, state };
    delete calm.trouble;
    delete calm.detail;
    return calm;
  });
  const status: Status = { ...last, state, collections };
  delete status.trouble;
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
