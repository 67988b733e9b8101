import { describe, expect, it } from 'vitest';
import { ByteSink } from '../../../../electron/core/drill/content/byte-sink.ts';
import { canonicalJson } from '../../../../electron/core/drill/content/canonical-json.ts';
import { hashRow, type FieldType, type HashedField } from '../../../../electron/core/drill/content/row-hash.ts';
import { columnReader } from '../../../../electron/core/drill/compare/column-reader.ts';
import type { WireColumn } from '../../../../electron/core/drill/compare/wire-answers.ts';

const sink = new ByteSink();
const hashOf = (type: FieldType, value: unknown, elementType?: FieldType): string => {
  const field: HashedField = elementType === undefined ? { name: 'f', type } : { name: 'f', type, elementType };
  return hashRow([field], () => value, sink);
};
const sent = hashOf;
/** The hash of the first row of a column as the server's answer has it. */
const read = (type: FieldType, column: Omit<WireColumn, 'field_name'>, elementType?: FieldType): string =>
  hashOf(type, columnReader({ field_name: 'f', ...column })(0), elementType);

describe('canonicalJson', () => {
  it('gives one text for all orders of keys and all white space', () => {
    expect(canonicalJson('{ "b": [1, {"d": null, "c": true}],\n "a": "x" }')).toBe(
      '{"a":"x","b":[1,{"c":true,"d":null}]}',
    );
  });

  it('keeps numbers as they were written, beyond what a double can hold', () => {
    expect(canonicalJson('[9007199254740993, 1.0, 1e2, -0, 1E400]')).toBe('[9007199254740993,1.0,1e2,-0,1E400]');
  });

  it('takes different spellings of a text to one', () => {
    expect(canonicalJson('"\\u00fc\\/"')).toBe(canonicalJson('"ü/"'));
  });

  it('keeps keys that mean something to JavaScript', () => {
    expect(canonicalJson('{"__proto__":1,"constructor":2}')).toBe('{"__proto__":1,"constructor":2}');
  });
});

describe('hashRow', () => {
  it('gives a value that was sent and the same value read back one hash', () => {
    expect(read('Int64', { scalars: { data: 'long_data', long_data: { data: ['-9007199254740993'] } } })).toBe(
      sent('Int64', -9007199254740993n),
    );
    expect(read('Int8', { scalars: { data: 'int_data', int_data: { data: [-128] } } })).toBe(sent('Int8', '-128'));
    expect(read('Bool', { scalars: { data: 'bool_data', bool_data: { data: [true] } } })).toBe(sent('Bool', true));
    expect(read('Float', { scalars: { data: 'float_data', float_data: { data: [0.10000000149011612] } } })).toBe(
      sent('Float', 0.1),
    );
    expect(read('JSON', { scalars: { data: 'json_data', json_data: { data: [Buffer.from('{"b":1,"a":[]}')] } } })).toBe(
      sent('JSON', { a: [], b: 1 }),
    );
    expect(read('FloatVector', { vectors: { dim: '2', float_vector: { data: [0.25, -0, 9, 9] } } })).toBe(
      sent('FloatVector', [0.25, -0]),
    );
    expect(read('BinaryVector', { vectors: { dim: '16', binary_vector: Buffer.from([1, 255, 7, 7]) } })).toBe(
      sent('BinaryVector', [1, 255]),
    );
  });

  it.each([
    ['Float16Vector', 'float16_vector', [0, 60, 0, 192], 2],
    ['BFloat16Vector', 'bfloat16_vector', [128, 63, 0, 192], 2],
    ['Int8Vector', 'int8_vector', [1, 255], 2],
  ] as const)('reads a %s by its bytes', (type, member, bytes, dim) => {
    const column = {
      vectors: { dim: String(dim), [member]: Buffer.from([...bytes, 9, 9, 9, 9].slice(0, bytes.length * 2)) },
    };
    expect(read(type, column)).toBe(sent(type, bytes));
    expect(read(type, column)).not.toBe(sent(type, bytes.toReversed()));
  });

  it('takes signed numbers to the bytes that they are sent as', () => {
    expect(sent('Int8Vector', [-1, 127])).toBe(sent('Int8Vector', [255, 127]));
  });

  it('reads a sparse vector by its pairs, in whatever order they are sent', () => {
    const bytes = Buffer.from([2, 0, 0, 0, 0, 0, 128, 63, 10, 0, 0, 0, 0, 0, 0, 64]);
    const column = { vectors: { dim: '11', sparse_float_vector: { contents: [bytes] } } };
    expect(read('SparseFloatVector', column)).toBe(sent('SparseFloatVector', { 10: 2, 2: 1 }));
    expect(sent('SparseFloatVector', { 2: 1 })).not.toBe(sent('SparseFloatVector', { 2: 1, 10: 0 }));
  });

  it('reads null where the answer says so, whatever value stands there, and tells it from every value', () => {
    const column = { scalars: { data: 'long_data', long_data: { data: ['0'] } } };
    expect(read('Int64', { ...column, valid_data: [false] })).toBe(sent('Int64', null));
    expect(read('Int64', { ...column, valid_data: [true] })).toBe(sent('Int64', '0'));
    const nulls = (['Int64', 'VarChar', 'JSON', 'Bool'] as const).map((type) => hashOf(type, null));
    expect(nulls).not.toContain(hashOf('VarChar', ''));
    expect(hashOf('Array', null, 'Int64')).not.toBe(hashOf('Array', [], 'Int64'));
  });

  it('reads an empty array that comes without its kind', () => {
    const column = { scalars: { data: 'array_data', array_data: { data: [{}] } } };
    expect(read('Array', column, 'Int64')).toBe(sent('Array', [], 'Int64'));
  });

  it('tells values apart that differ in one bit, in sign or in precision only', () => {
    expect(hashOf('Double', -0)).not.toBe(hashOf('Double', 0));
    expect(hashOf('Double', 0.1)).not.toBe(hashOf('Double', 0.1 + 2 ** -56));
    expect(hashOf('Float', 0)).not.toBe(hashOf('Float', 2 ** -149));
    expect(hashOf('Int64', '9223372036854775807')).not.toBe(hashOf('Int64', '9223372036854775806'));
    expect(hashOf('FloatVector', [1, 0])).not.toBe(hashOf('FloatVector', [1, -0]));
  });

  it('tells rows apart whose values run together', () => {
    const fields: HashedField[] = [
      { name: 'a', type: 'VarChar' },
      { name: 'b', type: 'VarChar' },
    ];
    const hash = (values: readonly string[]): string => hashRow(fields, (index) => values[index], sink);
    expect(hash(['ab', 'c'])).not.toBe(hash(['a', 'bc']));
    expect(hashOf('Array', ['ab'], 'VarChar')).not.toBe(hashOf('Array', ['a', 'b'], 'VarChar'));
    expect(hashOf('VarChar', '1')).not.toBe(hashOf('Int64', '1'));
  });

  it('refuses an integer that is already wrong', () => {
    expect(() => hashOf('Int64', 2 ** 53)).toThrow(RangeError);
  });

  it('hashes a row larger than its first buffer', () => {
    const long = 'x'.repeat(100_000);
    expect(hashOf('VarChar', long)).not.toBe(hashOf('VarChar', `${long}y`));
  });

  it('refuses a column that is shorter than the answer', () => {
    const reader = columnReader({ field_name: 'f', vectors: { dim: '2', float_vector: { data: [1, 2] } } });
    expect(() => reader(1)).toThrow(RangeError);
  });
});
