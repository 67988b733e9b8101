import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keySet, readKeyColumn, sameKeys } from '../../../../electron/engine/codec/primary-keys.ts';
import type { FieldSlice } from '../../../../electron/engine/codec/records.ts';
import { encodeAs } from '../../../support/golden-messages.ts';

const slice = (column: Record<string, unknown>): FieldSlice => ({
  fieldId: 100n,
  fieldName: 'id',
  bytes: encodeAs('schema.FieldData', { fieldName: 'id', fieldId: '100', ...column }),
});

describe('readKeyColumn', () => {
  test('reads every 64-bit key exactly and in order', () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })), (keys) => {
        const column = slice({ type: 5, scalars: { longData: { data: keys.map(String) } } });
        expect(readKeyColumn(column)).toEqual({ type: 'int64', values: BigInt64Array.from(keys) });
      }),
    );
  });

  test('reads every text key in order, the empty one included', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), (values) => {
        const column = slice({ type: 21, scalars: { stringData: { data: values } } });
        expect(readKeyColumn(column)).toEqual({ type: 'varchar', values });
      }),
    );
  });

  test.each([
    ['a vector', { type: 101, vectors: { dim: '1', floatVector: { data: [1] } } }, 'data type 101'],
    ['numbers that are said to be text', { type: 21, scalars: { longData: { data: ['1'] } } }, 'int64 values'],
  ])('refuses %s', (_, column, what) => {
    const result = readKeyColumn(slice(column));
    expect('kind' in result && result.what).toContain(what);
  });

  test('refuses a column that is cut off', () => {
    const { bytes, ...rest } = slice({ type: 5, scalars: { longData: { data: ['1', '2'] } } });
    expect(readKeyColumn({ ...rest, bytes: bytes.subarray(0, -1) })).toMatchObject({ kind: 'malformed' });
  });
});

describe('key sets', () => {
  const int64 = (...values: bigint[]) => ({ type: 'int64', values: BigInt64Array.from(values) }) as const;

  test('hold each key once', () => {
    expect(keySet(int64(1n, 2n, 1n))).toEqual(new Set([1n, 2n]));
  });

  test('are the same whatever the order, and never across types', () => {
    expect(sameKeys(int64(1n, 2n), int64(2n, 1n, 1n))).toBe(true);
    expect(sameKeys(int64(1n, 2n), int64(1n, 3n))).toBe(false);
    expect(sameKeys(int64(1n), int64(1n, 2n))).toBe(false);
    expect(sameKeys(int64(), { type: 'varchar', values: [] })).toBe(false);
  });
});
