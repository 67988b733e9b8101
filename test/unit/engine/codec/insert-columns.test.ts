import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCollectionSchema, type CollectionSchema } from '../../../../electron/engine/codec/collection-schema.ts';
import { decodeRecord } from '../../../../electron/engine/codec/decode.ts';
import { toInsertOf, withValidValues } from '../../../../electron/engine/codec/insert-columns.ts';
import type { FieldSlice } from '../../../../electron/engine/codec/records.ts';
import { MalformedWire } from '../../../../electron/engine/codec/wire.ts';
import { TYPE_CASES, type TypeCase } from '../../../support/type-cases.ts';
import { insertMessage, schemaOf } from '../../../support/typed-messages.ts';
import { textOf, valuesOf } from '../../../support/typed-values.ts';
import { decodeRequest, encodeMessage } from '../../../support/milvus-messages.ts';

function parsed(bytes: Uint8Array): CollectionSchema {
  const schema = parseCollectionSchema(bytes);
  if ('kind' in schema) throw new Error(schema.what);
  return schema;
}

/** The columns of an Insert of the log with these values, and what becomes of them. */
function passed(one: TypeCase, values: readonly unknown[]) {
  const keys = values.map((_value, row) => row + 1);
  const places = [...values.keys()];
  const record = decodeRecord(insertMessage('c', [{ ...one, values }], { keys, places }, 5));
  if (record.kind !== 'insert') throw new Error(record.kind);
  const columns = toInsertOf(parsed(schemaOf('c', [one])))(record.fields, record.rowCount);
  if ('kind' in columns) throw new Error(columns.what);
  return { before: record.fields, after: columns };
}

const isTyped = ({ fieldName }: FieldSlice): boolean => fieldName === 'f0' || fieldName === '$meta';
const decoded = (column: FieldSlice | undefined) =>
  decodeRequest('schema.FieldData', column?.bytes ?? new Uint8Array());
const isNullable = (one: TypeCase): boolean => 'nullable' in one.field && one.field.nullable === true;
const hasDefault = (one: TypeCase): boolean => 'defaultValue' in one.field;

const slice = (column: object): FieldSlice => ({
  fieldId: 102n,
  fieldName: 'value',
  bytes: encodeMessage('schema.FieldData', { fieldName: 'value', fieldId: 102, ...column }),
});

describe('columns of the log as Insert takes them', () => {
  test.each(TYPE_CASES.filter((one) => !isNullable(one) && !hasDefault(one)))(
    '$name: every column passes as the same bytes',
    (one) => {
      const { before, after } = passed(one, one.values);
      expect(after).toHaveLength(before.length);
      after.forEach((column, at) => expect(column).toBe(before[at]));
    },
  );

  test.each(TYPE_CASES.filter((one) => isNullable(one) && !hasDefault(one)))(
    '$name: the values of the valid rows alone, the flags of all; the other columns are the same bytes',
    (one) => {
      const { before, after } = passed(one, one.values);
      const column = decoded(after.find(isTyped));
      const valid = one.values.filter((value) => value !== null);
      // The proxy counts them (fillWithNullValueImpl).
      const compact = valuesOf({ ...column, validData: [] }, valid.length);
      expect(compact.map((value) => textOf(value, one))).toEqual(valid.map((value) => textOf(value, one)));
      expect(column['validData']).toEqual(one.values.map((value) => value !== null));
      expect(after.filter((other) => !isTyped(other))).toEqual(before.filter((other) => !isTyped(other)));
      for (const other of after) if (!isTyped(other)) expect(before).toContain(other);
    },
  );

  test.each(TYPE_CASES.filter(hasDefault))('$name: a flag for each row, and the values as they are', (one) => {
    const { after } = passed(one, one.values);
    const column = decoded(after.find(isTyped));
    expect(column['validData']).toEqual(one.values.map(() => true));
    expect(valuesOf(column, one.values.length).map((value) => textOf(value, one))).toEqual(
      one.values.map((value) => textOf(value, one)),
    );
  });

  test.each(TYPE_CASES.filter(isNullable))('$name: any rows come out as they went in', (one) => {
    const value = fc.constantFrom(...one.values.filter((found) => found !== null));
    const rows = fc.array(hasDefault(one) ? value : fc.option(value, { nil: null }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(rows, (values) => {
        const column = decoded(passed(one, values).after.find(isTyped));
        // Expanded again, as the target's proxy does.
        const texts = valuesOf(column, values.length).map((found) => textOf(found, one));
        expect(texts).toEqual(values.map((found) => textOf(found, one)));
      }),
      { numRuns: 40 },
    );
  });

  test('a column without a single value keeps its kind, which the proxy asks for', () => {
    const column = slice({ type: 5, scalars: { longData: { data: ['0', '0'] } }, validData: [false, false] });
    const { scalars, validData } = decoded(withValidValues(column, 2));
    expect(scalars).toEqual({ longData: {} });
    expect(validData).toEqual([false, false]);
  });

  test('what holds the valid values alone already stays as it is', () => {
    const compact = slice({ type: 21, scalars: { stringData: { data: ['a'] } }, validData: [false, true, false] });
    expect(withValidValues(compact, 3)).toBe(compact);
    const whole = slice({ type: 21, scalars: { stringData: { data: ['a', 'b'] } }, validData: [true, true] });
    expect(withValidValues(whole, 2)).toBe(whole);
  });

  test('values in several pieces, as joined columns may have them, are counted through', () => {
    const part = (data: readonly string[], validData: readonly boolean[]) =>
      encodeMessage('schema.FieldData', { scalars: { stringData: { data } }, validData }).subarray(0);
    // One array in two messages of the wire has no layout; values of one array with its type between them have.
    const { bytes } = slice({
      type: 21,
      scalars: { stringData: { data: ['a', '', 'c'] } },
      validData: [true, false, true],
    });
    expect(valuesOf(decoded(withValidValues({ fieldId: 1n, fieldName: 'x', bytes }, 3)), 3)).toEqual(['a', null, 'c']);
    const twice = Buffer.concat([part(['a'], [true]), part([''], [false])]);
    expect(() => withValidValues({ fieldId: 1n, fieldName: 'x', bytes: twice }, 2)).toThrow(MalformedWire);
  });

  test.each([
    ['fewer flags than rows', { type: 5, scalars: { longData: { data: ['1', '2'] } }, validData: [true] }],
    [
      'another number of values',
      { type: 5, scalars: { longData: { data: ['1'] } }, validData: [false, false, true, true] },
    ],
    ['a vector', { type: 101, vectors: { dim: 1, floatVector: { data: [1] } }, validData: [true, false] }],
    ['a form that is not known', { type: 24, scalars: { geometryData: { data: ['aa'] } }, validData: [true, false] }],
  ])('%s is refused, and nothing of it written', (_what, column) => {
    const rowCount = column.validData.length === 1 ? 2 : column.validData.length;
    expect(() => withValidValues(slice(column), rowCount)).toThrow(MalformedWire);
  });

  test('the output of a function is left out, by its flag and by the function', () => {
    const field = (fieldID: number, name: string, extra: object) => ({ fieldID, name, ...extra });
    const schema = (isFlagged: boolean) =>
      parsed(
        encodeMessage('schema.CollectionSchema', {
          name: 'c',
          fields: [
            field(100, 'id', { isPrimaryKey: true, dataType: 5 }),
            field(101, 'text', { dataType: 21 }),
            field(102, 'value', { dataType: 104, isFunctionOutput: isFlagged }),
          ],
          functions: [{ name: 'bm25', type: 1, inputFieldNames: ['text'], outputFieldNames: ['value'] }],
        }),
      );
    const columns = [slice({ type: 5, fieldId: 100, scalars: { longData: { data: ['1'] } } }), slice({ type: 104 })];
    const named = columns.map((column, at) => ({ ...column, fieldId: at === 0 ? 100n : 102n }));
    for (const isFlagged of [true, false]) expect(toInsertOf(schema(isFlagged))(named, 1)).toEqual([named[0]]);
  });
});
