import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { summarizeRecord } from '../../../../electron/engine/codec/record-summary.ts';
import { asTimeTick } from '../../../../shared/time/time-tick.ts';
import {
  buildDelete,
  buildDropPartition,
  buildInsert,
  buildSchema,
  buildTick,
  type BuiltCollection,
} from '../../../support/wal-builder.ts';

const TICK = asTimeTick(470658248950677509n);
const SECRET = 'a value that nobody is to see';

const collection = (hasTextKeys: boolean): BuiltCollection => ({
  id: 7n,
  database: 'shop',
  name: 'orders',
  vchannels: ['dml_0_7v0'],
  pchannels: ['dml_0'],
  hasPartitionKey: false,
  hasTextKeys,
});
const partition = { id: 9n, name: 'north' };
const message = (of: BuiltCollection) => ({
  collection: of,
  partition,
  vchannel: 'dml_0_7v0',
  tick: TICK,
  messageId: 1n,
});

it('says of an insert what is in it and its first keys, and never another value', () => {
  const orders = collection(false);
  const rows = Array.from({ length: 30 }, (_, index) => ({ key: 2n ** 60n + BigInt(index), value: SECRET }));
  const summary = summarizeRecord(buildInsert(message(orders), rows), buildSchema(orders));
  expect(summary).toMatchObject({ kind: 'insert', partition: 'north', rowCount: 30, columns: ['id', 'value'] });
  expect(summary.firstKeys).toHaveLength(20);
  expect(summary.firstKeys?.[0]).toBe('1152921504606846976');
  expect(JSON.stringify(summary)).not.toContain(SECRET);
});

it('cuts long keys', () => {
  const orders = collection(true);
  const rows = [{ key: 'k'.repeat(5_000), value: '' }];
  const { firstKeys } = summarizeRecord(buildInsert(message(orders), rows), buildSchema(orders));
  expect(firstKeys).toEqual([`${'k'.repeat(100)}…`]);
});

it('says why the keys of an insert cannot be read, and all else of it', () => {
  const orders = collection(false);
  const bytes = buildInsert(message(orders), [{ key: 1n, value: SECRET }]);
  const gone = summarizeRecord(bytes, undefined);
  expect(gone).toMatchObject({
    kind: 'insert',
    rowCount: 1,
    problem: expect.stringContaining('its collection is gone'),
  });
  const odd = summarizeRecord(bytes, Uint8Array.of(255));
  expect(odd.problem).toContain('The schema of its collection cannot be read');
});

it('reads deletes, definitions, and what is of no use to a person', () => {
  const orders = collection(true);
  expect(summarizeRecord(buildDelete(message(orders), ['a', 'b']), undefined)).toEqual({
    kind: 'delete',
    partition: 'north',
    rowCount: 2,
    firstKeys: ['a', 'b'],
  });
  expect(summarizeRecord(buildDropPartition(orders, partition, TICK), undefined)).toEqual({
    kind: 'dropPartition',
    partition: 'north',
  });
  expect(summarizeRecord(buildTick(TICK), undefined).kind).toBe('unknown');
});

it.each(['odd-truncated', 'odd-no-base', 'odd-row-based', 'odd-no-shard-name'])(
  'says where %s is malformed',
  (name) => {
    const bytes = readFileSync(new URL(`../../../golden/wal/${name}.bin`, import.meta.url));
    const { kind, problem } = summarizeRecord(bytes, undefined);
    expect(kind).toBe('malformed');
    expect(problem).toMatch(/^It cannot be read at byte \d+: .+\.$/);
  },
);

it('names the type that it does not know', () => {
  const bytes = readFileSync(new URL('../../../golden/wal/odd-unknown-type.bin', import.meta.url));
  expect(summarizeRecord(bytes, undefined)).toMatchObject({
    kind: 'unknown',
    problem: expect.stringMatching(/^Its type \(\d+\) is not known/),
  });
});
