import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WireReader, WireWriter } from '../../../../electron/engine/source/wal/kafka-wire.ts';

describe("the primitive types of Kafka's protocol", () => {
  it('are read as they were written', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
        fc.string(),
        fc.nat(),
        (int, long, text, size) => {
          const bytes = new WireWriter()
            .int32(int)
            .int64(long)
            .string(text)
            .compactString(text)
            .uvarint(size)
            .boolean(true)
            .noTags()
            .finish();
          const reader = new WireReader(bytes);
          expect(reader.int32()).toBe(int);
          expect(reader.int64()).toBe(long);
          expect(reader.string()).toBe(text.toWellFormed());
          expect(reader.compactString()).toBe(text.toWellFormed());
          expect(reader.uvarint()).toBe(size);
          expect(reader.boolean()).toBe(true);
          reader.tags();
          expect(reader.remaining).toBe(0);
        },
      ),
    );
  });

  it.each([
    [[0x00], 0],
    [[0x01], -1],
    [[0x02], 1],
    [[0xac, 0x02], 150],
    [[0xff, 0xff, 0xff, 0xff, 0x0f], -(2 ** 31)],
    [[0xfe, 0xff, 0xff, 0xff, 0x0f], 2 ** 31 - 1],
  ])('has signed varints %j for %d', (bytes, value) => {
    expect(new WireReader(Buffer.from(bytes)).varint()).toBe(value);
  });

  it('tells none from empty', () => {
    expect(new WireReader(Buffer.from([0])).compactString()).toBeUndefined();
    expect(new WireReader(Buffer.from([1])).compactString()).toBe('');
    expect(new WireReader(Buffer.from([0])).compactArray(() => 1)).toEqual([]);
  });

  it('passes over tagged fields that it does not know', () => {
    const seen: [number, number][] = [];
    const reader = new WireReader(Buffer.from([2, 0, 1, 9, 7, 2, 1, 2, 42]));
    reader.tags((tag, value) => void seen.push([tag, value.remaining]));
    expect(seen).toEqual([
      [0, 1],
      [7, 2],
    ]);
    expect(reader.int8()).toBe(42);
  });

  it('says so where the bytes end too soon, and where a varint has no end', () => {
    expect(() => new WireReader(Buffer.from([0, 0, 1])).int32()).toThrow(RangeError);
    expect(() => new WireReader(Buffer.from([5, 1])).compactString()).toThrow(RangeError);
    expect(() => new WireReader(Buffer.alloc(6, 0xff)).uvarint()).toThrow(RangeError);
  });
});
