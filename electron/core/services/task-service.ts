/**
 * The protections: what the operator wants of each stands in the store, and what runs is brought in line with it. Every
 * change of a task waits for the one before, so that two clicks never meet in the middle of a stop.
 */
import type { ProcedureOutput, SelectionPreview, TaskView } from '../../../shared/contract/procedures.ts';
import { OPERATIONS_SHOWN_MAX } from '../../../shared/contract/task-procedures.ts';
import type { CopyBudget } from '../../../shared/model/copy-budget.ts';
import type { GapPolicy } from '../../../shared/model/gap-policy.ts';
import { isSameNames, SAME_NAMES, type NameMapping } from '../../../shared/model/name-mapping.ts';
import { operationEventSchema } from '../../../shared/model/operation-event.ts';
import { operationSettingsSchema, type OperationSettings } from '../../../shared/model/operation-policy.ts';
import { EVERYTHING, isEverything, type Selection } from '../../../shared/model/selection.ts';
import type { StartPoint } from '../../../shared/model/start-point.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { EngineHost } from '../../engine/host/engine-host.ts';
import type { TaskSpecInput } from '../../engine/host/task-messages.ts';
import type { Logger } from '../../engine/runtime/logger.ts';
import type { ProtectionStore, StoredProtection } from '../store/protection-store.ts';
import type { ConnectionService } from './connection-service.ts';
import type { EventHub } from './event-hub.ts';
import { newId } from './new-id.ts';
import { Refusal } from './refusal.ts';
import type { TaskFile } from './task-file.ts';
import type { OrderedTask } from './task-orders.ts';
import type { ScopeRequest, TaskScopes } from './task-scopes.ts';
import type { TaskRunner } from './task-runner.ts';
import { atRest, parseStatus, TaskStatuses, type Status } from './task-statuses.ts';

interface FileTask {
  readonly file: TaskFile;
  readonly onStarted: (host: EngineHost) => void;
}

export interface NewTask {
  readonly name: string;
  readonly sourceId: string;
  readonly targetId: string;
  readonly start?: StartPoint | undefined;
  /** Absent: everything. */
  readonly selection?: Selection | undefined;
  /** Absent: the source's names. */
  readonly mapping?: NameMapping | undefined;
  readonly onGap?: GapPolicy | undefined;
  readonly copyBudget?: CopyBudget | undefined;
  readonly operations?: OperationSettings | undefined;
  /** Of its first start. See `WorkerInput`. */
  readonly takeOver?: boolean | undefined;
}

export interface ResumeOptions {
  readonly mayLoad?: boolean | undefined;
  readonly takeOver?: boolean | undefined;
}

export interface TaskServiceOptions {
  readonly store: ProtectionStore;
  readonly connections: ConnectionService;
  readonly runner: TaskRunner;
  readonly hub: EventHub;
  readonly logger: Logger;
  readonly scopes: TaskScopes;
}

export class TaskService {
  readonly #options: TaskServiceOptions;
  readonly #statuses: TaskStatuses;
  /** The last change of each task that was asked for; the next one waits for it. */
  readonly #pending = new Map<string, Promise<void>>();
  readonly #files = new Map<string, FileTask>();
  #isClosing = false;

  constructor(options: TaskServiceOptions) {
    this.#options = options;
    this.#statuses = new TaskStatuses(options.hub, options.logger);
  }

  /** What the store holds, then what was begun from files. */
  list(): TaskView[] {
    return [
      ...this.#options.store.list().map((protection) => this.#view(protection)),
      ...[...this.#files.values()].map(({ file }) => this.#fileView(file)),
    ];
  }

  /** What stands in its way refuses it, as far as both clusters can be asked; its engine looks again at every start. */
  async create(task: NewTask): Promise<TaskView> {
    const { name, sourceId, targetId, start: wished, onGap, copyBudget, operations, takeOver = false } = task;
    const { selection = EVERYTHING, mapping = SAME_NAMES } = task;
    const { store, connections, scopes } = this.#options;
    const { etcd, milvus: sourceMilvus } = connections.asSource(sourceId);
    const { milvus } = connections.asTarget(targetId);
    if (sourceId === targetId || sourceMilvus?.address === milvus.address) {
      throw new Refusal(
        'invalidInput',
        'Source and target are the same cluster; it would copy its own changes without end.',
        'Choose another target.',
        { field: 'targetId', etcd: etcd.endpoints.join(',') },
      );
    }
    this.#assertNameFree(name);
    const start = wished ?? (sourceMilvus === undefined ? { kind: 'creation' } : { kind: 'copy', mayLoad: false });
    this.#assertCanStart(start, sourceMilvus !== undefined);
    if (onGap === 'copy' && sourceMilvus === undefined) throw cannotCopy('onGap', 'let a gap wait for you');
    await scopes.assertNoConflict({ sourceId, targetId, selection, mapping });
    // Another may have taken it meanwhile.
    this.#assertNameFree(name);
    if (this.#isClosing) throw new Error('Lifeline ends.');
    const id = newId(name, 'protection');
    const protection: StoredProtection = {
      id,
      name,
      sourceId,
      targetId,
      desired: 'running',
      start,
      ...(isEverything(selection) ? {} : { selection }),
      ...(isSameNames(mapping) ? {} : { mapping }),
      onGap,
      copyBudget,
      operations,
      createdAt: Date.now(),
      pausedAt: undefined,
      lastStatus: undefined,
    };
    store.add(protection);
    this.#reconcile(id, { takeOver });
    this.#changed();
    return this.#view(protection);
  }

  #assertNameFree(name: string): void {
    if (!this.list().some((other) => other.name === name)) return;
    throw new Refusal('invalidInput', `A protection named ${name} exists already.`, 'Choose another name.', {
      field: 'name',
    });
  }

  /** See `tasks.preview`. @throws Refusal notFound; what both clusters say. */
  preview(request: ScopeRequest & { readonly id?: string | undefined }): Promise<SelectionPreview> {
    const { store, scopes } = this.#options;
    const { id, ...scope } = request;
    if (id === undefined) return scopes.preview(scope);
    const { sourceId, targetId, mapping } = this.#get(id);
    return scopes.preview({ ...scope, sourceId, targetId, mapping, owner: store.owner(id) });
  }

  /**
   * Stored; where the task runs it holds when this returns. What stands in its way refuses it.
   * @throws Refusal notFound; conflict; invalidInput.
   */
  async select(id: string, selection: Selection): Promise<TaskView> {
    const { store, runner, scopes } = this.#options;
    const { sourceId, targetId, mapping } = this.#get(id);
    await scopes.assertNoConflict({ sourceId, targetId, selection, mapping, owner: store.owner(id) });
    this.#get(id);
    store.setSelection(id, selection);
    this.#changed();
    await runner.host(id)?.select(selection);
    return this.#view(this.#get(id));
  }

  #assertCanStart(start: StartPoint, canReadRows: boolean): void {
    if (start.kind === 'copy' && !canReadRows) throw cannotCopy('start', 'choose another start');
    if (start.kind === 'time' && start.unixMs > Date.now()) {
      throw new Refusal('invalidInput', 'The time to start from lies ahead.', 'Choose a time that has passed.', {
        field: 'start',
      });
    }
  }

  /** What its copies have shown and what gaps were found, the newest first. Of a task that came from a file too. */
  history(id: string): ProcedureOutput<'tasks.history'> {
    const { store } = this.#options;
    if (!this.#files.has(id)) this.#get(id);
    return { joins: store.joins(id), gaps: store.gaps(id) };
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

  /**
   * Starts it, and starts it anew where it waits for a person: the cause may have been mended.
   * @param mayLoad From now on its copies may load what is not loaded on the source.
   * @param takeOver Of this start. See `WorkerInput`.
   */
  resume(id: string, { mayLoad = false, takeOver = false }: ResumeOptions = {}): TaskView {
    const { store } = this.#options;
    const ofFile = this.#files.get(id);
    if (ofFile !== undefined && !mayLoad) {
      this.#restartFile(id, ofFile, takeOver);
      return this.#fileView(ofFile.file);
    }
    const { start } = this.#get(id);
    if (mayLoad && start?.kind !== 'copy') {
      throw new Refusal(
        'conflict',
        'This protection did not begin with a copy, so it loads nothing on the source.',
        'Resume it as it is.',
        { field: 'mayLoad' },
      );
    }
    if (mayLoad) store.setStart(id, { kind: 'copy', mayLoad });
    store.setDesired(id, 'running');
    this.#reconcile(id, { isAnew: true, takeOver });
    this.#changed();
    return this.#view(this.#get(id));
  }

  /** Stored; where the task runs it holds at once. Returns when it does. */
  async setCopyBudget(id: string, budget: CopyBudget): Promise<TaskView> {
    const { store, runner } = this.#options;
    this.#get(id);
    store.setCopyBudget(id, budget);
    this.#changed();
    await runner.host(id)?.setCopyBudget(budget);
    return this.#view(this.#get(id));
  }

  /** As above. */
  async setOperationSettings(id: string, settings: OperationSettings): Promise<TaskView> {
    const { store, runner } = this.#options;
    this.#get(id);
    store.setOperationSettings(id, settings);
    this.#changed();
    await runner.host(id)?.setOperationSettings(settings);
    return this.#view(this.#get(id));
  }

  /** Of a task that came from a file too. */
  operations(id: string, collectionId: string | undefined): ProcedureOutput<'tasks.operations'> {
    const { store } = this.#options;
    if (!this.#files.has(id)) this.#get(id);
    const found = store.operations(id, OPERATIONS_SHOWN_MAX + 1, collectionId);
    return {
      operations: found.slice(0, OPERATIONS_SHOWN_MAX).map((event) => operationEventSchema.parse(event)),
      isCut: found.length > OPERATIONS_SHOWN_MAX,
    };
  }

  /** Stored; holds at once, also of gaps that are there already. */
  setGapPolicy(id: string, onGap: GapPolicy): TaskView {
    const { store, runner, connections } = this.#options;
    const { sourceId } = this.#get(id);
    if (onGap === 'copy' && connections.asSource(sourceId).milvus === undefined) {
      throw cannotCopy('onGap', 'let a gap wait for you');
    }
    store.setGapPolicy(id, onGap);
    runner.setGapPolicy(id, onGap);
    this.#changed();
    return this.#view(this.#get(id));
  }

  /** To be given orders, also where it comes from a file. @throws Refusal notFound. */
  ordered(id: string): OrderedTask {
    const { connections, runner } = this.#options;
    const host = runner.host(id);
    const ofFile = this.#files.get(id)?.file.spec;
    if (ofFile !== undefined) return { name: id, host, canReadRows: ofFile.source.milvus !== undefined };
    const { name, sourceId } = this.#get(id);
    return { name, host, canReadRows: connections.asSource(sourceId).milvus !== undefined };
  }

  /** Returns when it has stopped and its checkpoints are gone. The target is not touched. */
  async remove(id: string): Promise<void> {
    const { store, runner } = this.#options;
    this.#get(id);
    await this.#queue(id, async () => {
      await runner.stop(id);
      store.remove(id);
      this.#statuses.forget(id);
      this.#pending.delete(id);
    });
    this.#changed();
  }

  /**
   * Begins a task that is described by a file and by nothing else: it is listed like the others and ends with the core.
   * @param onStarted Called at once, and again whenever it is resumed.
   * @throws alreadyExists: its name is taken.
   */
  runFile(file: TaskFile, onStarted: (host: EngineHost) => void): void {
    const { taskId } = file.spec;
    if (this.list().some(({ id, name }) => id === taskId || name === taskId)) {
      throw new ReplicationError(
        'alreadyExists',
        'config',
        `A task named ${taskId} is here already. Give the one in the task file another name.`,
      );
    }
    const task: FileTask = { file, onStarted };
    this.#files.set(taskId, task);
    this.#startFile(task);
    this.#options.hub.publish('tasks.changed', { tasks: this.list() });
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
    const ids = [...this.#options.runner.hosts()].map(({ taskId }) => taskId);
    await Promise.all(
      [...new Set([...this.#pending.keys(), ...ids])].map((id) => this.#queue(id, () => this.#stop(id))),
    );
  }

  /** @throws Refusal notFound; conflict: it comes from a file, which alone says what is wanted of it. */
  #get(id: string): StoredProtection {
    if (this.#files.has(id)) {
      throw new Refusal(
        'conflict',
        `${id} was begun from a task file and can be neither paused nor deleted here.`,
        'Stop Lifeline and start it without that file.',
      );
    }
    const found = this.#options.store.get(id);
    if (found !== undefined) return found;
    throw new Refusal('notFound', `There is no protection with the id "${id}".`, 'Look at the list again.');
  }

  /** Brings what runs in line with what is desired, after whatever is under way. */
  #reconcile(id: string, { isAnew = false, takeOver = false } = {}): void {
    const done = this.#queue(id, async () => {
      const protection = this.#options.store.get(id);
      if (protection === undefined || this.#isClosing) return;
      if (isAnew || protection.desired === 'paused') await this.#stop(id);
      if (protection.desired === 'running') this.#start(protection, takeOver);
      else this.#statuses.pause(id, lastOf(protection));
    });
    // Nobody waits for it: its failure stands in the task's status.
    done.catch(() => undefined);
  }

  /** Runs after the task's earlier changes. A failure is told in the task's status and keeps nothing after it back. */
  #queue(id: string, work: () => Promise<void>): Promise<void> {
    const done = (this.#pending.get(id) ?? Promise.resolve()).then(work);
    this.#pending.set(
      id,
      done.catch((error: unknown) => this.#statuses.fail(id, error)),
    );
    return done;
  }

  #restartFile(id: string, task: FileTask, takeOver: boolean): void {
    const done = this.#queue(id, async () => {
      await this.#stop(id);
      if (!this.#isClosing) this.#startFile(task, takeOver);
    });
    done.catch(() => undefined);
  }

  #startFile({ file, onStarted }: FileTask, takeOver = false): void {
    onStarted(this.#run(file.spec, takeOver));
  }

  #start(protection: StoredProtection, takeOver: boolean): void {
    const { id, sourceId, targetId, start, selection, mapping, onGap, copyBudget, operations } = protection;
    const { connections, runner } = this.#options;
    if (runner.host(id) !== undefined) return;
    const source = connections.asSource(sourceId);
    // It began as long ago as there was no other start; a later address of the source's Milvus does not change that.
    const target = connections.asTarget(targetId);
    const { include, exclude, later } = selection ?? EVERYTHING;
    const spec: TaskSpecInput = {
      taskId: id,
      source,
      target,
      start: start ?? { kind: 'creation' },
      selection: { include: [...include], exclude: [...exclude], later },
      ...(mapping === undefined ? {} : { mapping: { ...mapping, rules: [...mapping.rules] } }),
      onGap,
      copyBudget,
      operations: operationSettingsSchema.optional().parse(operations),
    };
    this.#run(spec, takeOver);
  }

  /** @throws alreadyExists when it runs. */
  #run(spec: TaskSpecInput, takeOver: boolean): EngineHost {
    const host = this.#options.runner.start(spec, { takeOver });
    this.#statuses.follow(host);
    return host;
  }

  async #stop(id: string): Promise<void> {
    const { runner, store } = this.#options;
    if (runner.host(id) === undefined) return;
    await runner.stop(id);
    this.#statuses.drop(id);
    const status = this.#statuses.get(id);
    // What comes from a file leaves nothing in the store but its checkpoints; for that this changes nothing.
    if (status !== undefined) store.setLastStatus(id, JSON.stringify(status));
  }

  #view(protection: StoredProtection): TaskView {
    const { id, name, sourceId, targetId, desired, start, onGap, copyBudget, createdAt, pausedAt } = protection;
    const { selection, mapping } = protection;
    const operations = operationSettingsSchema.optional().parse(protection.operations);
    const status = this.#statuses.get(id) ?? restOf(protection);
    return {
      id,
      name,
      sourceId,
      targetId,
      desired,
      createdAt,
      ...(start === undefined ? {} : { start }),
      ...(selection === undefined ? {} : { selection: mutable(selection) }),
      ...(mapping === undefined ? {} : { mapping: { ...mapping, rules: [...mapping.rules] } }),
      ...(onGap === undefined ? {} : { onGap }),
      ...(copyBudget === undefined ? {} : { copyBudget }),
      ...(operations === undefined ? {} : { operations }),
      ...(pausedAt === undefined ? {} : { pausedAt }),
      ...(status === undefined ? {} : { status }),
    };
  }

  #fileView({ spec, modifiedAt }: TaskFile): TaskView {
    const status = this.#statuses.get(spec.taskId);
    return {
      id: spec.taskId,
      name: spec.taskId,
      origin: 'file',
      sourceId: spec.source.etcd.endpoints.join(', '),
      targetId: spec.target.milvus.address,
      desired: 'running',
      createdAt: modifiedAt,
      onGap: spec.onGap,
      copyBudget: spec.copyBudget,
      operations: spec.operations,
      ...(spec.start === undefined ? {} : { start: spec.start }),
      ...(spec.selection === undefined ? {} : { selection: spec.selection }),
      ...(spec.mapping === undefined ? {} : { mapping: spec.mapping }),
      ...(status === undefined ? {} : { status }),
    };
  }

  #changed(): void {
    this.#options.hub.publish('tasks.changed', { tasks: this.list() });
    // Views of connections name their users.
    this.#options.connections.changed();
  }
}

const mutable = ({ include, exclude, later }: Selection) => ({ include: [...include], exclude: [...exclude], later });

/** @param otherwise What can be done instead. */
function cannotCopy(field: string, otherwise: string): Refusal {
  return new Refusal(
    'invalidInput',
    "The source's rows cannot be copied: the address of its Milvus is not known.",
    `Add the address of its Milvus to the source cluster, or ${otherwise}.`,
    { field },
  );
}

const lastOf = ({ lastStatus }: StoredProtection): Status | undefined =>
  lastStatus === undefined ? undefined : parseStatus(lastStatus);

function restOf(protection: StoredProtection): Status | undefined {
  const last = lastOf(protection);
  return last === undefined ? undefined : atRest(last, protection.desired);
}
