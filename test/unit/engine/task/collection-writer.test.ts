import { beforeEach, describe, expect, test } from 'vitest';
import { parseCollectionSchema } from '../../../../electron/engine/codec/collection-schema.ts';
import {
  CollectionWriter,
  type CollectionWriterOptions,
  type OnTarget,
} from '../../../../electron/engine/task/collection-writer.ts';
import type { JoinedWrite } from '../../../../electron/engine/task/joined-write.ts';
import type { KeysDelete, RowsWrite, Target } from '../../../../electron/engine/target/target.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import { decodeRecord } from '../../../../electron/engine/codec/decode.ts';
import { TYPE_CASES } from '../../../support/type-cases.ts';
import { insertMessage, schemaOf } from '../../../support/typed-messages.ts';
import { decodeRequest } from '../../../support/milvus-messages.ts';
import { refused } from '../../../support/memory-target.ts';
import { buildSchema } from '../../../support/wal-builder.ts';
import { deleting, inserting, rowsOf } from './write-pieces.ts';

const schema = parseCollectionSchema(
  buildSchema({
    id: 1n,
    database: 'd',
    name: 'c',
    vchannels: [],
    pchannels: [],
    hasPartitionKey: false,
    hasTextKeys: false,
  }),
);

let calls: string[];
/** Thrown at a call that holds the row or key. */
let faults: Map<string, Error>;
let confirmedTicks: number[];
let refusals: string[];
let options: CollectionWriterOptions;
let writer: CollectionWriter;

beforeEach(() => {
  calls = [];
  faults = new Map();
  confirmedTicks = [];
  refusals = [];
  const answer = (call: string, items: readonly string[]): Promise<void> => {
    calls.push(`${call} ${items.join(',')}`);
    const fault = items.map((item) => faults.get(item)).find((found) => found !== undefined);
    if (fault === undefined) return Promise.resolve();
    if (fault.message.includes('once')) for (const item of items) faults.delete(item);
    return Promise.reject(fault);
  };
  const put = (call: string) => (write: RowsWrite) => answer(call, rowsOf(write.fields));
  const target: Partial<Target> = {
    insert: put('insert'),
    upsert: put('upsert'),
    delete: ({ keys }: KeysDelete) => answer('delete', [...keys.values].map(String)),
  };
  if ('kind' in schema) throw new Error(schema.what);
  const { signal } = new AbortController();
  const onTarget: OnTarget = async (_name, call) => {
    let previous: ReplicationError | undefined;
    for (;;) {
      try {
        return await call(signal, previous);
      } catch (error) {
        if (!(error instanceof ReplicationError) || error.code !== 'timeout') throw error;
        previous = error;
      }
    }
  };
  options = {
    target: target as Target,
    address: { database: 'd', collection: 'c' },
    schema,
    onTarget,
    lease: {
      cover: () => undefined,
      leftOpen: () => undefined,
      whenLanded: () => Promise.resolve(),
      whenSettled: () => Promise.resolve(),
    },
    clock: { now: () => 0 },
    signal,
    confirmed: (tick) => void confirmedTicks.push(Number(tick)),
  };
  writer = new CollectionWriter(options);
});

const joined = (first: JoinedWrite, ...others: readonly JoinedWrite[]): JoinedWrite => {
  for (const other of others) if (!first.tryTake(other)) throw new Error('It cannot be joined.');
  return first;
};
const write = (asked: JoinedWrite) =>
  writer.write(asked, (entry) => {
    refusals.push(String(entry.ordinal));
    return Promise.resolve();
  });

describe('the writer of a collection', () => {
  test('writes what was joined in one call, and confirms each of its messages', async () => {
    await write(joined(inserting([1], { at: 5 }), inserting([2], { at: 7 })));
    await write(joined(deleting([3], { at: 8 }), deleting([4], { at: 9 })));
    expect(calls).toEqual(['insert 1:v1,2:v2', 'delete 3,4']);
    expect(confirmedTicks).toEqual([5, 7, 8, 9]);
    expect(writer.counters).toEqual({ rowsWritten: 2, rowsDeleted: 2 });
  });

  test('repeats all of it by key when the answer was lost', async () => {
    faults.set('2:v2', new ReplicationError('timeout', 'target', 'No answer, once.'));
    await write(joined(inserting([1]), inserting([2])));
    expect(calls).toEqual(['insert 1:v1,2:v2', 'upsert 1:v1,2:v2']);
  });

  test('finds the one message that the target refuses, and writes those before it', async () => {
    faults.set('2:v2', refused('invalidRequest', 'a value of row 2'));
    await expect(
      write(joined(inserting([1], { at: 1 }), inserting([2], { at: 2 }), inserting([3], { at: 3 }))),
    ).rejects.toThrow('a value of row 2');
    expect(calls).toEqual(['insert 1:v1,2:v2,3:v3', 'insert 1:v1', 'insert 2:v2']);
    expect([confirmedTicks, refusals]).toEqual([[1], ['2']]);
  });

  test('writes a nullable column in the form that Insert takes, joined or from a copy', async () => {
    const one = TYPE_CASES.find(({ name }) => name === 'nullable VarChar');
    const typed = one && parseCollectionSchema(schemaOf('c', [one]));
    if (one === undefined || typed === undefined || 'kind' in typed) throw new Error('nullable VarChar');
    const written: RowsWrite[] = [];
    const take = (rows: RowsWrite): Promise<void> => {
      written.push(rows);
      return Promise.resolve();
    };
    const nullable = new CollectionWriter({
      ...options,
      schema: typed,
      target: { insert: take } as Partial<Target> as Target,
    });
    const record = decodeRecord(insertMessage('c', [one], { keys: [1, 2, 3], places: [0, 1, 3] }, 5));
    if (record.kind !== 'insert') throw new Error(record.kind);
    await nullable.writeCopied('p', { rowCount: 3, fields: record.fields }, false);
    const column = decodeRequest('schema.FieldData', written[0]?.fields.at(-1)?.bytes ?? new Uint8Array());
    expect(column).toMatchObject({
      scalars: { stringData: { data: [one.values[0], one.values[3]] } },
      validData: [true, false, true],
    });
    await expect(nullable.writeCopied('p', { rowCount: 4, fields: record.fields }, false)).rejects.toMatchObject({
      code: 'malformedMessage',
      side: 'source',
    });
    expect(written).toHaveLength(1);
  });

  test('writes them one by one when only together they were too much', async () => {
    faults.set('1:v1', refused('messageTooLarge', 'a large request, once'));
    await write(joined(inserting([1]), inserting([2])));
    expect(calls).toEqual(['insert 1:v1,2:v2', 'insert 1:v1', 'insert 2:v2']);
    expect(refusals).toEqual([]);
  });
});
