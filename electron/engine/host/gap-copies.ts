/**
 * Where a task's policy says so: begins a copy of just the collections whose changes the log has removed. Once for each
 * gap; where the task refuses, again after a pause, for the refusal stands in the log and the gap in the status.
 */
import type { GapPolicy } from '../../../shared/model/gap-policy.ts';
import type { TaskStatus } from '../../../shared/model/task-status.ts';
import type { Logger } from '../runtime/logger.ts';

/** A task that is busy with its start or with a stop takes seconds. */
const RETRY_PAUSE_MS = 30_000;

export interface GapCopiesOptions {
  readonly policy: GapPolicy;
  readonly recopy: (collectionIds: readonly string[]) => Promise<void>;
  /** Of a task. */
  readonly logger: Logger;
  /** Unix ms. */
  readonly now: () => number;
}

export class GapCopies {
  readonly #options: GapCopiesOptions;
  /** By collection: not to be begun before. Forgotten when its gap is closed. */
  readonly #notBefore = new Map<string, number>();
  #policy: GapPolicy;

  constructor(options: GapCopiesOptions) {
    this.#options = options;
    this.#policy = options.policy;
  }

  /** Takes effect with the next status. */
  set policy(policy: GapPolicy) {
    this.#policy = policy;
  }

  hear(status: TaskStatus): void {
    const ids = heldByGap(status);
    for (const id of this.#notBefore.keys()) if (!ids.has(id)) this.#notBefore.delete(id);
    if (this.#policy !== 'copy') return;
    const now = this.#options.now();
    const due = [...ids].filter((id) => now >= (this.#notBefore.get(id) ?? 0));
    if (due.length === 0) return;
    for (const id of due) this.#notBefore.set(id, Infinity);
    void this.#begin(due, status.taskId);
  }

  async #begin(ids: readonly string[], taskId: string): Promise<void> {
    const { recopy, logger, now } = this.#options;
    const names = { taskId, collections: ids.join() };
    logger.info(names, 'Changes are missing in the log; the collections concerned are copied again, as configured.');
    try {
      await recopy(ids);
    } catch (error) {
      logger.warn({ ...names, err: error, pauseMs: RETRY_PAUSE_MS }, 'The copy that closes a gap could not begin.');
      for (const id of ids) this.#notBefore.set(id, now() + RETRY_PAUSE_MS);
    }
  }
}

/** Ids of the collections that wait because of a gap. */
function heldByGap({ gaps, collections }: TaskStatus): Set<string> {
  const names = new Set((gaps ?? []).flatMap((gap) => gap.collections));
  return new Set(
    collections
      .filter(({ database, name, state }) => state === 'held' && names.has(`${database}.${name}`))
      .map(({ id }) => id),
  );
}
