/** The tasks that run in this process, each in a worker thread of its own. Knows nothing of who asked for them. */
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { GapPolicy } from '../../../shared/model/gap-policy.ts';
import { EngineHost } from '../../engine/host/engine-host.ts';
import { GapCopies } from '../../engine/host/gap-copies.ts';
import { taskSpecSchema, type TaskSpecInput } from '../../engine/host/task-messages.ts';
import type { Logger } from '../../engine/runtime/logger.ts';

export interface TaskRunnerOptions {
  readonly storeFile: string;
  readonly logLevel: string;
  readonly logger: Logger;
}

export class TaskRunner {
  readonly #options: TaskRunnerOptions;
  readonly #hosts = new Map<string, EngineHost>();
  readonly #gapCopies = new WeakMap<EngineHost, GapCopies>();

  constructor(options: TaskRunnerOptions) {
    this.#options = options;
  }

  /**
   * Starts (or takes up again) a task. @throws alreadyExists when one of that name runs here.
   * @param takeOver See `WorkerInput`.
   */
  start(input: TaskSpecInput, { takeOver = false } = {}): EngineHost {
    const spec = taskSpecSchema.parse(input);
    if (this.#hosts.has(spec.taskId)) {
      throw new ReplicationError(
        'alreadyExists',
        'config',
        `A task named ${spec.taskId} runs already. Give this one another name.`,
      );
    }
    const { storeFile, logLevel, logger } = this.#options;
    const host = new EngineHost({ spec, storeFile, logLevel, takeOver }, logger);
    this.#hosts.set(spec.taskId, host);
    const gapCopies = new GapCopies({
      policy: spec.onGap,
      recopy: (collectionIds) => host.order('recopy', { collectionIds }),
      logger,
      now: Date.now,
    });
    this.#gapCopies.set(host, gapCopies);
    host.on('status', (status) => gapCopies.hear(status));
    host.start();
    return host;
  }

  host(taskId: string): EngineHost | undefined {
    return this.#hosts.get(taskId);
  }

  /** Of a task that runs; otherwise nothing happens. */
  setGapPolicy(taskId: string, policy: GapPolicy): void {
    const host = this.#hosts.get(taskId);
    const gapCopies = host === undefined ? undefined : this.#gapCopies.get(host);
    if (gapCopies !== undefined) gapCopies.policy = policy;
  }

  hosts(): Iterable<EngineHost> {
    return this.#hosts.values();
  }

  /** Stops one, checkpoints stored; afterwards it may be started again. Nothing happens when it does not run. */
  async stop(taskId: string): Promise<void> {
    const host = this.#hosts.get(taskId);
    await host?.stop();
    if (this.#hosts.get(taskId) === host) this.#hosts.delete(taskId);
  }

  /** Stops all, checkpoints stored. */
  async stopAll(): Promise<void> {
    await Promise.all([...this.#hosts.keys()].map((taskId) => this.stop(taskId)));
  }
}
