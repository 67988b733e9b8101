/**
 * A cursor over protobuf's wire format (protobuf.dev, "Encoding"): reads what a message's own file asks for, skips the
 * rest without copying. Every column of vectors passes through here as a slice and nothing else.
 *
 * Bytes from outside may be anything. Whatever is wrong with them surfaces as `MalformedWire` with the byte at which
 * it was found, never as an error of the JavaScript engine; `orFailure` turns it into data at each exported function.
 */
import type { DecodeFailure } from './records.ts';

export const WIRE_VARINT = 0;
const WIRE_FIXED64 = 1;
export const WIRE_BYTES = 2;
const WIRE_FIXED32 = 5;

/** A 64-bit varint has at most ten bytes, the last of which holds one bit. */
const VARINT_BYTES_MAX = 10;
const TWO_POW_32 = 2 ** 32;

/** Milvus (Go, proto3) refuses strings that are not UTF-8, so we do. A byte order mark is part of the text. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Travels inside this folder only. */
export class MalformedWire extends Error {
  readonly what: string;
  readonly offset: number;

  constructor(what: string, offset: number) {
    super(`${what} at byte ${offset}`);
    this.name = 'MalformedWire';
    this.what = what;
    this.offset = offset;
  }
}

/** Runs a reading of untrusted bytes: its result, or the failure as data. Errors of our own pass through. */
export function orFailure<T>(read: () => T): T | DecodeFailure {
  try {
    return read();
  } catch (error) {
    if (error instanceof MalformedWire) return { kind: 'malformed', what: error.what, offset: error.offset };
    throw error;
  }
}

/**
 * `while (cursor.next()) switch (cursor.field) { case 3: x = cursor.string(); break; default: cursor.skip(); }`
 *
 * Each field must be read by exactly one call. Offsets are those of the outermost message, also in nested cursors.
 */
export class WireCursor {
  /** Number of the field that `next` found. */
  field = 0;
  wireType = 0;
  /** Byte at which the current field's tag begins. */
  fieldOffset = 0;
  /** The last varint as two unsigned halves, for callers to whom a `bigint` for each value is too slow. */
  low = 0;
  high = 0;
  private readonly buffer: Uint8Array;
  private readonly end: number;
  private position: number;

  constructor(buffer: Uint8Array, start = 0, end = buffer.length) {
    this.buffer = buffer;
    this.position = start;
    this.end = end;
  }

  /** Byte that is read next. */
  get offset(): number {
    return this.position;
  }

  get isAtEnd(): boolean {
    return this.position >= this.end;
  }

  /** Moves to the next field; false at the end of the message. */
  next(): boolean {
    if (this.position >= this.end) return false;
    this.fieldOffset = this.position;
    this.readVarint();
    if (this.high !== 0) throw new MalformedWire('a field number that is too large', this.fieldOffset);
    this.wireType = this.low & 7;
    this.field = this.low >>> 3;
    if (this.field === 0) throw new MalformedWire('a field with the number 0', this.fieldOffset);
    return true;
  }

  uint64(): bigint {
    this.expect(WIRE_VARINT);
    this.readVarint();
    return this.varintAsBigint();
  }

  int64(): bigint {
    return BigInt.asIntN(64, this.uint64());
  }

  /** For counts, enum values and the like: fails on what a JavaScript number could not hold exactly. */
  number(): number {
    const at = this.position;
    this.expect(WIRE_VARINT);
    this.readVarint();
    const value = this.high * TWO_POW_32 + this.low;
    if (!Number.isSafeInteger(value)) throw new MalformedWire('a number that is out of range', at);
    return value;
  }

  bool(): boolean {
    this.expect(WIRE_VARINT);
    this.readVarint();
    return (this.low | this.high) !== 0;
  }

  /** A view of the message's own buffer. */
  bytes(): Uint8Array {
    const [start, end] = this.readLengthDelimited();
    return this.buffer.subarray(start, end);
  }

  string(): string {
    const at = this.position;
    const bytes = this.bytes();
    try {
      return utf8.decode(bytes);
    } catch {
      throw new MalformedWire('text that is not UTF-8', at);
    }
  }

  /** The bytes from `start` to where this cursor stands: a view, for a nested field that was read in between. */
  sliceSince(start: number): Uint8Array {
    return this.buffer.subarray(start, this.position);
  }

  /** A cursor over an embedded message or a packed list. */
  nested(): WireCursor {
    const [start, end] = this.readLengthDelimited();
    return new WireCursor(this.buffer, start, end);
  }

  skip(): void {
    switch (this.wireType) {
      case WIRE_VARINT:
        this.readVarint();
        break;
      case WIRE_FIXED64:
        this.advance(8);
        break;
      case WIRE_BYTES:
        this.readLengthDelimited();
        break;
      case WIRE_FIXED32:
        this.advance(4);
        break;
      default:
        throw new MalformedWire(`a field of wire type ${this.wireType}`, this.fieldOffset);
    }
  }

  /**
   * A repeated 64-bit field, whether packed or not: calls back for each value, which stands in `low` and `high` of the
   * cursor that is handed over. proto3 packs, yet a reader must take both.
   */
  eachVarint(visit: (cursor: WireCursor) => void): void {
    if (this.wireType === WIRE_VARINT) {
      this.readVarint();
      visit(this);
      return;
    }
    const packed = this.nested();
    while (!packed.isAtEnd) {
      packed.readVarint();
      visit(packed);
    }
  }

  /** The varint read last, as unsigned. */
  varintAsBigint(): bigint {
    return this.high === 0 ? BigInt(this.low) : (BigInt(this.high) << 32n) | BigInt(this.low);
  }

  private readVarint(): void {
    const { buffer } = this;
    const start = this.position;
    const limit = Math.min(this.end, start + VARINT_BYTES_MAX);
    let low = 0;
    let high = 0;
    for (let at = start, shift = 0; at < limit; at += 1, shift += 7) {
      const byte = buffer[at] ?? 0;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) {
        if (shift === 63 && byte > 1) throw new MalformedWire('a number of more than 64 bits', start);
        this.low = low >>> 0;
        this.high = high >>> 0;
        this.position = at + 1;
        return;
      }
    }
    const what = limit === this.end ? 'a number that is cut off' : 'a number of more than 64 bits';
    throw new MalformedWire(what, start);
  }

  private readLengthDelimited(): readonly [start: number, end: number] {
    this.expect(WIRE_BYTES);
    const at = this.position;
    this.readVarint();
    const length = this.high * TWO_POW_32 + this.low;
    const start = this.position;
    if (length > this.end - start) {
      throw new MalformedWire(`a field of ${length} bytes of which ${this.end - start} are there`, at);
    }
    this.position = start + length;
    return [start, this.position];
  }

  private advance(count: number): void {
    if (count > this.end - this.position) throw new MalformedWire('a number that is cut off', this.position);
    this.position += count;
  }

  private expect(wireType: number): void {
    if (this.wireType !== wireType) {
      throw new MalformedWire(`field ${this.field} of wire type ${this.wireType}, not ${wireType}`, this.fieldOffset);
    }
  }
}
