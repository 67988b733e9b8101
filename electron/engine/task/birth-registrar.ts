/**
 * What a CreateCollection message in the log means. The log says when a collection was born; its database, its name and
 * all else stand only in the catalogue (2.3.5 leaves the database out of the message).
 *
 * The message is in the log some milliseconds before the catalogue knows the collection, and a create that failed never
 * gets there. So a young birth that the catalogue does not know is awaited; an old one, and one that the catalogue knows
 * to be gone, is left alone with all its rows: the target then ends as the source did, without it. Where the target is not to
 * follow its end, one that is gone is made from what the log has of it (`collection-births.ts`).
 */
import type { MessageOrdinal } from '../../../shared/model/position.ts';
import { timeTickToMs } from '../../../shared/time/time-tick.ts';
import { decodeRecord } from '../codec/decode.ts';
import type { CreateCollectionRecord } from '../codec/records.ts';
import type { Logger } from '../runtime/logger.ts';
import { Conditions } from '../runtime/waiting.ts';
import type { Catalog, CatalogCollection } from '../source/catalog/catalog.ts';
import type { CollectionId, PChannel } from '../../../shared/model/ids.ts';
import type { Wal } from '../source/wal/wal.ts';

/** `gone`: the catalogue has the end of it; `undefined`: nothing, so it was never made, or its end is long past. */
export type BornCollection = CatalogCollection | 'gone' | undefined;

/** Between message and catalogue lie 11 ms on a quiet server; this is what a very slow one may need. */
const BIRTH_TIMEOUT_MS = 10_000;
/** A birth older than this, by the source's own clock, is in the catalogue or nowhere. */
const YOUNG_MS_MAX = 60_000;

export class BirthRegistrar {
  readonly #catalog: Catalog;
  readonly #wal: Wal;
  readonly #logger: Logger;
  readonly #conditions = new Conditions();
  /** Under way, or of no living one. */
  readonly #answers = new Map<CollectionId, Promise<BornCollection>>();
  #changes = 0;

  constructor(catalog: Catalog, wal: Wal, logger: Logger) {
    this.#catalog = catalog;
    this.#wal = wal;
    this.#logger = logger;
  }

  /** The catalogue changed: whoever waits looks again. */
  changed(): void {
    this.#changes += 1;
    this.#conditions.changed();
  }

  /**
   * The collection as the catalogue knows it. Every shard's message gets the same answer: the catalogue may change between two questions, and a collection of which some shards were registered
   * and others left alone would wait for them for ever.
   */
  find(record: CreateCollectionRecord, channel: PChannel, signal: AbortSignal): Promise<BornCollection> {
    const id = record.collectionId;
    const asked = this.#answers.get(id);
    if (asked !== undefined) return asked;
    const answer = this.#ask(record, channel, signal);
    this.#answers.set(id, answer);
    // Once it is registered nobody asks again. What is left alone stays: a name for each, and those are few.
    answer.then(
      (found) => found !== undefined && found !== 'gone' && this.#answers.delete(id),
      () => this.#answers.delete(id),
    );
    return answer;
  }

  async #ask(record: CreateCollectionRecord, channel: PChannel, signal: AbortSignal): Promise<BornCollection> {
    const limit = AbortSignal.timeout(BIRTH_TIMEOUT_MS);
    for (let isFirst = true; ; isFirst = false) {
      const seen = this.#changes;
      const found = await this.#catalog.collection(record.collectionId);
      if (found === 'creating') {
        // The source is at it, however long it takes.
        await this.#nextChange(seen, AbortSignal.any([signal, AbortSignal.timeout(BIRTH_TIMEOUT_MS)]), signal);
        continue;
      }
      if (found !== undefined) return found;
      if (limit.aborted || (isFirst && !(await this.#isYoung(record, channel, signal)))) {
        this.#logger.warn(
          { collectionId: record.collectionId.toString(), collection: record.collectionName },
          'The log tells of a new collection that the catalogue does not know; it was never made, or has long been dropped.',
        );
        return undefined;
      }
      await this.#nextChange(seen, AbortSignal.any([signal, limit]), signal);
    }
  }

  /** Until the catalogue has changed since `seen`, or `limit` has passed. Rejects only when `signal` aborts. */
  async #nextChange(seen: number, limit: AbortSignal, signal: AbortSignal): Promise<void> {
    await this.#conditions.until(() => this.#changes > seen, limit).catch(() => signal.throwIfAborted());
  }

  /** Measured against the newest message of the same channel, so that the clocks of two machines do not matter. */
  async #isYoung(record: CreateCollectionRecord, channel: PChannel, signal: AbortSignal): Promise<boolean> {
    const { latest }: { latest: MessageOrdinal } = await this.#wal.bounds(channel);
    const newest = decodeRecord((await this.#wal.readAt(channel, latest, signal)).payload);
    return newest.kind === 'malformed' || timeTickToMs(newest.endTick) - timeTickToMs(record.beginTick) < YOUNG_MS_MAX;
  }
}
