/** What a doubtful window leaves behind: of each key that it touches, whether one row of it must be there or none. */
import type { PrimaryKeys } from '../codec/records.ts';
import type { PrimaryKey } from '../codec/primary-keys.ts';

/** A window after a crash touches some hundred messages; a replay after a long copy may touch any number of keys. */
const KEYS_MAX = 100_000;

export interface ExpectedKeys {
  /** Empty: Milvus places the rows. */
  readonly partition: string;
  /** One row of each, at most. */
  readonly present: PrimaryKeys;
  /** No row of these. */
  readonly absent: PrimaryKeys;
}

export class DoubtfulKeys {
  /** By partition; `true`: one row. */
  readonly #isThere = new Map<string, Map<PrimaryKey, boolean>>();
  #count = 0;
  /** Some keys were too many to be kept. */
  isPartial = false;

  written(partition: string, keys: PrimaryKeys): void {
    this.#note(partition, keys, true);
    const everywhere = partition === '' ? undefined : this.#isThere.get('');
    // It was deleted in all partitions, and is in this one again.
    if (everywhere !== undefined) for (const key of keys.values) if (everywhere.delete(key)) this.#count -= 1;
  }

  /** `partition`: empty stands for all of them. */
  deleted(partition: string, keys: PrimaryKeys): void {
    this.#note(partition, keys, false);
    if (partition !== '') return;
    for (const known of this.#isThere.values()) {
      for (const key of keys.values) if (known.has(key)) known.set(key, false);
    }
  }

  partitionDropped(partition: string): void {
    this.#count -= this.#isThere.get(partition)?.size ?? 0;
    this.#isThere.delete(partition);
  }

  *expected(): Iterable<ExpectedKeys> {
    for (const [partition, known] of this.#isThere) {
      const keysThat = (isThere: boolean): PrimaryKeys =>
        toKeys([...known].filter(([, there]) => there === isThere).map(([key]) => key));
      yield { partition, present: keysThat(true), absent: keysThat(false) };
    }
  }

  #note(partition: string, keys: PrimaryKeys, isThere: boolean): void {
    const known = this.#isThere.get(partition) ?? new Map<PrimaryKey, boolean>();
    this.#isThere.set(partition, known);
    for (const key of keys.values) {
      if (!known.has(key)) {
        if (this.#count >= KEYS_MAX) {
          this.isPartial = true;
          continue;
        }
        this.#count += 1;
      }
      known.set(key, isThere);
    }
  }
}

function toKeys(keys: readonly PrimaryKey[]): PrimaryKeys {
  if (typeof keys[0] === 'string') return { type: 'varchar', values: keys.map(String) };
  return { type: 'int64', values: BigInt64Array.from(keys.map(BigInt)) };
}
