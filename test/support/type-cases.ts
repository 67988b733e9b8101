/**
 * Every type of Milvus 2.3 to 2.5 as rows of a small collection: its field, the rows' values, and the column as the source's
 * log holds it, built after the server's own source where 2.3.5 cannot hold the type.
 *
 * What the log holds, by the source of the 2.5 branch (milvus-io/milvus, pkg v2.5.7, proto go-api v2.5.13):
 * - internal/proxy/msg_pack.go, genInsertMsgsByPartition, puts the rows of one shard and partition into a message, with
 *   pkg/util/typeutil/schema.go, AppendFieldData: one value per row, `valid_data` beside it where the column had it; a sparse
 *   column's `Vectors.dim` is that of the first row's request, its `SparseFloatArray.dim` the largest row's.
 * - internal/proxy/validate_util.go, fillWithNullValue: before that, a nullable column gets Go's zero value where there is
 *   none; an array's is a nil pointer, which the wire shows as an empty message. fillWithDefaultValue: a column with a default
 *   value has it there, and its `valid_data` is cleared unless it is nullable too, when all are true.
 * - internal/proxy/util.go, checkFieldsDataBySchema: the output of a function is not among the columns.
 */
/** `null` where the row has none. Integers of 64 bits are decimal strings, vectors and JSON are bytes. */
export type TypedValue = unknown;

export interface TypeCase {
  readonly name: string;
  /** Of the `schema.FieldSchema`: all but id and name. */
  readonly field: object;
  /** Of the rows with the keys 1, 2, 3, … */
  readonly values: readonly TypedValue[];
  /** Of the `schema.FieldData`: all but id and name, as the log holds it. */
  readonly inLog: (values: readonly TypedValue[]) => object;
  /** The first version that has the type. */
  readonly since: '2.3' | '2.4' | '2.5' | '2.6';
  /** What the key field has beside its type. */
  readonly key?: object;
  /** A function that fills a sparse vector of its own from the field. */
  readonly function?: 'BM25';
}

const ROWS = 5;

export const typeParams = (values: Readonly<Record<string, string>>) =>
  Object.entries(values).map(([key, value]) => ({ key, value }));

interface Scalar {
  readonly name: string;
  readonly type: number;
  /** Of `schema.ScalarField`. */
  readonly member: string;
  readonly values: readonly [unknown, unknown, unknown, unknown, unknown];
  /** Go's zero value. */
  readonly zero: unknown;
  readonly typeParams?: Readonly<Record<string, string>>;
  /** A `schema.ValueField`. */
  readonly defaultValue: object;
  readonly filled: unknown;
}

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

const SCALARS: readonly Scalar[] = [
  {
    name: 'Bool',
    type: 1,
    member: 'boolData',
    values: [true, false, true, true, false],
    zero: false,
    defaultValue: { boolData: true },
    filled: true,
  },
  {
    name: 'Int8',
    type: 2,
    member: 'intData',
    values: [0, -128, 127, -1, 5],
    zero: 0,
    defaultValue: { intData: -7 },
    filled: -7,
  },
  {
    name: 'Int16',
    type: 3,
    member: 'intData',
    values: [0, -32_768, 32_767, -1, 5],
    zero: 0,
    defaultValue: { intData: -300 },
    filled: -300,
  },
  {
    name: 'Int32',
    type: 4,
    member: 'intData',
    values: [0, -(2 ** 31), 2 ** 31 - 1, -1, 5],
    zero: 0,
    defaultValue: { intData: 70_000 },
    filled: 70_000,
  },
  {
    name: 'Int64',
    type: 5,
    member: 'longData',
    values: ['0', '-9223372036854775808', '9223372036854775807', '-1', '9007199254740993'],
    zero: '0',
    defaultValue: { longData: '9007199254740993' },
    filled: '9007199254740993',
  },
  {
    name: 'Float',
    type: 10,
    member: 'floatData',
    values: [0, 1.5, -2.25, 3.4028234663852886e38, 2 ** -149],
    zero: 0,
    defaultValue: { floatData: 0.5 },
    filled: 0.5,
  },
  {
    name: 'Double',
    type: 11,
    member: 'doubleData',
    values: [0, 0.1, -1e300, Number.MAX_VALUE, Number.MIN_VALUE],
    zero: 0,
    defaultValue: { doubleData: 0.1 },
    filled: 0.1,
  },
  {
    name: 'VarChar',
    type: 21,
    member: 'stringData',
    values: ['', 'ä "quoted" \\', '数据库灾难恢复 🚑', 'x'.repeat(300), 'line\nbreak'],
    zero: '',
    typeParams: { max_length: '512' },
    defaultValue: { stringData: 'nobody' },
    filled: 'nobody',
  },
  {
    name: 'JSON',
    type: 23,
    member: 'jsonData',
    values: [
      json({}),
      json({ a: [1, 'two', { three: null }] }),
      json({ text: '🚑 "q" \\' }),
      json({ deep: { deeper: [[], {}] } }),
      json({ number: 0.1, flag: true }),
    ],
    zero: Buffer.alloc(0),
    defaultValue: { bytesData: json({ by: 'default' }) },
    filled: json({ by: 'default' }),
  },
];

/** Null in the middle and at the end, and next to one another. */
const withNulls = (values: readonly TypedValue[]): TypedValue[] =>
  values.map((value, row) => (row === 1 || row === 2 || row === 4 ? null : value));

const scalarColumn =
  ({ type, member, zero }: Scalar) =>
  (values: readonly TypedValue[]): object => ({
    type,
    scalars: { [member]: { data: values.map((value) => value ?? zero) } },
  });

const nullable =
  (column: (values: readonly TypedValue[]) => object) =>
  (values: readonly TypedValue[]): object => ({
    ...column(values),
    validData: values.map((value) => value !== null),
  });

const scalarField = ({ type, typeParams: limits = {} }: Scalar) => ({ dataType: type, typeParams: typeParams(limits) });

const plain = (scalar: Scalar): TypeCase => ({
  name: scalar.name,
  field: scalarField(scalar),
  values: scalar.values,
  inLog: scalarColumn(scalar),
  since: '2.3',
});

const nullableScalar = (scalar: Scalar): TypeCase => ({
  name: `nullable ${scalar.name}`,
  field: { ...scalarField(scalar), nullable: true },
  values: withNulls(scalar.values),
  inLog: nullable(scalarColumn(scalar)),
  since: '2.5',
});

/** The rows left out by the application hold the default value in the log already. */
const defaulted = (scalar: Scalar, isNullable: boolean): TypeCase => ({
  name: `${isNullable ? 'nullable ' : ''}${scalar.name} with a default value`,
  field: { ...scalarField(scalar), defaultValue: scalar.defaultValue, nullable: isNullable },
  values: withNulls(scalar.values).map((value) => value ?? scalar.filled),
  inLog: isNullable ? nullable(scalarColumn(scalar)) : scalarColumn(scalar),
  since: '2.5',
});

const ELEMENTS = SCALARS.filter(({ name }) => name !== 'JSON');

function arrayOf(element: Scalar): TypeCase {
  const [a, b, c, d, e] = element.values;
  return {
    name: `Array of ${element.name}`,
    field: {
      dataType: 22,
      elementType: element.type,
      typeParams: typeParams({ max_capacity: '8', ...element.typeParams }),
    },
    values: [[a, b, c], [], [d], [e, a], [b]],
    inLog: arrayColumn(element),
    since: '2.3',
  };
}

const arrayColumn =
  ({ type, member }: Scalar) =>
  (values: readonly TypedValue[]): object => ({
    type: 22,
    scalars: {
      arrayData: {
        elementType: type,
        data: values.map((value) => (value === null ? {} : { [member]: { data: value } })),
      },
    },
  });

function nullableArrayOf(element: Scalar): TypeCase {
  const { name, field, values } = arrayOf(element);
  return {
    name: `nullable ${name}`,
    field: { ...field, nullable: true },
    // The empty array stays, beside those that are none.
    values: [values[0], values[1], null, null, values[3]],
    inLog: nullable(arrayColumn(element)),
    since: '2.5',
  };
}

/** Rows of `byteLength` bytes each, no two alike. */
const byteRows = (byteLength: number, seed: number): Buffer[] =>
  Array.from({ length: ROWS }, (_row, row) =>
    Buffer.from(Array.from({ length: byteLength }, (_byte, at) => (seed + row * 37 + at * 11) % 256)),
  );

/** Small numbers that both 16-bit forms hold: what the bits say is not looked at on the way, but servers refuse NaN. */
const halfRows = (bits: readonly number[]): Buffer[] =>
  Array.from({ length: ROWS }, (_row, row) => {
    const bytes = Buffer.alloc(8);
    for (let at = 0; at < 4; at += 1) bytes.writeUInt16LE(bits[(row + at) % bits.length] ?? 0, at * 2);
    return bytes;
  });

const bytesVector = (
  name: string,
  type: number,
  member: string,
  dim: number,
  values: Buffer[],
  since: TypeCase['since'],
): TypeCase => ({
  name,
  field: { dataType: type, typeParams: typeParams({ dim: String(dim) }) },
  values,
  inLog: (rows) => ({ type, vectors: { dim: String(dim), [member]: Buffer.concat(rows as Buffer[]) } }),
  since,
});

/** Pairs of an index and a value, 4 bytes each, indices ascending. */
const sparseRow = (...pairs: readonly (readonly [index: number, value: number])[]): Buffer => {
  const bytes = Buffer.alloc(pairs.length * 8);
  for (const [at, [index, value]] of pairs.entries()) {
    bytes.writeUInt32LE(index, at * 8);
    bytes.writeFloatLE(value, at * 8 + 4);
  }
  return bytes;
};

const sparseDim = (rows: readonly Buffer[]): number =>
  Math.max(0, ...rows.map((row) => (row.length === 0 ? 0 : row.readUInt32LE(row.length - 8) + 1)));

const VECTORS: readonly TypeCase[] = [
  {
    name: 'FloatVector',
    field: { dataType: 101, typeParams: typeParams({ dim: '3' }) },
    values: [
      [0, 1, 2],
      [-1.5, 2 ** -140, 3],
      [4, 5, 6],
      [2 ** 100, -(2 ** 100), 0.25],
      [7, 8, 9],
    ],
    inLog: (rows) => ({ type: 101, vectors: { dim: '3', floatVector: { data: (rows as number[][]).flat() } } }),
    since: '2.3',
  },
  bytesVector('BinaryVector', 100, 'binaryVector', 16, byteRows(2, 1), '2.3'),
  bytesVector('Float16Vector', 102, 'float16Vector', 4, halfRows([0x3c00, 0xc000, 0x3800, 0x0001, 0x7bff]), '2.4'),
  bytesVector('BFloat16Vector', 103, 'bfloat16Vector', 4, halfRows([0x3f80, 0xc000, 0x3f00, 0x0001, 0x7f7f]), '2.4'),
  {
    name: 'SparseFloatVector',
    field: { dataType: 104 },
    values: [
      sparseRow([1, 0.5], [100, 1.5]),
      sparseRow([7, 2]),
      sparseRow([0, 1], [3, 2], [4_000_000, 3]),
      sparseRow([5, 0.25]),
      sparseRow([2, 4], [9, 8]),
    ],
    inLog: (rows) => ({
      type: 104,
      vectors: {
        dim: String(sparseDim(rows as Buffer[])),
        sparseFloatVector: { contents: rows, dim: String(sparseDim(rows as Buffer[])) },
      },
    }),
    since: '2.4',
  },
  bytesVector('Int8Vector', 105, 'int8Vector', 4, byteRows(4, 200), '2.6'),
];

const DYNAMIC: TypeCase = {
  name: 'dynamic field',
  field: { dataType: 23, isDynamic: true },
  values: [json({ a: 1 }), json({}), json({ b: 'two', c: [3, '4'] }), json({ d: { e: null } }), json({ f: '数' })],
  inLog: (values) => ({ type: 23, isDynamic: true, scalars: { jsonData: { data: values } } }),
  since: '2.3',
};

const scalarNamed = (name: string): Scalar => {
  const found = SCALARS.find((scalar) => scalar.name === name);
  if (found === undefined) throw new Error(name);
  return found;
};

const KEYED: readonly TypeCase[] = [
  { ...plain(scalarNamed('Int64')), name: 'partition key', field: { dataType: 5, isPartitionKey: true } },
  {
    ...plain(scalarNamed('VarChar')),
    name: 'partition key of text',
    field: { dataType: 21, isPartitionKey: true, typeParams: typeParams({ max_length: '512' }) },
  },
  {
    ...plain(scalarNamed('Int64')),
    name: 'clustering key',
    field: { dataType: 5, isClusteringKey: true },
    since: '2.4',
  },
  {
    ...plain(scalarNamed('VarChar')),
    name: 'analyzed text',
    field: {
      dataType: 21,
      typeParams: typeParams({ max_length: '512', enable_analyzer: 'true', enable_match: 'true' }),
    },
    since: '2.5',
  },
];

const MADE_BY_SERVERS: readonly TypeCase[] = [
  { ...plain(scalarNamed('Int64')), name: 'generated keys', key: { autoID: true } },
  {
    ...plain(scalarNamed('VarChar')),
    name: 'BM25 function',
    field: { dataType: 21, typeParams: typeParams({ max_length: '512', enable_analyzer: 'true' }) },
    values: ['one two', 'two three', 'three', 'four four', 'five'],
    since: '2.5',
    function: 'BM25',
  },
];

export const TYPE_CASES: readonly TypeCase[] = [
  ...SCALARS.map(plain),
  ...ELEMENTS.map(arrayOf),
  DYNAMIC,
  ...VECTORS,
  ...KEYED,
  ...MADE_BY_SERVERS,
  ...SCALARS.map(nullableScalar),
  ...ELEMENTS.map(nullableArrayOf),
  ...SCALARS.map((scalar) => defaulted(scalar, false)),
  defaulted(scalarNamed('Int64'), true),
];

export const isVector = ({ field }: TypeCase): boolean => (field as { dataType: number }).dataType >= 100;

export const isDynamic = ({ field }: TypeCase): boolean => 'isDynamic' in field;
