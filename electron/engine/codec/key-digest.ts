/**
 * What it takes to tell that two messages have no primary key in common, at a fraction of the cost of the keys: a hash of
 * each key, and the range of integer keys. Equal keys have equal hashes, so digests without a common hash are digests of
 * different keys; a common hash proves nothing and is taken for a common key.
 */
import type { FieldSlice, PrimaryKeys } from './records.ts';
import { MalformedWire, orFailure, WireCursor } from './wire.ts';

export interface KeyDigest {
  /** One for each key, in no order that matters. */
  readonly hashes: number[];
  /** Smallest and largest; of integer keys only. */
  readonly range: { readonly min: bigint; readonly max: bigint } | undefined;
}

/** Odd, with bits all over: keys that follow one another get hashes that differ. */
const LOW_FACTOR = 0x9e3779b1;
const HIGH_FACTOR = 0x85ebca6b;
/** FNV-1a. */
const TEXT_START = 0x811c9dc5;
const TEXT_FACTOR = 0x01000193;

const hashOfInteger = (low: number, high: number): number => Math.imul(low, LOW_FACTOR) ^ Math.imul(high, HIGH_FACTOR);

function hashOfText(utf8: Uint8Array): number {
  let hash = TEXT_START;
  for (const byte of utf8) hash = Math.imul(hash ^ byte, TEXT_FACTOR);
  return hash | 0;
}

const toBigint = (high: number, low: number): bigint => (BigInt(high | 0) << 32n) | BigInt(low >>> 0);

/** Gathers integer keys as halves, so that no `bigint` is made for each. */
class IntegerDigest {
  readonly hashes: number[] = [];
  private minHigh = 0;
  private minLow = 0;
  private maxHigh = 0;
  private maxLow = 0;

  /** Both halves unsigned. */
  add(low: number, unsignedHigh: number): void {
    const high = unsignedHigh | 0;
    if (this.hashes.length === 0 || high < this.minHigh || (high === this.minHigh && low < this.minLow)) {
      this.minHigh = high;
      this.minLow = low;
    }
    if (this.hashes.length === 0 || high > this.maxHigh || (high === this.maxHigh && low > this.maxLow)) {
      this.maxHigh = high;
      this.maxLow = low;
    }
    this.hashes.push(hashOfInteger(low, unsignedHigh | 0));
  }

  finish(): KeyDigest {
    if (this.hashes.length === 0) return { hashes: [], range: undefined };
    return {
      hashes: this.hashes,
      range: { min: toBigint(this.minHigh, this.minLow), max: toBigint(this.maxHigh, this.maxLow) },
    };
  }
}

export function digestOfKeys(keys: PrimaryKeys): KeyDigest {
  if (keys.type === 'varchar') {
    return { hashes: keys.values.map((key) => hashOfText(Buffer.from(key))), range: undefined };
  }
  const digest = new IntegerDigest();
  for (const key of keys.values) {
    digest.add(Number(BigInt.asUintN(32, key)), Number(BigInt.asUintN(32, key >> 32n)));
  }
  return digest.finish();
}

/** Of the key column of an Insert. `undefined`: it cannot be read, or has not one key for each row. */
export function digestOfColumn(column: FieldSlice, rowCount: number): KeyDigest | undefined {
  const digest = orFailure(() => readDigest(column.bytes));
  return 'kind' in digest || digest.hashes.length !== rowCount ? undefined : digest;
}

/** `schema.FieldData`: scalars (3) hold long_data (3) or string_data (6), each an array with its values in field 1. */
function readDigest(bytes: Uint8Array): KeyDigest {
  const integers = new IntegerDigest();
  const texts: number[] = [];
  const column = new WireCursor(bytes);
  while (column.next()) {
    if (column.field !== 3) {
      column.skip();
      continue;
    }
    const scalars = column.nested();
    while (scalars.next()) {
      if (scalars.field === 3) eachValue(scalars.nested(), (cursor) => readIntegers(cursor, integers));
      else if (scalars.field === 6) eachValue(scalars.nested(), (cursor) => texts.push(hashOfText(cursor.bytes())));
      else scalars.skip();
    }
  }
  if (texts.length === 0) return integers.finish();
  if (integers.hashes.length > 0) throw new MalformedWire('keys of two types', 0);
  return { hashes: texts, range: undefined };
}

function readIntegers(cursor: WireCursor, into: IntegerDigest): void {
  cursor.eachVarint(({ low, high }) => into.add(low, high));
}

function eachValue(array: WireCursor, read: (cursor: WireCursor) => void): void {
  while (array.next()) {
    if (array.field === 1) read(array);
    else array.skip();
  }
}
