/**
 * The rows that a cluster holds now, read through its public API. Of the source: what a copy begins with. Of the target: what
 * a copy of a filled collection is compared with. The log is not asked here. Errors of every call are
 * `ReplicationError`s with the cluster's own side.
 */
import type { PartitionId } from '../../../../shared/model/ids.ts';
import type { LoadedPart } from '../../../../shared/model/task-state.ts';
import type { TimeTick } from '../../../../shared/time/time-tick.ts';
import type { FieldSlice, PrimaryKeys } from '../../codec/records.ts';
import type { CollectionSchema } from '../../codec/collection-schema.ts';
import type { CollectionAddress } from '../../milvus/collection-address.ts';
import type { KeyValue } from '../../../../shared/model/key-value.ts';

export type RowKey = bigint | string;

export interface PartitionRead extends CollectionAddress {
  /** Empty: the whole collection. */
  readonly partition: string;
  readonly schema: CollectionSchema;
  /** Every change up to this timestamp must be visible; `undefined`: every change up to the call (strong consistency). */
  readonly guarantee: TimeTick | undefined;
}

export interface PageRead extends PartitionRead {
  /** Keys above this one; `undefined`: from the smallest. */
  readonly after: RowKey | undefined;
  /** The page's size, as far as it can be foreseen; some MiB where nothing is said. */
  readonly rowsMax?: number | undefined;
  readonly bytesMax?: number | undefined;
}

export interface KeysRead extends PartitionRead {
  /** Not part of the range; `undefined`: from the smallest. */
  readonly after: RowKey | undefined;
  /** Part of the range; `undefined`: to the largest. */
  readonly upTo: RowKey | undefined;
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

export interface ImportedRows extends CollectionAddress {
  /** Of the collection, by the catalogue. */
  readonly partitions: readonly PartitionId[];
  /** What the imports have made; empty: not known. */
  readonly segments: readonly bigint[];
}

export interface KeysCount extends PartitionRead {
  readonly keys: PrimaryKeys;
}

export interface CollectionIndex {
  readonly fieldName: string;
  readonly indexName: string;
  readonly params: readonly KeyValue[];
}

export interface CollectionState {
  /** The collection that bears the name now. */
  readonly id: bigint;
  readonly partitions: readonly string[];
  /** Those that can be read. */
  readonly loadedPartitions: readonly string[];
  /** `not-loaded`: at least one partition cannot be read. */
  readonly loadState: 'loaded' | 'loading' | 'not-loaded';
  readonly indexes: readonly CollectionIndex[];
  /** Where the whole collection is loaded: how many times. */
  readonly replicaNumber: number | undefined;
}

/** Told before it is loaded, so that a crash in between leaves nothing loaded of which nobody knows. */
export type WillLoad = (loaded: LoadedPart) => void;

/** What a copy asks of a cluster beside its rows. */
export interface KeySource {
  /** A timestamp that is later than every change acknowledged before the call; `undefined` where the server gives none. */
  now(signal: AbortSignal): Promise<TimeTick | undefined>;
  /** `undefined`: there is no such collection (any more). */
  describe(address: CollectionAddress, signal: AbortSignal): Promise<CollectionState | undefined>;
  /**
   * The next keys of the range, ascending, some thousands of them; `undefined` at its end. They leave out no key between
   * `after` and their last one. Keys come once, however many rows have them.
   */
  readKeys(read: KeysRead, signal: AbortSignal): Promise<PrimaryKeys | undefined>;
  /** How many rows bear one of the keys, and how many of the keys are borne. */
  countKeys(count: KeysCount, signal: AbortSignal): Promise<{ readonly rows: number; readonly keys: number }>;
  /** Loads what is not loaded, resolves when it can be read. Needs an index. `earlier`: what an earlier load has reported. */
  load(
    address: CollectionAddress,
    earlier: LoadedPart | undefined,
    willLoad: WillLoad,
    signal: AbortSignal,
  ): Promise<void>;
  /** Succeeds where nothing of it is there any more. */
  release(address: CollectionAddress, loaded: LoadedPart, signal: AbortSignal): Promise<void>;
}

export interface RowSource extends KeySource {
  /**
   * The next rows in the order of their keys (bytes for text), some MiB of them; `undefined` at the end. A page leaves out
   * no key between `after` and its last one.
   */
  readPage(read: PageRead, signal: AbortSignal): Promise<RowsPage | undefined>;
  /**
   * Resolves when what is read shows the rows of these imports, which the catalogue has as completed. The collection is loaded.
   * @throws notReady where that takes longer than some seconds; to be called again then.
   */
  whenShown(imported: ImportedRows, signal: AbortSignal): Promise<void>;
  /** Of the partition, those that share their key and those that Milvus does not return among them. */
  countRows(read: PartitionRead, signal: AbortSignal): Promise<number>;
  /** @throws notReadable, where the server cannot return every field of a row: an index may hold a vector only in part. */
  assertReadable(read: PartitionRead, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
