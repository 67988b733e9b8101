import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readBatches, readRecords } from '../../../../electron/engine/source/wal/kafka-records.ts';
import { WireWriter } from '../../../../electron/engine/source/wal/kafka-wire.ts';

const zigzag = (value: number): number => (value >= 0 ? value * 2 : -value * 2 - 1);

/** As a producer writes it: with a key and headers, which a reader passes over. */
function record(offset: number, value: string | undefined): Buffer {
  const writer = new WireWriter().int8(0).uvarint(zigzag(1_000_000)).uvarint(zigzag(offset));
  writer.uvarint(zigzag(2)).bytes(Buffer.from('42'));
  if (value === undefined) writer.uvarint(zigzag(-1));
  else writer.uvarint(zigzag(Buffer.byteLength(value))).bytes(Buffer.from(value));
  const body = writer.uvarint(1).uvarint(1).bytes(Buffer.from('h')).uvarint(1).bytes(Buffer.from('v')).finish();
  return new WireWriter().uvarint(zigzag(body.length)).bytes(body).finish();
}

interface BatchOptions {
  readonly attributes?: number;
  readonly format?: number;
  readonly pack?: (records: Buffer) => Buffer;
  readonly count?: number;
}

function batch(first: bigint, values: (string | undefined)[], options: BatchOptions = {}): Buffer {
  const { attributes = 0, format = 2, pack = (records: Buffer) => records, count = values.length } = options;
  const rest = new WireWriter()
    .int32(5)
    .int8(format)
    .int32(0)
    .int16(attributes)
    .int32(values.length - 1)
    .bytes(Buffer.alloc(30))
    .int32(count)
    .bytes(pack(Buffer.concat(values.map((value, index) => record(index, value)))))
    .finish();
  return new WireWriter().int64(first).int32(rest.length).bytes(rest).finish();
}

const read = (bytes: Buffer): [bigint, string][] =>
  readBatches(bytes)
    .flatMap(readRecords)
    .map(({ ordinal, payload }) => [ordinal, Buffer.from(payload).toString()]);

describe('record batches of Kafka', () => {
  it('are read one after the other, with their offsets', () => {
    expect(read(Buffer.concat([batch(7n, ['a', 'b']), batch(9n, ['c'])]))).toEqual([
      [7n, 'a'],
      [8n, 'b'],
      [9n, 'c'],
    ]);
  });

  it.each([
    ['gzip', 1, gzipSync],
    ['zstd', 4, zstdCompressSync],
  ] as const)('are unpacked with %s', (_, attributes, pack) => {
    expect(read(batch(2n ** 40n, ['x'.repeat(1_000)], { attributes, pack }))).toEqual([[2n ** 40n, 'x'.repeat(1_000)]]);
  });

  it.each([2, 3, 5])('say how to change a compression that cannot be unpacked (%d)', (attributes) => {
    const [packed] = readBatches(batch(0n, ['a'], { attributes }));
    expect(() => readRecords(packed!)).toThrow(
      expect.objectContaining({ code: 'unsupported', message: expect.stringContaining('compression.type') }),
    );
  });

  it('leave out the last one where the answer ends within it', () => {
    const whole = Buffer.concat([batch(0n, ['a']), batch(1n, ['b'])]);
    for (let length = batch(0n, ['a']).length; length < whole.length; length += 1) {
      expect(read(whole.subarray(0, length))).toEqual([[0n, 'a']]);
    }
  });

  it('tell marks of transactions, and the epoch of their leader', () => {
    expect(readBatches(batch(3n, ['mark'], { attributes: 0b11_0000 }))).toMatchObject([
      { isControl: true, firstOffset: 3n, lastOffset: 3n, leaderEpoch: 5 },
    ]);
    expect(readBatches(batch(3n, ['of one'], { attributes: 0b01_0000 }))).toMatchObject([{ isControl: false }]);
  });

  it('give a record without a value as one of no bytes', () => {
    expect(read(batch(0n, [undefined, '']))).toEqual([
      [0n, ''],
      [1n, ''],
    ]);
  });

  it('leave the payload to its receiver', () => {
    const bytes = batch(0n, ['mine']);
    const [message] = readBatches(bytes).flatMap(readRecords);
    bytes.fill(0);
    expect(Buffer.from(message!.payload).toString()).toBe('mine');
  });

  it('are refused where they are malformed, with their offset', () => {
    const malformed = expect.objectContaining({ code: 'malformedMessage', context: { ordinal: '4' } }) as Error;
    expect(() => read(batch(4n, ['a'], { format: 1 }))).toThrow(malformed);
    expect(() => read(batch(4n, ['a'], { count: 2 }))).toThrow(malformed);
    expect(() => read(batch(4n, ['a'], { attributes: 4 }))).toThrow(malformed);
    expect(() => read(new WireWriter().int64(4n).int32(2).int16(0).finish())).toThrow(malformed);
  });
});
