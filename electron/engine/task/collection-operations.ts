/**
 * Operations (index, load, ...) of one collection: each in its place, after the earlier ones, and when every change that
 * stands before it has been applied.
 */
import type { CollectionId } from '../../../shared/model/ids.ts';
import type { CollectionAddress } from '../milvus/collection-address.ts';
import { ORDINAL_NONE, type MessageOrdinal } from '../../../shared/model/position.ts';
import { toReplicationError } from '../../../shared/model/replication-error.ts';
import type { TaskStore } from '../../../shared/model/task-state.ts';
import { TIME_TICK_ZERO, type TimeTick } from '../../../shared/time/time-tick.ts';
import { outcomeOf } from '../errors/policy.ts';
import type { Clock } from '../runtime/clock.ts';
import { orAborted } from '../runtime/waiting.ts';
import type { OnTarget } from './collection-writer.ts';
import {
  AS_DECIDED,
  decided,
  type OperationEvent,
  type OperationJournal,
  type OperationQuestion,
  type Park,
} from './operation-journal.ts';

/** Where an operation stands: its message in the operation channel, and its time among the data. */
export interface OperationPlace {
  readonly ordinal: MessageOrdinal;
  readonly tick: TimeTick;
  /** See `OperationExecutor.execute`. */
  readonly park: Park;
}

export interface CollectionOperationsContext {
  readonly address: CollectionAddress;
  readonly journal: OperationJournal;
  readonly clock: Clock;
  readonly store: Pick<TaskStore, 'setOperationsUntil'>;
  readonly onTarget: OnTarget;
  readonly signal: AbortSignal;
  /** The collection's drop has begun. */
  isEnding(): boolean;
  /** Resolves when every change before `tick` is applied: true; or the collection is being dropped: false. */
  whenReached(tick: TimeTick): Promise<boolean>;
  /** Up to there the collection's copy, in part or whole, has read what came of operations. */
  copyUntil(): TimeTick;
  passedOver(name: string): void;
  /** One has had its effect. */
  operated(): void;
}

interface PendingOperation {
  readonly name: string;
  readonly ordinal: MessageOrdinal;
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

  /** `call` resolves to why it was left out, if it was. Resolves without running it when the collection is dropped first, or when an earlier run has had its effect. */
  async run(
    { ordinal, tick, park }: OperationPlace,
    name: string,
    call: (signal: AbortSignal) => Promise<string | undefined>,
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
      if (await this.#context.whenReached(place)) await this.#runNow({ ordinal, tick, park }, name, call);
    })();
    const pending = { name, ordinal, tick: place, done };
    this.#pending.add(pending);
    this.#last = done.catch(() => undefined);
    await done.finally(() => this.#pending.delete(pending));
  }

  /**
   * A step that the catalogue asks for, in one line with the operations of the log: after those that were taken before it.
   * Resolves without running it when the collection is being dropped.
   */
  async step(body: () => Promise<void>): Promise<void> {
    const { signal } = this.#context;
    const previous = this.#last;
    const done = (async () => {
      await orAborted(previous, signal);
      if (!this.#context.isEnding()) await body();
    })();
    const pending = { name: 'step', ordinal: ORDINAL_NONE, tick: this.#lastTick, done };
    this.#pending.add(pending);
    this.#last = done.catch(() => undefined);
    await done.finally(() => this.#pending.delete(pending));
  }

  /**
   * Beside the line, at once: what rows in front of an operation may be waiting for. Only a drop waits for it. Resolves without
   * running it when the collection is being dropped.
   */
  async beside(body: () => Promise<void>): Promise<void> {
    if (this.#context.isEnding()) return;
    const done = body();
    const pending = { name: 'step', ordinal: ORDINAL_NONE, tick: TIME_TICK_ZERO, done };
    this.#pending.add(pending);
    await done.finally(() => this.#pending.delete(pending));
  }

  async #runNow(
    { ordinal, tick, park }: OperationPlace,
    name: string,
    call: (signal: AbortSignal) => Promise<string | undefined>,
  ): Promise<void> {
    const { store, onTarget, signal, address, journal, clock } = this.#context;
    const question: OperationQuestion = {
      id: `log/${ordinal}/${this.#id}`,
      tick,
      source: 'log',
      operation: name,
      database: address.database,
      collection: { id: this.#id, name: address.collection },
    };
    const record = (outcome: OperationEvent['outcome'], reason?: string) =>
      journal.record({ ...question, at: clock.now(), outcome, reason });
    // What it did may be undone by now, and the copy has read what came of it all.
    const isPartOfCopy = tick <= this.#context.copyUntil();
    if ((await decided(journal, question, park, signal)) === 'skip') {
      record('skipped', AS_DECIDED);
    } else if (this.#isFlushedLater(name, ordinal)) {
      record('skipped', 'A later flush of the collection was there already.');
    } else {
      try {
        const leftOut = await onTarget(name, call);
        record(leftOut === undefined ? 'applied' : 'skipped', leftOut);
      } catch (thrown) {
        if (signal.aborted) throw thrown;
        const error = toReplicationError(thrown);
        const isPassedOver = isPartOfCopy && outcomeOf(error) === 'refused';
        record(isPassedOver ? 'skipped' : 'failed', isPassedOver ? 'It was older than the copy.' : error.message);
        if (!isPassedOver) throw thrown;
        this.#context.passedOver(name);
      }
    }
    store.setOperationsUntil(this.#id, ordinal);
    this.#until = ordinal;
    this.#context.operated();
  }

  /** Flushes that have piled up behind one that is slow, or limited to one in ten seconds, are one. */
  #isFlushedLater(name: string, ordinal: MessageOrdinal): boolean {
    return name === 'flush' && [...this.#pending].some((other) => other.name === 'flush' && other.ordinal > ordinal);
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
