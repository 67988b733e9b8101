import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeRecord } from '../../../../electron/engine/codec/decode.ts';
import { OPERATION_TYPES } from '../../../../electron/engine/codec/message-types.ts';
import { comparable, encodeAs, expectedRecord } from '../../../support/golden-messages.ts';

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String);
const id = fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }).map(String);
const tick = fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }).map(String);
const name = fc.string({ unit: 'grapheme', minLength: 1 });

const base = (msgType: number, timestamp: fc.Arbitrary<string> = tick) =>
  fc.record({ msgType: fc.constant(msgType), msgID: int64, timestamp, sourceID: int64 });

const column = fc.oneof(
  fc.record({
    type: fc.constant(5),
    fieldName: name,
    fieldId: fc.integer({ min: 100, max: 200 }).map(String),
    scalars: fc.record({ longData: fc.record({ data: fc.array(int64) }) }),
  }),
  fc.record({
    type: fc.constant(101),
    fieldName: name,
    fieldId: fc.integer({ min: 100, max: 200 }).map(String),
    vectors: fc.record({ dim: fc.constant('4'), floatVector: fc.record({ data: fc.array(fc.integer()) }) }),
  }),
);

const insert = fc
  .record({
    base: base(400, fc.oneof(tick, fc.constant('0'))),
    shardName: name,
    dbName: fc.oneof(fc.constant(''), name),
    collectionName: name,
    partitionName: fc.string(),
    collectionID: id,
    partitionID: id,
    timestamps: fc.array(tick, { minLength: 1, maxLength: 20 }),
    fieldsData: fc.array(column, { minLength: 1, maxLength: 4 }),
    version: fc.constant(1),
  })
  .map((body) => ({ ...body, numRows: String(body.timestamps.length) }));

const deletion = fc
  .record({
    base: base(401),
    shardName: name,
    collectionName: name,
    partitionName: fc.string(),
    collectionID: id,
    partitionID: fc.oneof(id, fc.constant('-1')),
    rows: fc.array(fc.tuple(tick, int64, fc.string({ unit: 'grapheme' })), { minLength: 1, maxLength: 40 }),
    isVarchar: fc.boolean(),
  })
  .map(({ rows, isVarchar, ...body }) => ({
    ...body,
    timestamps: rows.map(([at]) => at),
    numRows: String(rows.length),
    primaryKeys: isVarchar
      ? { strId: { data: rows.map(([, , text]) => text) } }
      : { intId: { data: rows.map(([, number]) => number) } },
  }));

/** Our decoder against protobufjs, on the same bytes. */
function expectAgreement(message: string, body: Record<string, unknown>): void {
  const payload = encodeAs(message, body);
  const record = decodeRecord(payload);
  if (record.kind === 'malformed') throw new Error(`${record.what} at ${record.offset}`);
  // An id of 0 is left out on the wire; none is generated above, except where a message has none at all.
  expect(comparable(record)).toEqual(expectedRecord(payload));
}

describe('decodeRecord', () => {
  test('agrees with protobufjs on every insert', () => {
    fc.assert(fc.property(insert, (body) => expectAgreement('msg.InsertRequest', body)));
  });

  test('agrees with protobufjs on every delete', () => {
    fc.assert(fc.property(deletion, (body) => expectAgreement('msg.DeleteRequest', body)));
  });

  test('never throws on a cut or altered message', () => {
    fc.assert(
      fc.property(insert, fc.nat(), fc.nat(), fc.integer({ min: 0, max: 255 }), (body, cut, at, value) => {
        const payload = encodeAs('msg.InsertRequest', body);
        decodeRecord(payload.subarray(0, cut % (payload.length + 1)));
        payload[at % payload.length] = value;
        decodeRecord(payload);
      }),
    );
  });

  test('never throws on garbage', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (payload) => {
        const record = decodeRecord(payload);
        if (record.kind === 'malformed') expect(record.offset).toBeLessThanOrEqual(payload.length);
      }),
      { numRuns: 2000 },
    );
  });

  const insertBody = {
    base: { msgType: 400, msgID: '7', timestamp: '50' },
    shardName: 'by-dev-rootcoord-dml_0_1v0',
    collectionID: '1',
    timestamps: ['50'],
    numRows: '1',
    version: 1,
    fieldsData: [{ type: 5, fieldName: 'id', fieldId: '100', scalars: { longData: { data: ['1'] } } }],
  };

  test('drops the columns that Milvus adds for itself', () => {
    const own = [
      { type: 5, fieldName: 'RowID', scalars: { longData: { data: ['1'] } } },
      { type: 5, fieldName: 'Timestamp', fieldId: '1', scalars: { longData: { data: ['1'] } } },
    ];
    const body = { ...insertBody, fieldsData: [...own, ...insertBody.fieldsData] };
    const record = decodeRecord(encodeAs('msg.InsertRequest', body));
    expect(record.kind === 'insert' && record.fields.map(({ fieldName }) => fieldName)).toEqual(['id']);
  });

  test('reads the keys of a delete in the form of old servers', () => {
    const body = {
      base: { msgType: 401 },
      shardName: 's',
      collectionID: '1',
      int64PrimaryKeys: ['-1', '2'],
      timestamps: ['5', '6'],
    };
    const record = decodeRecord(encodeAs('msg.DeleteRequest', body));
    expect(record).toMatchObject({ kind: 'delete', beginTick: 5n, endTick: 6n });
    expect(record.kind === 'delete' && record.keys).toEqual({ type: 'int64', values: BigInt64Array.of(-1n, 2n) });
  });

  test.each([
    ['an insert without rows', 'msg.InsertRequest', { ...insertBody, timestamps: [], numRows: '0' }, 'without rows'],
    ['an insert without columns', 'msg.InsertRequest', { ...insertBody, fieldsData: [] }, 'without columns'],
    ['a row at time 0', 'msg.InsertRequest', { ...insertBody, timestamps: ['0'] }, 'without timestamp'],
    [
      'a delete without keys',
      'msg.DeleteRequest',
      { base: { msgType: 401 }, shardName: 's', collectionID: '1' },
      'without keys',
    ],
    ['a time tick at time 0', 'msg.TimeTickMsg', { base: { msgType: 1200 } }, 'no timestamp'],
    ['a base without type', 'msg.TimeTickMsg', { base: { timestamp: '5' } }, 'without message type'],
    [
      'a dropped collection without id',
      'msg.DropCollectionRequest',
      { base: { msgType: 101, timestamp: '5' } },
      'collection id',
    ],
    [
      'a new collection without schema',
      'msg.CreateCollectionRequest',
      { base: { msgType: 100, timestamp: '5' }, collectionID: '1' },
      'without schema',
    ],
    ['a flush of nothing', 'milvus.FlushRequest', { base: { msgType: 402, timestamp: '5' } }, 'without collection'],
  ])('refuses %s', (_, message, body, what) => {
    const record = decodeRecord(encodeAs(message, body));
    expect(record.kind === 'malformed' && record.what).toContain(what);
  });

  test('takes the schema of a new collection from either place and pairs its partitions', () => {
    const schema = { name: 'c', fields: [{ fieldID: '100', name: 'id', isPrimaryKey: true, dataType: 5 }] };
    const common = {
      base: { msgType: 100, timestamp: '5' },
      collectionID: '1',
      virtualChannelNames: ['p_1v0'],
      physicalChannelNames: ['p'],
      partitionIDs: ['11', '12'],
      partitionNames: ['a', 'b'],
    };
    const old = { ...common, schema: encodeAs('schema.CollectionSchema', schema) };
    const recent = { ...common, collectionSchema: schema };
    for (const body of [old, recent]) {
      const record = decodeRecord(encodeAs('msg.CreateCollectionRequest', body));
      expect(record).toMatchObject({
        kind: 'createCollection',
        collectionName: 'c',
        partitions: [
          { name: 'a', id: 11n },
          { name: 'b', id: 12n },
        ],
      });
    }
  });

  test.each([...OPERATION_TYPES])('reads the addressee of operation %i', (msgType, { operation, shape }) => {
    const isNamed = shape === 'database' || shape === 'collection';
    // All requests about collections have the names at the same numbers, so that one of them serves for all.
    const payload = encodeAs('milvus.DropIndexRequest', {
      base: { msgType, timestamp: '5' },
      ...(isNamed ? { dbName: 'shop' } : {}),
      ...(shape === 'collection' ? { collectionName: 'things' } : {}),
    });
    expect(decodeRecord(payload)).toMatchObject({
      kind: 'operation',
      operation,
      database: isNamed ? 'shop' : '',
      collectionNames: shape === 'collection' ? ['things'] : [],
      request: payload,
    });
  });

  test('reports a message of an unknown type', () => {
    const payload = encodeAs('msg.TimeTickMsg', { base: { msgType: 2110, msgID: '3' } });
    expect(decodeRecord(payload)).toEqual({
      kind: 'unknown',
      messageId: 3n,
      beginTick: 0n,
      endTick: 0n,
      messageType: 2110,
    });
  });
});
