import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decodeRecord } from '../../../../electron/engine/codec/decode.ts';
import { layoutOf } from '../../../../electron/engine/codec/column-layout.ts';
import { joinColumns, signatureOf } from '../../../../electron/engine/codec/join-columns.ts';
import type { FieldSlice } from '../../../../electron/engine/codec/records.ts';
import { encodeRowsRequest } from '../../../../electron/engine/target/insert-request.ts';
import { decodeRequest, encodeMessage } from '../../../support/milvus-messages.ts';
import { readFileSync } from 'node:fs';

const GOLDEN = new URL('../../../golden/wal/', import.meta.url);

const slice = (column: object): FieldSlice => ({
  fieldId: 105n,
  fieldName: 'x',
  bytes: encodeMessage('schema.FieldData', { fieldName: 'x', fieldId: 105, ...column }),
});
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** Of each type: how rows stand in a column, and two parts of rows. */
interface Kind {
  readonly name: string;
  readonly column: (rows: readonly unknown[]) => object;
  readonly parts: readonly [readonly unknown[], readonly unknown[], readonly unknown[]];
}

const scalars = (type: number, member: string) => (rows: readonly unknown[]) => ({
  type,
  scalars: { [member]: { data: rows } },
});
const vectorOfBytes = (type: number, member: string, dim: number) => (rows: readonly unknown[]) => ({
  type,
  vectors: { dim, [member]: Buffer.concat(rows as Uint8Array[]) },
});
const LONG = 'y'.repeat(300);

const KINDS: readonly Kind[] = [
  { name: 'Bool', column: scalars(1, 'boolData'), parts: [[true, false], [false], [true]] },
  { name: 'Int8', column: scalars(2, 'intData'), parts: [[0, -1], [127], [-128]] },
  { name: 'Int32', column: scalars(4, 'intData'), parts: [[0, -(2 ** 31)], [2 ** 31 - 1], [1]] },
  {
    name: 'Int64',
    column: scalars(5, 'longData'),
    parts: [['0', '-9223372036854775808'], ['9223372036854775807'], ['1']],
  },
  { name: 'Float', column: scalars(10, 'floatData'), parts: [[0, 1.5], [-2.25], [3]] },
  { name: 'Double', column: scalars(11, 'doubleData'), parts: [[0.1], [-1e300], [2]] },
  { name: 'VarChar', column: scalars(21, 'stringData'), parts: [['', 'ä'], [LONG], ['z']] },
  { name: 'JSON', column: scalars(23, 'jsonData'), parts: [[bytes(123, 125)], [bytes(), bytes(91, 93)], [bytes(49)]] },
  {
    name: 'the dynamic column',
    column: (rows) => ({ ...scalars(23, 'jsonData')(rows), isDynamic: true, fieldName: '$meta' }),
    parts: [[bytes(123, 125)], [bytes(123, 125)], [bytes(49)]],
  },
  {
    name: 'Array',
    column: (rows) => ({ type: 22, scalars: { arrayData: { data: rows, elementType: 5 } } }),
    parts: [
      [{ longData: { data: ['1', '2'] } }],
      [{ longData: { data: [] } }, { longData: { data: ['3'] } }],
      [{ longData: { data: ['4'] } }],
    ],
  },
  {
    name: 'FloatVector',
    column: (rows) => ({ type: 101, vectors: { dim: 2, floatVector: { data: rows.flat() } } }),
    parts: [
      [
        [1, 2],
        [3, 4],
      ],
      [[5, 6]],
      [[7, 8]],
    ],
  },
  {
    name: 'BinaryVector',
    column: vectorOfBytes(100, 'binaryVector', 16),
    parts: [[bytes(1, 2), bytes(3, 4)], [bytes(5, 6)], [bytes(0, 0)]],
  },
  {
    name: 'Float16Vector',
    column: vectorOfBytes(102, 'float16Vector', 1),
    parts: [[bytes(1, 2)], [bytes(3, 4)], [bytes(5, 6)]],
  },
  {
    name: 'BFloat16Vector',
    column: vectorOfBytes(103, 'bfloat16Vector', 1),
    parts: [[bytes(1, 2)], [bytes(3, 4)], [bytes(5, 6)]],
  },
  {
    name: 'Int8Vector',
    column: vectorOfBytes(105, 'int8Vector', 2),
    parts: [[bytes(1, 255)], [bytes(3, 4)], [bytes(5, 6)]],
  },
  {
    name: 'nullable Int64',
    column: (rows) => ({
      type: 5,
      scalars: { longData: { data: rows.map((row) => row ?? '0') } },
      validData: rows.map((row) => row !== null),
    }),
    parts: [['1', null], [null], ['3']],
  },
];

const join = (columns: readonly FieldSlice[]): FieldSlice =>
  joinColumns(
    columns.map((column) => {
      const layout = layoutOf(column);
      if (layout === undefined) throw new Error('It cannot be joined.');
      return layout;
    }),
  );

describe('columns that are joined', () => {
  test.each(KINDS)('$name: read as the rows of all parts, byte by byte as if written at once', ({ column, parts }) => {
    const pieces = parts.map((rows) => slice(column(rows)));
    expect(new Set(pieces.map((piece) => signatureOf(layoutOf(piece) ?? never()))).size).toBe(1);
    const whole = slice(column(parts.flat()));
    const joined = join(pieces);
    expect(decodeRequest('schema.FieldData', joined.bytes)).toEqual(decodeRequest('schema.FieldData', whole.bytes));
    // Each part as often as it likes.
    const thrice = join([...pieces, ...pieces, ...pieces]);
    const expected = slice(column([...parts, ...parts, ...parts].flat()));
    expect(decodeRequest('schema.FieldData', thrice.bytes)).toEqual(decodeRequest('schema.FieldData', expected.bytes));
  });

  test('sparse vectors take the largest dimension of all', () => {
    const column = (dim: number, rows: readonly Uint8Array[]) =>
      slice({ type: 104, vectors: { dim, sparseFloatVector: { dim, contents: rows } } });
    const inner = (dim: number, rows: readonly Uint8Array[]) =>
      slice({ type: 104, vectors: { sparseFloatVector: { dim, contents: rows } } });
    const [one, two] = [bytes(1, 0, 0, 0, 0, 0, 128, 63), bytes(9, 0, 0, 0, 0, 0, 0, 64)];
    const joined = join([inner(2, [one]), inner(10, [two, one]), inner(3, [])]);
    expect(decodeRequest('schema.FieldData', joined.bytes)).toEqual(
      decodeRequest('schema.FieldData', inner(10, [one, two, one]).bytes),
    );
    // The vectors' own dimension is that of some row as well, and differs from message to message.
    const columns = [column(2, [one]), column(10, [two])];
    expect(new Set(columns.map((part) => signatureOf(layoutOf(part) ?? never()))).size).toBe(1);
    expect(decodeRequest('schema.FieldData', join(columns).bytes)).toEqual(
      decodeRequest('schema.FieldData', column(10, [one, two]).bytes),
    );
  });

  test('vectors in one value of bytes would lose all rows but the last, were they put behind one another', () => {
    const [first, second] = [1, 2].map((value) => slice(vectorOfBytes(100, 'binaryVector', 8)([bytes(value)])));
    const merged = Buffer.concat([first?.bytes ?? bytes(), second?.bytes ?? bytes()]);
    expect(decodeRequest('schema.FieldData', merged)['vectors']).toMatchObject({ binaryVector: Buffer.from([2]) });
    expect(
      decodeRequest('schema.FieldData', join([first ?? never(), second ?? never()]).bytes)['vectors'],
    ).toMatchObject({
      binaryVector: Buffer.from([1, 2]),
    });
  });

  test('of different names, types, dimensions or element types have different signatures', () => {
    const columns = [
      { type: 5, scalars: { longData: { data: ['1'] } } },
      { type: 5, fieldName: 'y', scalars: { longData: { data: ['1'] } } },
      { type: 5, fieldId: 106, scalars: { longData: { data: ['1'] } } },
      { type: 5, scalars: { longData: { data: ['1'] } }, validData: [true] },
      { type: 4, scalars: { intData: { data: [1] } } },
      { type: 22, scalars: { arrayData: { data: [{ longData: { data: ['1'] } }], elementType: 5 } } },
      { type: 22, scalars: { arrayData: { data: [{ intData: { data: [1] } }], elementType: 4 } } },
      { type: 101, vectors: { dim: 2, floatVector: { data: [1, 2] } } },
      { type: 101, vectors: { dim: 1, floatVector: { data: [1, 2] } } },
    ].map((column) => signatureOf(layoutOf(slice(column)) ?? never()));
    expect(new Set(columns).size).toBe(columns.length);
  });

  test.each([
    ['a field that is not known', { type: 5, scalars: { longData: { data: ['1'] } }, structArrays: { fields: [] } }],
    ['values of a kind that is not known', { type: 24, scalars: { geometryData: { data: [bytes(1)] } } }],
    ['no values', { type: 5 }],
    ['no array', { type: 5, scalars: {} }],
  ])('are not made of a column with %s', (_what, column) => {
    expect(layoutOf(slice(column))).toBeUndefined();
  });

  test.each([
    ['cut off', bytes(0x1a, 9, 1)],
    // scalars { long_data { data: 7 } } with the value on its own, and scalars twice.
    ['not packed', bytes(0x1a, 4, 0x1a, 2, 0x08, 7)],
    ['in two pieces', bytes(0x1a, 5, 0x1a, 3, 0x0a, 1, 7, 0x1a, 5, 0x1a, 3, 0x0a, 1, 8)],
  ])('are not made of a column that is %s', (_what, raw) => {
    expect(layoutOf({ fieldId: 105n, fieldName: 'x', bytes: raw })).toBeUndefined();
  });

  test.each(readdirSync(GOLDEN).filter((name) => name.includes('insert') && name.endsWith('.bin')))(
    '%s, as Milvus wrote it, joined with itself reads as its rows twice',
    (name) => {
      const record = decodeRecord(readFileSync(new URL(name, GOLDEN)));
      if (record.kind !== 'insert') throw new Error('No insert.');
      const fields = record.fields.map((field) => join([field, field]));
      const request = (columns: readonly FieldSlice[], rowCount: number) =>
        decodeRequest(
          'InsertRequest',
          encodeRowsRequest({ database: 'd', collection: 'c', partition: '', rowCount, fields: columns }),
        ) as { fieldsData: Column[] };
      const once = request(record.fields, record.rowCount);
      const twice = request(fields, 2 * record.rowCount);
      expect(twice.fieldsData).toEqual(once.fieldsData.map((column) => doubled(column)));
    },
  );
});

interface Column {
  readonly scalars?: object;
  readonly vectors?: object;
}

/** Whatever holds rows, twice over. */
function doubled(value: unknown, key?: string): unknown {
  if (Buffer.isBuffer(value)) return key?.endsWith('Vector') === true ? Buffer.concat([value, value]) : value;
  if (Array.isArray(value))
    return key === 'data' || key === 'contents' ? [...(value as unknown[]), ...(value as unknown[])] : value;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, doubled(each, name)]));
}

function never(): never {
  throw new Error('It cannot be joined.');
}
