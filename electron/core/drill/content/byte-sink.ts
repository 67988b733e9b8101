/** A buffer that grows and is used again for every row: hashing a row allocates nothing but its digest. */

/** Holds a row with a vector of a thousand dimensions without growing. */
const INITIAL_BYTES = 8 * 1024;

export class ByteSink {
  #bytes = Buffer.allocUnsafe(INITIAL_BYTES);
  #length = 0;

  reset(): void {
    this.#length = 0;
  }

  /** A view of what was written; valid until the next write or reset. */
  written(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length] = value;
    this.#length += 1;
  }

  uint32(value: number): void {
    this.#reserve(4);
    this.#length = this.#bytes.writeUInt32LE(value, this.#length);
  }

  /** The bits of the nearest 32-bit float: the sign of zero and denormals are kept. */
  float32(value: number): void {
    this.#reserve(4);
    this.#length = this.#bytes.writeFloatLE(value, this.#length);
  }

  float64(value: number): void {
    this.#reserve(8);
    this.#length = this.#bytes.writeDoubleLE(value, this.#length);
  }

  /** Length first, so that no two sequences of values give the same bytes. */
  text(value: string): void {
    const bytes = Buffer.byteLength(value);
    this.uint32(bytes);
    this.#reserve(bytes);
    this.#length += this.#bytes.write(value, this.#length, bytes, 'utf8');
  }

  raw(value: Uint8Array): void {
    this.uint32(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}
