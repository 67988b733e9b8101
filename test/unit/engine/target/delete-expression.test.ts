import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deleteExpressions } from '../../../../electron/engine/target/delete-expression.ts';
import { varcharLiteral } from '../../../../electron/engine/milvus/literals.ts';

const int64Keys = (values: readonly bigint[]) => ({ type: 'int64', values: BigInt64Array.from(values) }) as const;
const varcharKeys = (values: readonly string[]) => ({ type: 'varchar', values }) as const;

/** Reads a literal as Milvus' grammar does: a line ends it, a backslash begins an escape. */
function readLiteral(literal: string): string {
  const inner = /^"((?:[^"\\\r\n]|\\["\\]|\\x[0-9a-f]{2})*)"$/.exec(literal)?.[1];
  if (inner === undefined) throw new Error(`Not a string of the grammar: ${literal}`);
  return inner.replace(/\\(?:x([0-9a-f]{2})|(.))/g, (_, hex: string | undefined, character: string) =>
    hex === undefined ? character : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

describe('a delete by integer keys', () => {
  it('names them exactly, beyond what a JavaScript number can hold', () => {
    const keys = int64Keys([1n, -7n, 9007199254740993n, 9223372036854775807n]);
    expect([...deleteExpressions('id', keys)]).toEqual([
      { expression: 'id in [1,-7,9007199254740993,9223372036854775807]', keyCount: 4 },
    ]);
  });

  it('writes the smallest integer as a sum, since the grammar cannot read it', () => {
    const [only] = deleteExpressions('id', int64Keys([-(2n ** 63n)]));
    expect(only?.expression).toBe('id in [-9223372036854775807 - 1]');
  });

  it('is nothing at all without keys', () => {
    expect([...deleteExpressions('id', int64Keys([]))]).toEqual([]);
    expect([...deleteExpressions('id', varcharKeys([]))]).toEqual([]);
  });

  it('comes in pieces of at most 10,000 keys that together name every key once', () => {
    const values = Array.from({ length: 25_000 }, (_, index) => BigInt(index) * 1_000_003n);
    const pieces = [...deleteExpressions('id', int64Keys(values))];
    expect(pieces.map(({ keyCount }) => keyCount)).toEqual([10_000, 10_000, 5_000]);
    const named = pieces.flatMap(({ expression }) => expression.slice('id in ['.length, -1).split(',').map(BigInt));
    expect(named).toEqual(values);
  });
});

describe('a delete by text keys', () => {
  it('quotes them so that the grammar reads back the same text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (key) => {
        expect(readLiteral(varcharLiteral(key))).toBe(key);
      }),
    );
  });

  it.each([
    ['a quote', 'say "no"', '"say \\"no\\""'],
    ['an apostrophe', "it's", '"it\'s"'],
    ['a backslash', 'C:\\temp', '"C:\\\\temp"'],
    ['line breaks', 'a\r\nb', '"a\\x0d\\x0ab"'],
    ['zero', 'a\0b', '"a\\x00b"'],
    ['letters beyond ASCII', 'Größe 漢字 😀', '"Größe 漢字 😀"'],
    ['nothing', '', '""'],
  ])('writes %s', (_, key, literal) => {
    expect(varcharLiteral(key)).toBe(literal);
  });

  it('comes in pieces of limited length, a single key always being a piece', () => {
    const pieces = [...deleteExpressions('id', varcharKeys(['a'.repeat(400_000), 'b'.repeat(400_000), 'c']))];
    expect(pieces.map(({ keyCount }) => keyCount)).toEqual([1, 2]);
    const [single] = deleteExpressions('id', varcharKeys(['x'.repeat(600_000)]));
    expect(single?.keyCount).toBe(1);
  });

  it('names a key as often as it stands in the list', () => {
    expect([...deleteExpressions('id', varcharKeys(['a', 'b', 'a']))]).toEqual([
      { expression: 'id in ["a","b","a"]', keyCount: 3 },
    ]);
  });
});
