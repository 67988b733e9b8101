import { describe, expect, it } from 'vitest';
import { rangeExpression } from '../../../../electron/engine/source/rows/key-range.ts';

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

describe('a range of keys', () => {
  it.each([
    [undefined, undefined, ''],
    [5n, undefined, 'id > 5'],
    [undefined, -5n, 'id <= -5'],
    [9007199254740993n, INT64_MAX, 'id > 9007199254740993 && id <= 9223372036854775807'],
    ['', 'b', 'id > "" && id <= "b"'],
    ['a"\\\n', undefined, 'id > "a\\"\\\\\\x0a"'],
  ])('after %s up to %s is "%s"', (after, upTo, expression) => {
    expect(rangeExpression('id', { after, upTo })).toBe(expression);
  });

  it('names the smallest key by its neighbour, since Milvus cannot read it', () => {
    expect(rangeExpression('id', { after: INT64_MIN, upTo: undefined })).toBe('id >= -9223372036854775807');
    expect(rangeExpression('id', { after: undefined, upTo: INT64_MIN })).toBe('id < -9223372036854775807');
  });
});
