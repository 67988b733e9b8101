/** Protobuf's wire format written into one allocation of the exact size: lengths are added up first, then bytes are put. */
import { WIRE_BYTES, WIRE_VARINT } from './wire.ts';

/** Of a non-negative safe integer. */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length += 1;
  return length;
}

/** Tag, length and content. Field numbers up to 15 have tags of one byte; no other is written here. */
export const bytesFieldLength = (byteLength: number): number => 1 + varintLength(byteLength) + byteLength;

export const numberFieldLength = (value: number): number => 1 + varintLength(value);

export class SizedBytes {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(length: number) {
    this.#bytes = Buffer.allocUnsafe(length);
  }

  /** Tag and length of what is put next. */
  putHead(field: number, byteLength: number): void {
    this.#bytes[this.#offset++] = field * 8 + WIRE_BYTES;
    this.#putVarint(byteLength);
  }

  putRaw(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#offset);
    this.#offset += bytes.byteLength;
  }

  putBytes(field: number, bytes: Uint8Array): void {
    this.putHead(field, bytes.byteLength);
    this.putRaw(bytes);
  }

  putNumber(field: number, value: number): void {
    this.#bytes[this.#offset++] = field * 8 + WIRE_VARINT;
    this.#putVarint(value);
  }

  /** All that was put; nothing may be left of the room. */
  finish(): Buffer {
    if (this.#offset !== this.#bytes.byteLength) {
      throw new RangeError(`${this.#offset} bytes were put where ${this.#bytes.byteLength} were announced.`);
    }
    return this.#bytes;
  }

  #putVarint(value: number): void {
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#bytes[this.#offset++] = (rest % 0x80) | 0x80;
    this.#bytes[this.#offset++] = rest;
  }
}
