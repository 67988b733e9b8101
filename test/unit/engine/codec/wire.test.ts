import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { MalformedWire, orFailure, WireCursor } from '../../../../electron/engine/codec/wire.ts';

const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

function first(bytes: Uint8Array): WireCursor {
  const cursor = new WireCursor(bytes);
  cursor.next();
  return cursor;
}

describe('WireCursor', () => {
  test('reads back every 64-bit number exactly', () => {
    fc.assert(
      fc.property(uint64, (value) => {
        const bytes = protobuf.Writer.create().uint32(8).uint64(String(value)).finish();
        expect(first(bytes).uint64()).toBe(value);
      }),
    );
    fc.assert(
      fc.property(int64, (value) => {
        expect(first(protobuf.Writer.create().uint32(8).int64(String(value)).finish()).int64()).toBe(value);
      }),
    );
  });

  test('refuses a number that JavaScript would round', () => {
    const bytes = protobuf.Writer.create()
      .uint32(8)
      .int64(String(2n ** 53n))
      .finish();
    expect(() => first(bytes).number()).toThrow(MalformedWire);
    const largest = protobuf.Writer.create()
      .uint32(8)
      .int64(String(2n ** 53n - 1n))
      .finish();
    expect(first(largest).number()).toBe(Number.MAX_SAFE_INTEGER);
  });

  test('reads a repeated number packed and unpacked alike', () => {
    const packed = protobuf.Writer.create().uint32(10).fork().uint32(1).uint32(300).ldelim().finish();
    const unpacked = protobuf.Writer.create().uint32(8).uint32(1).uint32(8).uint32(300).finish();
    for (const bytes of [packed, unpacked]) {
      const values: bigint[] = [];
      const cursor = new WireCursor(bytes);
      while (cursor.next()) cursor.eachVarint((value) => values.push(value.varintAsBigint()));
      expect(values).toEqual([1n, 300n]);
    }
  });

  test('reads text back, a byte order mark included', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(first(protobuf.Writer.create().uint32(10).string(`\ufeff${text}`).finish()).string()).toBe(
          `\ufeff${text}`,
        );
      }),
    );
  });

  test.each([
    ['a number cut off', [0x08, 0x80], 1],
    ['a number of eleven bytes', [0x08, ...Array<number>(10).fill(0x80), 0x01], 1],
    ['a number of 65 bits', [0x08, ...Array<number>(9).fill(0xff), 0x02], 1],
    ['a length beyond the end', [0x0a, 0x05, 0x00], 1],
    ['a length of 2^63', [0x0a, ...Array<number>(9).fill(0x80), 0x01], 1],
    ['field number 0', [0x00], 0],
    ['a group', [0x0b], 0],
    ['a fixed number cut off', [0x09, 0x00], 1],
  ])('refuses %s and says where', (_, bytes, offset) => {
    const result = orFailure(() => {
      const cursor = new WireCursor(Uint8Array.from(bytes));
      while (cursor.next()) cursor.skip();
    });
    expect(result).toMatchObject({ kind: 'malformed', offset });
  });

  test('refuses text that is not UTF-8', () => {
    expect(orFailure(() => first(Uint8Array.of(0x0a, 0x01, 0xff)).string())).toMatchObject({ kind: 'malformed' });
  });

  test('refuses a field of another wire type than it was asked for', () => {
    expect(orFailure(() => first(Uint8Array.of(0x08, 0x01)).bytes())).toMatchObject({ kind: 'malformed', offset: 0 });
  });

  test('gives offsets of the whole message inside nested ones', () => {
    const result = orFailure(() => {
      const outer = new WireCursor(Uint8Array.of(0x08, 0x01, 0x12, 0x02, 0x08, 0x80));
      outer.next();
      outer.skip();
      outer.next();
      const inner = outer.nested();
      inner.next();
      return inner.uint64();
    });
    expect(result).toMatchObject({ kind: 'malformed', offset: 5 });
  });

  test('lets errors of our own pass', () => {
    expect(() =>
      orFailure(() => {
        throw new TypeError('ours');
      }),
    ).toThrow(TypeError);
  });
});
