/**
 * Runs a task in a worker thread of its own: starts it, hears its status, stops it, and starts it again when the thread
 * dies. An error that the task reports itself is no death: it needs a person, and the host keeps it.
 */
import { EventEmitter } from 'node:events';
import { Worker } from 'node:worker_threads';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { TaskStatus } from '../../../shared/model/task-status.ts';
import { errorDataWithHint } from './error-data.ts';
import type { Logger } from '../runtime/logger.ts';
import type { FromWorker, ToWorker, WorkerInput } from './task-messages.ts';

/** Heap of one task's thread: the status of 500 collections and their schemas fit many times; buffers lie outside it. */
const WORKER_HEAP_MIB = 512;
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
  readonly #input: WorkerInput;
  readonly #logger: Logger;
  readonly #levelRequests = new Map<number, PromiseWithResolvers<void>>();
  #worker: Worker | undefined;
  #exited: Promise<void> = Promise.resolve();
  #status: TaskStatus | undefined;
  #failure: ReplicationError | undefined;
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
      resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MIB },
    });
    this.#worker = worker;
    this.#failure = undefined;
    worker.on('message', (message: FromWorker) => this.#receive(message));
    worker.on('error', (error: unknown) =>
      this.#logger.error({ taskId: this.taskId, err: error }, "The task's thread failed."),
    );
    for (const request of this.#levelRequests.keys()) this.#send({ kind: 'whenLevel', request });
    this.#exited = new Promise((resolve) => {
      worker.once('exit', () => {
        this.#worker = undefined;
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

  #receive(message: FromWorker): void {
    switch (message.kind) {
      case 'status':
        this.#status = message.status;
        this.emit('status', message.status);
        break;
      case 'level': {
        const answer = this.#levelRequests.get(message.request);
        this.#levelRequests.delete(message.request);
        if (message.error === undefined) answer?.resolve();
        else answer?.reject(ReplicationError.fromData(message.error));
        break;
      }
      case 'ended':
        if (message.error !== undefined) {
          this.#failure = ReplicationError.fromData(message.error);
          this.emit('failed', this.#failure);
        }
        break;
    }
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
    this.#logger.warn({ taskId: this.taskId, pauseMs }, "The task's thread ended; it is started again.");
    this.#tellCrash(pauseMs);
    this.#restartTimer = setTimeout(() => this.start(), pauseMs);
  }

  /** Until the new thread speaks, the last status of the dead one would claim that all goes on. */
  #tellCrash(pauseMs: number): void {
    if (this.#status === undefined) return;
    const now = Date.now();
    const { hint, ...error } = errorDataWithHint(
      new ReplicationError(
        'bug',
        'internal',
        "The task's thread ended unexpectedly. It is started again by itself and goes on at the last checkpoint.",
      ),
    );
    const trouble = { error, hint, since: now, nextTryAt: now + pauseMs };
    this.#status = { ...this.#status, at: now, state: 'blocked', trouble };
    this.emit('status', this.#status);
  }
}

const notLevel = (): ReplicationError =>
  new ReplicationError('unknown', 'internal', 'The task was stopped before it was level.');
