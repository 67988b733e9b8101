/**
 * Turns the data messages of one timestamp and one shard into calls on the target.
 *
 * An upsert at the source stands in the log as a delete and an insert of the same keys at one timestamp. Repeated on the
 * target as two calls, the row would be missing in between; so where an insert's keys are all deleted at that
 * timestamp, in the same partition, the two become one Upsert. What is left over is deleted first. Pure.
 */
import type { DeleteRecord, InsertRecord, PrimaryKeys } from '../codec/records.ts';

export type WriteStep =
  | { readonly kind: 'insert' | 'upsert'; readonly record: InsertRecord }
  | { readonly kind: 'delete'; readonly record: DeleteRecord; readonly keys: PrimaryKeys };

type Key = bigint | string;

export interface WritePlanInput {
  readonly deletes: readonly DeleteRecord[];
  readonly inserts: readonly InsertRecord[];
  /** Keys of an insert, in row order. Called only when there are deletes as well. */
  readonly keysOf: (record: InsertRecord) => PrimaryKeys;
  /** The target places rows by a key of theirs; partition names of the log then say nothing. */
  readonly hasPartitionKey: boolean;
}

export function planWrites({ deletes, inserts, keysOf, hasPartitionKey }: WritePlanInput): WriteStep[] {
  if (deletes.length === 0) return inserts.map((record) => ({ kind: 'insert', record }));

  const scopeOf = (record: DeleteRecord | InsertRecord): string => (hasPartitionKey ? '' : record.partitionName);
  const deleted = new Map<string, Set<Key>>();
  for (const record of deletes) {
    const scope = scopeOf(record);
    const keys = deleted.get(scope) ?? new Set<Key>();
    for (const key of record.keys.values) keys.add(key);
    deleted.set(scope, keys);
  }

  const rowSteps: WriteStep[] = [];
  /** Keys whose delete is done by an Upsert, and, so that no second insert of a key is lost, all that were inserted. */
  const replaced = new Map<string, Set<Key>>();
  for (const record of inserts) {
    const scope = scopeOf(record);
    const inScope = deleted.get(scope);
    const seen = replaced.get(scope) ?? new Set<Key>();
    const keys = keysOf(record).values;
    const isReplacement = inScope !== undefined && every(keys, (key) => inScope.has(key) && !seen.has(key));
    if (isReplacement) {
      for (const key of keys) seen.add(key);
      replaced.set(scope, seen);
    }
    rowSteps.push({ kind: isReplacement ? 'upsert' : 'insert', record });
  }

  const deleteSteps: WriteStep[] = [];
  for (const record of deletes) {
    const seen = replaced.get(scopeOf(record));
    const keys = seen === undefined ? record.keys : without(record.keys, seen);
    if (keys.values.length > 0) deleteSteps.push({ kind: 'delete', record, keys });
  }
  return [...deleteSteps, ...upsertsFirst(rowSteps)];
}

/** Should one timestamp hold a key both replaced and inserted again, the replacement must not remove the second row. */
function upsertsFirst(steps: readonly WriteStep[]): WriteStep[] {
  return [...steps.filter((step) => step.kind === 'upsert'), ...steps.filter((step) => step.kind !== 'upsert')];
}

function every(keys: BigInt64Array | readonly string[], test: (key: Key) => boolean): boolean {
  for (const key of keys) if (!test(key)) return false;
  return true;
}

function without(keys: PrimaryKeys, removed: ReadonlySet<Key>): PrimaryKeys {
  return keys.type === 'int64'
    ? { type: 'int64', values: keys.values.filter((key) => !removed.has(key)) }
    : { type: 'varchar', values: keys.values.filter((key) => !removed.has(key)) };
}
