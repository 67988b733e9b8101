/**
 * The rows that the source holds now, read through its public API: what a copy begins with. The log is not asked here.
 * Errors of every call are `ReplicationError`s of side `source`.
 */
import type { TimeTick } from '../../../../shared/time/time-tick.ts';
import type { FieldSlice, PrimaryKeys } from '../../codec/records.ts';
import type { CollectionSchema } from '../../codec/collection-schema.ts';
import type { CollectionAddress } from '../../milvus/collection-address.ts';

export type RowKey = bigint | string;

export interface PageRead extends CollectionAddress {
  /** Empty for a collection with a partition key. */
  readonly partition: string;
  readonly schema: CollectionSchema;
  /** Keys above this one; `undefined`: from the smallest. */
  readonly after: RowKey | undefined;
  /** Every change up to this timestamp must be visible; `undefined`: every change up to the call (strong consistency). */
  readonly guarantee: TimeTick | undefined;
}

export interface RowsPage {
  /** At least 1. */
  readonly rowCount: number;
  /** Columns as the source sent them, in a form that `Insert` and `Upsert` take. */
  readonly fields: readonly FieldSlice[];
  /** Row order, ascending, each key once. */
  readonly keys: PrimaryKeys;
  /** Rows that share their key with another row of the page: the source showed one of each. */
  readonly doubledRows: number;
}

export interface SourceCollectionState {
  readonly partitions: readonly string[];
  /** What must be loaded to be read. `not-loaded`: at least one partition cannot be read. */
  readonly loadState: 'loaded' | 'loading' | 'not-loaded';
  /** One serialized `milvus.CreateIndexRequest` per index, without its base, as they stand on the source. */
  readonly indexRequests: readonly Uint8Array[];
  /** Serialized `milvus.LoadCollectionRequest` (replica number of the source), where the whole collection is loaded. */
  readonly loadRequest: Uint8Array | undefined;
}

export interface RowSource {
  /** A timestamp that is later than every change acknowledged before the call; `undefined` where the server gives none. */
  now(signal: AbortSignal): Promise<TimeTick | undefined>;
  /** `undefined`: there is no such collection (any more). */
  describe(address: CollectionAddress, signal: AbortSignal): Promise<SourceCollectionState | undefined>;
  /**
   * The next rows in the order of their keys (bytes for text), some MiB of them; `undefined` at the end. A page leaves out
   * no key between `after` and its last one.
   */
  readPage(read: PageRead, signal: AbortSignal): Promise<RowsPage | undefined>;
  /** Loads it for reading, resolves when it can be read. Needs an index. */
  load(address: CollectionAddress, signal: AbortSignal): Promise<void>;
  /** Undoes what `load` of this instance did; what was loaded before stays so. */
  release(address: CollectionAddress, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
