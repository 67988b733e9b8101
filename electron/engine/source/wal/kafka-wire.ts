/**
 * The primitive types of Kafka's protocol, written and read: big-endian numbers, and since its "flexible versions"
 * (KIP-482) lengths as varints, one too high so that 0 means absent, and tagged fields at the end of every structure.
 */

const TAGS_NONE = 0;
const VARINT_BITS = 7;
/** Of an unsigned 32-bit varint. */
const VARINT_BYTES_MAX = 5;

export class WireWriter {
  readonly #parts: Buffer[] = [];

  int8(value: number): this {
    return this.bytes(Buffer.from([value & 0xff]));
  }

  int16(value: number): this {
    const bytes = Buffer.alloc(2);
    bytes.writeInt16BE(value);
    return this.bytes(bytes);
  }

  int32(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    return this.bytes(bytes);
  }

  int64(value: bigint): this {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(value);
    return this.bytes(bytes);
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0);
  }

  string(value: string): this {
    return this.int16(Buffer.byteLength(value)).bytes(Buffer.from(value));
  }

  compactString(value: string): this {
    return this.uvarint(Buffer.byteLength(value) + 1).bytes(Buffer.from(value));
  }

  /** The length of a compact array; `undefined` for none, which is not the same as empty. */
  compactCount(count: number | undefined): this {
    return this.uvarint(count === undefined ? 0 : count + 1);
  }

  noTags(): this {
    return this.uvarint(TAGS_NONE);
  }

  uvarint(value: number): this {
    const bytes: number[] = [];
    let rest = value >>> 0;
    while (rest > 0x7f) {
      bytes.push((rest & 0x7f) | 0x80);
      rest >>>= VARINT_BITS;
    }
    bytes.push(rest);
    return this.bytes(Buffer.from(bytes));
  }

  bytes(bytes: Buffer): this {
    this.#parts.push(bytes);
    return this;
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/** Throws a RangeError where the bytes end too soon. What it gives as bytes are parts of the buffer, not copies. */
export class WireReader {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  get remaining(): number {
    return this.#buffer.length - this.#at;
  }

  int8(): number {
    return this.#buffer.readInt8(this.#advance(1));
  }

  int16(): number {
    return this.#buffer.readInt16BE(this.#advance(2));
  }

  int32(): number {
    return this.#buffer.readInt32BE(this.#advance(4));
  }

  int64(): bigint {
    return this.#buffer.readBigInt64BE(this.#advance(8));
  }

  boolean(): boolean {
    return this.int8() !== 0;
  }

  bytes(length: number): Buffer {
    const start = this.#advance(length);
    return this.#buffer.subarray(start, start + length);
  }

  string(): string {
    return this.bytes(this.int16()).toString();
  }

  nullableString(): string | undefined {
    const length = this.int16();
    return length < 0 ? undefined : this.bytes(length).toString();
  }

  compactString(): string | undefined {
    return this.compactBytes()?.toString();
  }

  compactBytes(): Buffer | undefined {
    const length = this.uvarint();
    return length === 0 ? undefined : this.bytes(length - 1);
  }

  array<T>(read: () => T): T[] {
    return this.#times(this.int32(), read);
  }

  compactArray<T>(read: () => T): T[] {
    return this.#times(this.uvarint() - 1, read);
  }

  /** Calls `onTag` with each tagged field's number and bytes; unknown ones are there to be skipped. */
  tags(onTag?: (tag: number, value: WireReader) => void): void {
    for (let count = this.uvarint(); count > 0; count -= 1) {
      const tag = this.uvarint();
      const value = this.bytes(this.uvarint());
      onTag?.(tag, new WireReader(value));
    }
  }

  uvarint(): number {
    let value = 0;
    for (let index = 0; index < VARINT_BYTES_MAX; index += 1) {
      const byte = this.#buffer.readUInt8(this.#advance(1));
      value += (byte & 0x7f) * 2 ** (VARINT_BITS * index);
      if (byte < 0x80) return value;
    }
    throw new RangeError('A varint has no end.');
  }

  /** A signed varint, zigzag-coded. */
  varint(): number {
    const value = this.uvarint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** A signed varint of up to 64 bits whose value does not matter. */
  skipVarlong(): void {
    while (this.#buffer.readUInt8(this.#advance(1)) > 0x7f);
  }

  #times<T>(count: number, read: () => T): T[] {
    const items: T[] = [];
    for (let index = 0; index < count; index += 1) items.push(read());
    return items;
  }

  #advance(length: number): number {
    const start = this.#at;
    if (length < 0 || length > this.remaining) {
      throw new RangeError(`${length} bytes are wanted where ${this.remaining} are left.`);
    }
    this.#at += length;
    return start;
  }
}
