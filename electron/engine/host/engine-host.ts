/**
 * Runs a task in a worker thread of its own: starts it, hears its status, stops it, and starts it again when the thread
 * dies. An error that the task reports itself is no death: it needs a person, and the host keeps it. Where time alone can
 * mend it (a full disk), the host tries again by itself.
 */
import { EventEmitter } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Selection } from '../../../shared/model/selection.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { TaskStatus } from '../../../shared/model/task-status.ts';
import { isRetriedAutomatically } from '../errors/policy.ts';
import { errorDataWithHint } from './error-data.ts';
import type { Logger } from '../runtime/logger.ts';
import { OpenOrders } from './open-orders.ts';
import { operationSettingsSchema, type OperationSettings } from '../../../shared/model/operation-policy.ts';
import type { CopyBudget } from '../../../shared/model/copy-budget.ts';
import type {
  FromWorker,
  OrderInput,
  OrderName,
  OrderResult,
  TaskOrder,
  ToWorker,
  WorkerInput,
} from './task-messages.ts';

/**
 * Heap of one task's thread at most: many times the status of 500 collections and their schemas; buffers lie outside it.
 * V8 also takes it for how far the heap may grow before it is collected as a whole, messages outside it counted in: with
 * 512 a catch-up of 200,000 rows was collected thirty times, a third of its processor time; from 2048 on it goes by what
 * collecting costs (fifteen times).
 */
const WORKER_HEAP_MIB = 2_048;
/** Beside it, for what has just been made: V8 takes 48 unless told otherwise, though little of it survives. */
const WORKER_YOUNG_HEAP_MIB = 12;
/** A stop lets calls under way end (the engine gives them 30 s) before the thread is ended. */
const STOP_TIMEOUT_MS = 40_000;
const RESTART_PAUSE_MS_MIN = 500;
const RESTART_PAUSE_MS_MAX = 30_000;
/** A thread that lived this long has earned a fresh start. */
const STABLE_AFTER_MS = 60_000;

export interface EngineHostEvents {
  status: [TaskStatus];
  /** The task cannot go on without a person. */
  failed: [ReplicationError];
}

export class EngineHost extends EventEmitter<EngineHostEvents> {
  #input: WorkerInput;
  readonly #logger: Logger;
  readonly #orders = new OpenOrders();
  readonly #levelRequests = new Map<number, PromiseWithResolvers<void>>();
  #worker: Worker | undefined;
  #exited: Promise<void> = Promise.resolve();
  #status: TaskStatus | undefined;
  #failure: ReplicationError | undefined;
  /** What ended the last thread and may be mended by now. */
  #passing: { readonly error: ReplicationError; readonly since: number } | undefined;
  #nextRequest = 1;
  #isStopping = false;
  #restartPauseMs = RESTART_PAUSE_MS_MIN;
  #restartTimer: NodeJS.Timeout | undefined;

  constructor(input: WorkerInput, logger: Logger) {
    super();
    this.#input = input;
    this.#logger = logger;
  }

  get taskId(): string {
    return this.#input.spec.taskId;
  }

  /** The last snapshot. */
  get status(): TaskStatus | undefined {
    return this.#status;
  }

  get failure(): ReplicationError | undefined {
    return this.#failure;
  }

  start(): void {
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
    const startedAt = performance.now();
    const worker = new Worker(new URL(`../entry${extension}`, import.meta.url), {
      name: `task ${this.taskId}`,
      workerData: this.#input,
      resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MIB, maxYoungGenerationSizeMb: WORKER_YOUNG_HEAP_MIB },
    });
    this.#worker = worker;
    this.#failure = undefined;
    // Said once by a person: a thread that follows a dead one must not displace whoever came meanwhile.
    this.#input = { ...this.#input, takeOver: false };
    worker.on('message', (message: FromWorker) => this.#receive(message));
    worker.on('error', (error: unknown) =>
      this.#logger.error({ taskId: this.taskId, err: error }, "The task's thread failed."),
    );
    for (const request of this.#levelRequests.keys()) this.#send({ kind: 'whenLevel', request });
    this.#exited = new Promise((resolve) => {
      worker.once('exit', () => {
        this.#worker = undefined;
        this.#orders.endAll();
        if (!this.#isStopping && this.#failure === undefined) this.#restartLater(performance.now() - startedAt);
        else this.#rejectLevelRequests();
        resolve();
      });
    });
  }

  /** Stops after the calls under way, checkpoints stored. Safe to call twice. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#restartTimer);
    const worker = this.#worker;
    if (worker === undefined) return;
    this.#send({ kind: 'stop' });
    const timer = setTimeout(() => {
      this.#logger.warn({ taskId: this.taskId }, "The task's thread did not stop in time and was ended.");
      void worker.terminate();
    }, STOP_TIMEOUT_MS);
    await this.#exited;
    clearTimeout(timer);
  }

  /** Ends the thread at once, as a crash would; it is started again. For tests of recovery. */
  async crash(): Promise<void> {
    await this.#worker?.terminate();
  }

  /** See `TaskEngine.whenLevel`. Asked again of a thread that took another's place; rejects when there will be none. */
  whenLevel(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#isStopping) return Promise.reject(notLevel());
    const request = this.#nextRequest++;
    const answer = Promise.withResolvers<void>();
    this.#levelRequests.set(request, answer);
    this.#send({ kind: 'whenLevel', request });
    return answer.promise;
  }

  /** It can be given orders: its thread lives and was not told to stop. */
  get isRunning(): boolean {
    return this.#worker !== undefined && !this.#isStopping;
  }

  /**
   * Rejects with what the engine refuses it with; notReady: its thread does not live, or ended before it answered;
   * timeout: no answer in a minute.
   */
  async order<N extends OrderName>(name: N, input: OrderInput<N>): Promise<OrderResult<N>> {
    if (!this.isRunning) {
      throw new ReplicationError('notReady', 'internal', 'The task does not run just now. Try again in a moment.');
    }
    // The compiler cannot follow one name from the order to its input and its result.
    const order = { name, input } as TaskOrder;
    return (await this.#orders.ask((request) => this.#send({ kind: 'order', request, order }))) as OrderResult<N>;
  }

  /** Holds for this thread, if there is one, and for each that follows it. */
  async setCopyBudget(budget: CopyBudget): Promise<void> {
    const { spec, ...rest } = this.#input;
    this.#input = { ...rest, spec: { ...spec, copyBudget: budget } };
    await this.#orderWhileAlive('setCopyBudget', { budget });
  }

  /** As above. */
  async setOperationSettings(settings: OperationSettings): Promise<void> {
    const { spec, ...rest } = this.#input;
    this.#input = { ...rest, spec: { ...spec, operations: operationSettingsSchema.parse(settings) } };
    await this.#orderWhileAlive('setOperationSettings', { settings });
  }

  async #orderWhileAlive<N extends OrderName>(name: N, input: OrderInput<N>): Promise<void> {
    if (!this.isRunning) return;
    await this.order(name, input).catch((error: unknown) => {
      // It ended before it answered; the one that follows begins with what was set.
      if (!(error instanceof ReplicationError && error.code === 'notReady')) throw error;
    });
  }

  /** Holds for this thread, if there is one, and for each that follows it. */
  async select(selection: Selection): Promise<void> {
    const { spec, ...rest } = this.#input;
    const { include, exclude, later } = selection;
    this.#input = { ...rest, spec: { ...spec, selection: { include: [...include], exclude: [...exclude], later } } };
    await this.#orderWhileAlive('select', { selection });
  }

  #receive(message: FromWorker): void {
    switch (message.kind) {
      case 'status':
        // It has got further than the one before it.
        if (message.status.state !== 'initializing' && message.status.trouble === undefined) this.#passing = undefined;
        this.#status = asPassing(message.status);
        this.emit('status', this.#status);
        break;
      case 'level': {
        const answer = this.#levelRequests.get(message.request);
        this.#levelRequests.delete(message.request);
        if (message.error === undefined) answer?.resolve();
        else answer?.reject(ReplicationError.fromData(message.error));
        break;
      }
      case 'answer':
        this.#orders.take(message);
        break;
      case 'ended':
        if (message.error !== undefined) this.#end(ReplicationError.fromData(message.error));
        break;
    }
  }

  #end(error: ReplicationError): void {
    if (isRetriedAutomatically(error)) {
      const since = this.#passing?.error.code === error.code ? this.#passing.since : Date.now();
      this.#passing = { error, since };
      return;
    }
    this.#failure = error;
    this.emit('failed', error);
  }

  #send(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  #rejectLevelRequests(): void {
    const error = this.#failure ?? notLevel();
    for (const answer of this.#levelRequests.values()) answer.reject(error);
    this.#levelRequests.clear();
  }

  #restartLater(livedMs: number): void {
    if (livedMs > STABLE_AFTER_MS) this.#restartPauseMs = RESTART_PAUSE_MS_MIN;
    const pauseMs = this.#restartPauseMs;
    this.#restartPauseMs = Math.min(RESTART_PAUSE_MS_MAX, pauseMs * 2);
    const cause = this.#passing?.error.message;
    this.#logger.warn({ taskId: this.taskId, pauseMs, cause }, "The task's thread ended; it is started again.");
    this.#tellEnd(pauseMs);
    this.#restartTimer = setTimeout(() => this.start(), pauseMs);
  }

  /** Until the new thread speaks, the last status of the dead one would claim that all goes on. */
  #tellEnd(pauseMs: number): void {
    if (this.#status === undefined) return;
    const now = Date.now();
    const { error: cause, since } = this.#passing ?? { error: threadDied(), since: now };
    const { hint, ...error } = errorDataWithHint(cause);
    const trouble = { error, hint, since, nextTryAt: now + pauseMs };
    this.#status = { ...this.#status, at: now, state: 'blocked', trouble };
    this.emit('status', this.#status);
  }
}

/** What ends this thread and does not end the task: another one follows. */
function asPassing(status: TaskStatus): TaskStatus {
  const isPassing =
    status.state === 'failed' &&
    status.trouble !== undefined &&
    isRetriedAutomatically(ReplicationError.fromData(status.trouble.error));
  return isPassing ? { ...status, state: 'blocked' } : status;
}

const threadDied = (): ReplicationError =>
  new ReplicationError(
    'bug',
    'internal',
    "The task's thread ended unexpectedly. It is started again by itself and goes on at the last checkpoint.",
  );

const notLevel = (): ReplicationError =>
  new ReplicationError('unknown', 'internal', 'The task was stopped before it was level.');
