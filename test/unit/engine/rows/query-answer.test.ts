import { describe, expect, it } from 'vitest';
import type { SchemaField } from '../../../../electron/engine/codec/collection-schema.ts';
import { readColumns } from '../../../../electron/engine/source/rows/query-answer.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import { decodeRequest, encodeMessage } from '../../../support/milvus-messages.ts';

const TYPE = { bool: 1, int8: 2, int64: 5, double: 11, varchar: 21, array: 22, json: 23, floatVector: 101 } as const;

const field = (id: number, name: string, dataType: number, elementType = 0): SchemaField => ({
  id: BigInt(id),
  name,
  dataType,
  elementType,
  isPrimaryKey: id === 100,
  autoId: false,
  isPartitionKey: false,
  isDynamic: name === '$meta',
  isNullable: false,
  hasDefault: false,
  isFunctionOutput: false,
  typeParams: new Map(),
});

const KEY = field(100, 'id', TYPE.int64);
const VECTOR = field(101, 'v', TYPE.floatVector);
const META = field(102, '$meta', TYPE.json);

const key = { fieldName: 'id', fieldId: 100, type: TYPE.int64, scalars: { longData: { data: ['1', '2'] } } };
const vector = {
  fieldName: 'v',
  fieldId: 101,
  type: TYPE.floatVector,
  vectors: { dim: 2, floatVector: { data: [1, 2, 3, 4] } },
};
const meta = {
  fieldName: '$meta',
  fieldId: 102,
  type: TYPE.json,
  isDynamic: true,
  scalars: { jsonData: { data: [Buffer.from('{}'), Buffer.from('{"a":1}')] } },
};
const timestamp = { fieldName: 'Timestamp', fieldId: 1, type: TYPE.int64, scalars: { longData: { data: ['7', '8'] } } };

const answer = (fieldsData: readonly object[], extra: object = {}) =>
  encodeMessage('QueryResults', { status: {}, fieldsData, collectionName: 'c', outputFields: ['id'], ...extra });

describe('the columns of an answer', () => {
  it('are the very bytes that came, in the order of the answer, each with its id and name', () => {
    const { fields } = readColumns(answer([vector, meta, key]), [KEY, VECTOR, META]);
    expect(fields.map(({ fieldId, fieldName }) => [fieldId, fieldName])).toEqual([
      [101n, 'v'],
      [102n, '$meta'],
      [100n, 'id'],
    ]);
    const sent = [vector, meta, key].map((column) => Buffer.from(encodeMessage('schema.FieldData', column)));
    expect(fields.map(({ bytes }) => Buffer.from(bytes))).toEqual(sent);
  });

  it('are those of the schema only', () => {
    const { fields } = readColumns(answer([timestamp, key, vector]), [KEY]);
    expect(fields.map(({ fieldName }) => fieldName)).toEqual(['id']);
  });

  it('share the memory of the answer', () => {
    const bytes = answer([key]);
    expect(readColumns(bytes, [KEY]).fields[0]?.bytes.buffer).toBe(bytes.buffer);
  });
});

describe('the status of an answer', () => {
  it('is read beside the columns, wherever it stands', () => {
    const first = answer([key]);
    const last = encodeMessage('QueryResults', { status: { code: 5, reason: 'no' } });
    expect(readColumns(Buffer.concat([first, last]), [KEY])).toMatchObject({
      status: { code: 5, reason: 'no', errorCode: 0 },
      fields: [{ fieldName: 'id' }],
    });
  });

  it('of a refusal comes without columns', () => {
    const refusal = encodeMessage('QueryResults', {
      status: { errorCode: 1, code: 65535, reason: 'partition not loaded' },
    });
    const { status, fields } = readColumns(refusal, [KEY]);
    expect(status).toMatchObject({ errorCode: 1, code: 65535, reason: 'partition not loaded' });
    expect(fields).toEqual([]);
  });
});

describe('arrays', () => {
  const lists = [
    ['bool', TYPE.bool, 'boolData', [true]],
    ['int8', TYPE.int8, 'intData', [1]],
    ['int64', TYPE.int64, 'longData', ['1']],
    ['double', TYPE.double, 'doubleData', [0.5]],
    ['varchar', TYPE.varchar, 'stringData', ['x']],
  ] as const;
  it.each(lists)(
    'of %s that are empty become empty lists, and the others stay as they are',
    (_, elementType, list, some) => {
      const full = { [list]: { data: some } };
      const column = {
        fieldName: 'list',
        fieldId: 103,
        type: TYPE.array,
        scalars: { arrayData: { data: [{}, full, {}], elementType } },
      };
      const { fields } = readColumns(answer([key, column]), [KEY, field(103, 'list', TYPE.array, elementType)]);
      expect(decodeRequest('schema.FieldData', fields[1]?.bytes ?? new Uint8Array())).toEqual({
        ...column,
        fieldId: '103',
        scalars: { arrayData: { data: [{ [list]: {} }, full, { [list]: {} }], elementType } },
      });
    },
  );

  it('none of which is empty are the very bytes that came', () => {
    const scalars = { arrayData: { data: [{ intData: { data: [1] } }], elementType: TYPE.int8 } };
    const column = { fieldName: 'list', fieldId: 103, type: TYPE.array, scalars };
    const bytes = answer([column]);
    const [slice] = readColumns(bytes, [field(103, 'list', TYPE.array, TYPE.int8)]).fields;
    expect(slice?.bytes.buffer).toBe(bytes.buffer);
  });
});

describe('an answer that is cut off anywhere', () => {
  it('is an error with its place, or has nothing of what is missing', () => {
    const scalars = { arrayData: { data: [{}, { intData: { data: [1] } }], elementType: TYPE.int8 } };
    const bytes = answer([key, { fieldName: 'list', fieldId: 103, type: TYPE.array, scalars }, vector]);
    const schema = [KEY, field(103, 'list', TYPE.array, TYPE.int8), VECTOR];
    const whole = readColumns(bytes, schema).fields.length;
    expect(whole).toBe(3);
    let failures = 0;
    for (let length = 0; length < bytes.byteLength; length += 1) {
      try {
        expect(readColumns(bytes.subarray(0, length), schema).fields.length).toBeLessThanOrEqual(whole);
      } catch (error) {
        expect(error).toBeInstanceOf(ReplicationError);
        expect(error).toMatchObject({ code: 'malformedMessage', side: 'source', context: { bytes: length } });
        failures += 1;
      }
    }
    expect(failures).toBeGreaterThan(bytes.byteLength / 2);
  });
});
