/** What the source must hold, by the ledger alone. */
import { assertNever } from '../../../../shared/assert-never.ts';
import type { LedgerEntry, OperationKind } from './ledger.ts';

/**
 * What may stand under a key: one content hash, or `undefined` for no row. More than one only where the outcome of an
 * operation is unknown.
 */
export type Expectation = readonly (string | undefined)[];

export interface ExpectedCollection {
  readonly database: string;
  readonly collection: string;
  /** By partition, then by key. A key that was deleted for certain is absent. */
  readonly partitions: Map<string, Map<string, Expectation>>;
}

export interface ExpectedState {
  readonly seed: number;
  /** False when the ledger has no last line: the load was cut off, and rows may be missing from it. */
  readonly isComplete: boolean;
  readonly operations: Partial<Record<OperationKind, number>>;
  readonly operationsUnknown: number;
  /** Rows over all inserts and upserts, acknowledged. */
  readonly rowsWritten: number;
  /** Wall clock of the last acknowledgement, in Unix milliseconds; 0 when there was none. */
  readonly lastAckMs: number;
  /** By `collectionKey`. */
  readonly collections: ReadonlyMap<string, ExpectedCollection>;
}

export const collectionKey = (database: string, collection: string): string => JSON.stringify([database, collection]);

/** Holds every key of the final state in memory: some 150 bytes a row, meant for drills of up to a few million rows. */
export async function replayLedger(entries: AsyncIterable<LedgerEntry>): Promise<ExpectedState> {
  const collections = new Map<string, ExpectedCollection>();
  const operations: Partial<Record<OperationKind, number>> = {};
  let seed = 0;
  let isComplete = false;
  let operationsUnknown = 0;
  let rowsWritten = 0;
  let lastAckMs = 0;

  for await (const entry of entries) {
    if (entry.op === 'start') {
      seed = entry.seed;
      continue;
    }
    if (entry.op === 'end') {
      isComplete = true;
      continue;
    }
    const isCertain = entry.outcome === 'acknowledged';
    if (isCertain) {
      operations[entry.op] = (operations[entry.op] ?? 0) + 1;
      lastAckMs = Math.max(lastAckMs, entry.ackMs);
      if (entry.op === 'insert' || entry.op === 'upsert') rowsWritten += entry.rows.length;
    } else {
      operationsUnknown += 1;
    }
    apply(collections, entry, isCertain);
  }
  return { seed, isComplete, operations, operationsUnknown, rowsWritten, lastAckMs, collections };
}

type Operation = Exclude<LedgerEntry, { op: 'start' | 'end' }>;

function apply(collections: Map<string, ExpectedCollection>, entry: Operation, isCertain: boolean): void {
  switch (entry.op) {
    case 'createDatabase':
    case 'dropDatabase':
    case 'createIndex':
    case 'load':
    case 'release':
    case 'flush':
    case 'createPartition':
      return;
    case 'createCollection':
      // Also when the answer was lost: a collection without rows expects nothing.
      collections.set(collectionKey(entry.database, entry.collection), {
        database: entry.database,
        collection: entry.collection,
        partitions: new Map(),
      });
      return;
    case 'dropCollection':
      if (isCertain) collections.delete(collectionKey(entry.database, entry.collection));
      else for (const keys of partitionsOf(collections, entry).values()) markPossiblyGone(keys, keys.keys());
      return;
    case 'dropPartition':
      if (isCertain) partitionsOf(collections, entry).delete(entry.partition);
      else {
        const keys = keysOf(collections, entry);
        markPossiblyGone(keys, keys.keys());
      }
      return;
    case 'insert':
    case 'upsert': {
      const keys = keysOf(collections, entry);
      for (const [key, hash] of entry.rows) {
        keys.set(key, isCertain ? [hash] : alternatives(keys.get(key) ?? [undefined], hash));
      }
      return;
    }
    case 'delete': {
      const keys = keysOf(collections, entry);
      if (isCertain) for (const key of entry.keys) keys.delete(key);
      else markPossiblyGone(keys, entry.keys);
      return;
    }
    default:
      assertNever(entry);
  }
}

type Place = { readonly database: string; readonly collection: string };

function partitionsOf(collections: Map<string, ExpectedCollection>, { database, collection }: Place) {
  const expected = collections.get(collectionKey(database, collection));
  if (expected === undefined)
    throw new Error(`The ledger writes to ${database}.${collection}, which it never created.`);
  return expected.partitions;
}

function keysOf(collections: Map<string, ExpectedCollection>, place: Place & { readonly partition: string }) {
  const partitions = partitionsOf(collections, place);
  let keys = partitions.get(place.partition);
  if (keys === undefined) partitions.set(place.partition, (keys = new Map<string, Expectation>()));
  return keys;
}

const alternatives = (current: Expectation, other: string | undefined): Expectation =>
  current.includes(other) ? current : [...current, other];

function markPossiblyGone(keys: Map<string, Expectation>, gone: Iterable<string>): void {
  for (const key of gone) {
    const current = keys.get(key);
    if (current !== undefined) keys.set(key, alternatives(current, undefined));
  }
}
