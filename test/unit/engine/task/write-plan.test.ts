import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DeleteRecord, InsertRecord, PrimaryKeys } from '../../../../electron/engine/codec/records.ts';
import { planWrites, type WriteStep } from '../../../../electron/engine/task/write-plan.ts';
import { asCollectionId, asPartitionId, asVChannel } from '../../../../shared/model/ids.ts';
import { asTimeTick } from '../../../../shared/time/time-tick.ts';

const common = {
  messageId: 0n,
  beginTick: asTimeTick(5n),
  endTick: asTimeTick(5n),
  database: 'default',
  collectionName: 'orders',
  collectionId: asCollectionId(1n),
  vchannel: asVChannel('dml_0_1v0'),
  partitionId: asPartitionId(1n),
};
const int64 = (keys: readonly number[]): PrimaryKeys => ({
  type: 'int64',
  values: BigInt64Array.from(keys.map(BigInt)),
});
const varchar = (keys: readonly string[]): PrimaryKeys => ({ type: 'varchar', values: keys });

interface Insert extends InsertRecord {
  readonly keys: PrimaryKeys;
}
const insert = (keys: PrimaryKeys, partitionName = 'p'): Insert => ({
  kind: 'insert',
  ...common,
  partitionName,
  rowCount: keys.values.length,
  fields: [],
  keys,
});
const remove = (keys: PrimaryKeys, partitionName = 'p'): DeleteRecord => ({
  kind: 'delete',
  ...common,
  partitionName,
  keys,
});
const plan = (deletes: DeleteRecord[], inserts: Insert[], hasPartitionKey = false): readonly WriteStep[] =>
  planWrites({ deletes, inserts, keysOf: (record) => (record as Insert).keys, hasPartitionKey });
const shape = (steps: readonly WriteStep[]): unknown[] =>
  steps.map((step) => [
    step.kind,
    [...(step.kind === 'delete' ? step.keys : (step.record as Insert).keys).values].map(String),
  ]);

describe('the plan of the writes of one timestamp', () => {
  test('leaves inserts as they are, without looking at their keys', () => {
    const steps = planWrites({
      deletes: [],
      inserts: [insert(int64([1]))],
      keysOf: () => {
        throw new Error('not asked');
      },
      hasPartitionKey: false,
    });
    expect(steps.map(({ kind }) => kind)).toEqual(['insert']);
  });

  test('makes one upsert of a delete and an insert of the same keys', () => {
    expect(shape(plan([remove(int64([1, 2]))], [insert(int64([2, 1]))]))).toEqual([['upsert', ['2', '1']]]);
    expect(shape(plan([remove(varchar(['a']))], [insert(varchar(['a']))]))).toEqual([['upsert', ['a']]]);
  });

  test('deletes first what no insert replaces', () => {
    expect(shape(plan([remove(int64([1, 2, 3]))], [insert(int64([2]))]))).toEqual([
      ['delete', ['1', '3']],
      ['upsert', ['2']],
    ]);
  });

  test('does not replace by an insert that has other keys as well', () => {
    expect(shape(plan([remove(int64([1]))], [insert(int64([1, 2]))]))).toEqual([
      ['delete', ['1']],
      ['insert', ['1', '2']],
    ]);
  });

  test('keeps partitions apart', () => {
    expect(shape(plan([remove(int64([1]), 'p')], [insert(int64([1]), 'q')]))).toEqual([
      ['delete', ['1']],
      ['insert', ['1']],
    ]);
    expect(shape(plan([remove(int64([1]), '')], [insert(int64([1]), 'p')]))).toEqual([
      ['delete', ['1']],
      ['insert', ['1']],
    ]);
  });

  test('does not look at partition names where the server places rows by a key', () => {
    expect(shape(plan([remove(int64([1]), '_default_3')], [insert(int64([1]), '_default_7')], true))).toEqual([
      ['upsert', ['1']],
    ]);
  });

  test('does not lose the second row when one key is inserted twice', () => {
    expect(shape(plan([remove(int64([1]))], [insert(int64([1])), insert(int64([1]))]))).toEqual([
      ['upsert', ['1']],
      ['insert', ['1']],
    ]);
  });

  test('ends with the same rows as all deletes followed by all inserts', () => {
    const partition = fc.constantFrom('p', 'q');
    const keys = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 });
    const deletes = fc.array(fc.record({ keys, partition: fc.constantFrom('p', 'q', '') }), { maxLength: 3 });
    const inserts = fc.array(fc.record({ keys, partition }), { maxLength: 3 });
    fc.assert(
      fc.property(deletes, inserts, fc.boolean(), (removed, added, hasPartitionKey) => {
        const scope = (name: string): string => (hasPartitionKey ? '' : name);
        // The row's value is its place among all inserted rows, so that none can stand for another.
        const rowsOf = new Map(
          added.map((each, index) => [
            insert(int64(each.keys), each.partition),
            each.keys.map((key, row) => `${key}:${index}.${row}`),
          ]),
        );
        const start = ['p', 'q'].flatMap((name) =>
          [1, 2, 3, 4, 5, 6].map((key) => [scope(name), `${key}:old`] as readonly [string, string]),
        );
        const drop = (rows: (readonly [string, string])[], keyList: readonly string[], name: string) =>
          rows.filter(
            ([place, row]) => !((name === '' || place === name) && keyList.includes(row.split(':')[0] ?? '')),
          );
        let expected = [...start];
        for (const each of removed) expected = drop(expected, each.keys.map(String), scope(each.partition));
        for (const [record, rows] of rowsOf) {
          for (const row of rows) expected.push([scope(record.partitionName), row]);
        }
        let found = [...start];
        const records = removed.map((each) => remove(int64(each.keys), each.partition));
        for (const step of plan(records, [...rowsOf.keys()], hasPartitionKey)) {
          const name = scope(step.record.partitionName);
          if (step.kind !== 'insert') {
            const taken = step.kind === 'delete' ? step.keys : (step.record as Insert).keys;
            found = drop(found, [...taken.values].map(String), name);
          }
          if (step.kind !== 'delete') {
            for (const row of rowsOf.get(step.record as Insert) ?? []) found.push([name, row]);
          }
        }
        expect(found.map(String).toSorted()).toEqual(expected.map(String).toSorted());
      }),
    );
  });
});
