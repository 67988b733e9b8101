/**
 * What a busy cluster's log looks like: between two ticks messages of rows stand in another order than that of their
 * times, and some stand there twice, since their producer has sent them again.
 */
import { decodeRecord } from '../../electron/engine/codec/decode.ts';
import type { PChannel } from '../../shared/model/ids.ts';
import type { MemoryWal } from '../support/memory-wal.ts';
import type { Random } from './random-life.ts';

export class RestlessLog {
  readonly #wal: MemoryWal;
  readonly #append: MemoryWal['append'];
  readonly #random: Random;
  /** Written, and not yet in the log. */
  readonly #onTheWay = new Map<PChannel, Uint8Array[]>();

  /** Takes the place of the log's `append`. */
  constructor(wal: MemoryWal, random: Random) {
    this.#wal = wal;
    this.#append = wal.append.bind(wal);
    this.#random = random;
    wal.append = (channel, payload) => this.#take(channel, payload);
  }

  /** All that was written stands in the log, as before it can be read as rows. */
  arrive(): void {
    for (const channel of this.#onTheWay.keys()) this.#arriveAt(channel);
  }

  #take(channel: PChannel, payload: Uint8Array): ReturnType<MemoryWal['append']> {
    const { kind } = decodeRecord(payload);
    // A tick promises that nothing older follows.
    if (kind === 'timeTick') this.#arriveAt(channel);
    if (kind !== 'insert' && kind !== 'delete') return this.#append(channel, payload);
    const isRepeated = this.#random.below(12) === 0;
    const isDelayed = this.#random.below(3) === 0;
    if (isRepeated || isDelayed) {
      const waiting = this.#onTheWay.get(channel) ?? [];
      waiting.splice(this.#random.below(waiting.length + 1), 0, payload);
      this.#onTheWay.set(channel, waiting);
    }
    return isDelayed ? this.#wal.latest(channel) : this.#append(channel, payload);
  }

  #arriveAt(channel: PChannel): void {
    const waiting = this.#onTheWay.get(channel) ?? [];
    this.#onTheWay.delete(channel);
    for (const payload of waiting) this.#append(channel, payload);
  }
}
