import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { digestOfColumn, digestOfKeys } from '../../../../electron/engine/codec/key-digest.ts';
import type { FieldSlice } from '../../../../electron/engine/codec/records.ts';
import { encodeMessage } from '../../../support/milvus-messages.ts';

const slice = (column: object): FieldSlice => ({
  fieldId: 100n,
  fieldName: 'id',
  bytes: encodeMessage('schema.FieldData', { fieldName: 'id', fieldId: 100, ...column }),
});
const integers = (keys: readonly bigint[]) => slice({ type: 5, scalars: { longData: { data: keys.map(String) } } });
const texts = (keys: readonly string[]) => slice({ type: 21, scalars: { stringData: { data: keys } } });
const anyInteger = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

describe('the digest of keys', () => {
  test('is the same of a column of an Insert and of the keys of a Delete', () => {
    fc.assert(
      fc.property(fc.array(anyInteger, { minLength: 1, maxLength: 20 }), (keys) => {
        const ofKeys = digestOfKeys({ type: 'int64', values: BigInt64Array.from(keys) });
        expect(digestOfColumn(integers(keys), keys.length)).toEqual(ofKeys);
      }),
      { numRuns: 50 },
    );
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 20 }), { minLength: 1, maxLength: 5 }), (keys) => {
        const wellFormed = keys.map((key) => key.toWellFormed());
        const ofKeys = digestOfKeys({ type: 'varchar', values: wellFormed });
        expect(digestOfColumn(texts(wellFormed), keys.length)).toEqual(ofKeys);
      }),
      { numRuns: 50 },
    );
  });

  test('knows the range of integers, of either sign', () => {
    fc.assert(
      fc.property(fc.array(anyInteger, { minLength: 1, maxLength: 20 }), (keys) => {
        const sorted = keys.toSorted((a, b) => (a < b ? -1 : Number(a > b)));
        expect(digestOfColumn(integers(keys), keys.length)?.range).toEqual({ min: sorted[0], max: sorted.at(-1) });
      }),
    );
  });

  test('differs for keys that follow one another', () => {
    const keys = Array.from({ length: 10_000 }, (_unused, index) => BigInt(index) - 5_000n);
    const { hashes } = digestOfKeys({ type: 'int64', values: BigInt64Array.from(keys) });
    expect(new Set(hashes).size).toBe(keys.length);
  });

  test('is not known where a row has no key, or the column cannot be read', () => {
    expect(digestOfColumn(integers([1n, 2n]), 3)).toBeUndefined();
    expect(digestOfColumn({ ...texts(['a']), bytes: Uint8Array.of(0x1a, 9, 1) }, 1)).toBeUndefined();
    expect(digestOfColumn(slice({ type: 10, scalars: { floatData: { data: [1] } } }), 1)).toBeUndefined();
  });
});
