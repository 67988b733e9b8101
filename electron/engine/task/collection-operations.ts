/**
 * Operations (index, load, ...) of one collection: each in its place, after the earlier ones, and when every change that
 * stands before it has been applied.
 */
import type { CollectionId } from '../../../shared/model/ids.ts';
import type { MessageOrdinal } from '../../../shared/model/position.ts';
import { toReplicationError } from '../../../shared/model/replication-error.ts';
import type { TaskStore } from '../../../shared/model/task-state.ts';
import { TIME_TICK_ZERO, type TimeTick } from '../../../shared/time/time-tick.ts';
import { outcomeOf } from '../errors/policy.ts';
import { orAborted } from '../runtime/waiting.ts';
import type { OnTarget } from './collection-writer.ts';

/** Where an operation stands: its message in the operation channel, and its time among the data. */
export interface OperationPlace {
  readonly ordinal: MessageOrdinal;
  readonly tick: TimeTick;
}

export interface CollectionOperationsContext {
  readonly store: Pick<TaskStore, 'setOperationsUntil'>;
  readonly onTarget: OnTarget;
  readonly signal: AbortSignal;
  /** Resolves when every change before `tick` is applied: true; or the collection is being dropped: false. */
  whenReached(tick: TimeTick): Promise<boolean>;
  /** Up to there the collection's copy, in part or whole, has read what came of operations. */
  copyUntil(): TimeTick;
  passedOver(name: string): void;
}

interface PendingOperation {
  readonly tick: TimeTick;
  readonly done: Promise<void>;
}

export class CollectionOperations {
  readonly #id: CollectionId;
  readonly #context: CollectionOperationsContext;
  readonly #pending = new Set<PendingOperation>();
  #last: Promise<void> = Promise.resolve();
  #lastTick: TimeTick = TIME_TICK_ZERO;
  /** On disk: the effect of all up to there has been had. */
  #until: MessageOrdinal;

  constructor(id: CollectionId, until: MessageOrdinal, context: CollectionOperationsContext) {
    this.#id = id;
    this.#until = until;
    this.#context = context;
  }

  /** Resolves without running it when the collection is dropped first, or when an earlier run has had its effect. */
  async run(
    { ordinal, tick }: OperationPlace,
    name: string,
    call: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    // Read again after a restart: repeating it could undo what came after it.
    if (ordinal <= this.#until) return;
    const { signal } = this.#context;
    const previous = this.#last;
    // Two proxies may write their operations in another order than that of their times: the later one's place counts.
    if (tick > this.#lastTick) this.#lastTick = tick;
    const place = this.#lastTick;
    const done = (async () => {
      await orAborted(previous, signal);
      if (await this.#context.whenReached(place)) await this.#runNow({ ordinal, tick }, name, call);
    })();
    const pending = { tick: place, done };
    this.#pending.add(pending);
    this.#last = done.catch(() => undefined);
    await done.finally(() => this.#pending.delete(pending));
  }

  async #runNow(
    { ordinal, tick }: OperationPlace,
    name: string,
    call: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const { store, onTarget, signal } = this.#context;
    // What it did may be undone by now, and the copy has read what came of it all.
    const isPartOfCopy = tick <= this.#context.copyUntil();
    await onTarget(name, call).catch((error: unknown) => {
      if (!isPartOfCopy || signal.aborted || outcomeOf(toReplicationError(error)) !== 'refused') throw error;
      this.#context.passedOver(name);
    });
    store.setOperationsUntil(this.#id, ordinal);
    this.#until = ordinal;
  }

  /** Resolves when none that stands before `tick` is under way, those that come up meanwhile included. */
  async whenDone(tick: TimeTick): Promise<void> {
    for (let earlier = this.#before(tick); earlier.length > 0; earlier = this.#before(tick)) {
      await orAborted(Promise.allSettled(earlier), this.#context.signal);
    }
  }

  #before(tick: TimeTick): Promise<void>[] {
    return [...this.#pending].filter((operation) => operation.tick < tick).map(({ done }) => done);
  }
}
