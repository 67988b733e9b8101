/**
 * Points that every shard of a collection must reach before something is done once for all of them: the drop of the
 * collection or of a partition, whose message stands in every shard's log.
 *
 * A shard counts as there when it has arrived, or when it is past the barrier's timestamp without ever meeting the
 * message (its reading began after it).
 */
import type { VChannel } from '../../../shared/model/ids.ts';
import type { TimeTick } from '../../../shared/time/time-tick.ts';

interface Barrier {
  readonly tick: TimeTick;
  readonly arrived: Set<VChannel>;
  readonly action: () => Promise<void>;
  readonly done: PromiseWithResolvers<void>;
  isRunning: boolean;
}

export class ShardBarriers {
  readonly #shards: readonly VChannel[];
  readonly #progressOf: (vchannel: VChannel) => TimeTick;
  readonly #barriers = new Map<string, Barrier>();

  /** `progressOf`: up to which timestamp a shard is done; zero for one that has not been met yet. */
  constructor(shards: readonly VChannel[], progressOf: (vchannel: VChannel) => TimeTick) {
    this.#shards = shards;
    this.#progressOf = progressOf;
  }

  /**
   * The shard stands before the barrier `key`. Resolves when all do and `action` is done; rejects as `action` does. The
   * first arrival's action counts.
   */
  arrive(key: string, tick: TimeTick, vchannel: VChannel, action: () => Promise<void>): Promise<void> {
    let barrier = this.#barriers.get(key);
    if (barrier === undefined) {
      barrier = { tick, arrived: new Set(), action, done: Promise.withResolvers<void>(), isRunning: false };
      // Whoever waits hears of a failure; nobody waiting is no reason to end the process.
      barrier.done.promise.catch(() => undefined);
      this.#barriers.set(key, barrier);
    }
    barrier.arrived.add(vchannel);
    this.#tryRun(key, barrier);
    return barrier.done.promise;
  }

  /** To be called when any shard moved forward. */
  progressed(): void {
    for (const [key, barrier] of this.#barriers) this.#tryRun(key, barrier);
  }

  /** Shards still awaited at the first barrier, for the status; `undefined` when nothing waits. */
  awaited(): readonly VChannel[] | undefined {
    for (const barrier of this.#barriers.values()) {
      if (!barrier.isRunning) return this.#shards.filter((vchannel) => !this.#isThere(barrier, vchannel));
    }
    return undefined;
  }

  #isThere(barrier: Barrier, vchannel: VChannel): boolean {
    return barrier.arrived.has(vchannel) || this.#progressOf(vchannel) >= barrier.tick;
  }

  #tryRun(key: string, barrier: Barrier): void {
    if (barrier.isRunning || !this.#shards.every((vchannel) => this.#isThere(barrier, vchannel))) return;
    barrier.isRunning = true;
    barrier
      .action()
      .then(barrier.done.resolve, barrier.done.reject)
      .finally(() => this.#barriers.delete(key));
  }
}
