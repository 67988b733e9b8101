/** Primary keys, the one column that is ever decoded: from `schema.IDs` of a Delete and from an Insert's key column. */
import type { DecodeFailure, FieldSlice, PrimaryKeys } from './records.ts';
import { MalformedWire, orFailure, WireCursor } from './wire.ts';

const DATA_TYPE_INT64 = 5;
const DATA_TYPE_VARCHAR = 21;

const KEYS_CAPACITY_INITIAL = 16;

/** Gathers keys of one type from one or more pieces of a repeated field. */
export class KeyList {
  private integers: BigInt64Array | undefined;
  private integerCount = 0;
  private strings: string[] | undefined;

  readInt64(cursor: WireCursor): void {
    cursor.eachVarint((value) => this.pushInt64(BigInt.asIntN(64, value.varintAsBigint())));
  }

  readString(cursor: WireCursor): void {
    (this.strings ??= []).push(cursor.string());
  }

  /** `undefined` when no key was read. */
  finish(): PrimaryKeys | undefined {
    if (this.integers !== undefined && this.strings !== undefined) {
      throw new MalformedWire('keys of two types', 0);
    }
    // A copy of its own length: what is left of the capacity would stay with every message that is kept.
    if (this.integers !== undefined) return { type: 'int64', values: this.integers.slice(0, this.integerCount) };
    return this.strings === undefined ? undefined : { type: 'varchar', values: this.strings };
  }

  private pushInt64(value: bigint): void {
    let room = (this.integers ??= new BigInt64Array(KEYS_CAPACITY_INITIAL));
    if (this.integerCount === room.length) {
      room = new BigInt64Array(room.length * 2);
      room.set(this.integers);
      this.integers = room;
    }
    room[this.integerCount] = value;
    this.integerCount += 1;
  }
}

/** `schema.IDs`: a LongArray (1) or a StringArray (2), each with its values in field 1. */
export function readIds(cursor: WireCursor, into: KeyList): void {
  while (cursor.next()) {
    if (cursor.field === 1) readArray(cursor.nested(), (values) => into.readInt64(values));
    else if (cursor.field === 2) readArray(cursor.nested(), (values) => into.readString(values));
    else cursor.skip();
  }
}

function readArray(cursor: WireCursor, read: (cursor: WireCursor) => void): void {
  while (cursor.next()) {
    if (cursor.field === 1) read(cursor);
    else cursor.skip();
  }
}

/**
 * The keys in the key column of an Insert (a `schema.FieldData` of type Int64 or VarChar), in row order. Offsets of a
 * failure count from the slice's first byte.
 */
export function readKeyColumn(slice: FieldSlice): PrimaryKeys | DecodeFailure {
  return orFailure(() => {
    const cursor = new WireCursor(slice.bytes);
    const keys = new KeyList();
    let dataType = 0;
    while (cursor.next()) {
      if (cursor.field === 1) dataType = cursor.number();
      else if (cursor.field === 3) readScalars(cursor.nested(), keys);
      else cursor.skip();
    }
    if (dataType !== DATA_TYPE_INT64 && dataType !== DATA_TYPE_VARCHAR) {
      throw new MalformedWire(`a key column of the data type ${dataType}`, 0);
    }
    const found = keys.finish() ?? emptyKeys(dataType);
    if ((found.type === 'int64') !== (dataType === DATA_TYPE_INT64)) {
      throw new MalformedWire(`a key column of the data type ${dataType} that holds ${found.type} values`, 0);
    }
    return found;
  });
}

const emptyKeys = (dataType: number): PrimaryKeys =>
  dataType === DATA_TYPE_INT64 ? { type: 'int64', values: new BigInt64Array() } : { type: 'varchar', values: [] };

/** `schema.ScalarField`: long_data is field 3, string_data field 6; each is an array with its values in field 1. */
function readScalars(cursor: WireCursor, into: KeyList): void {
  while (cursor.next()) {
    if (cursor.field === 3) readArray(cursor.nested(), (values) => into.readInt64(values));
    else if (cursor.field === 6) readArray(cursor.nested(), (values) => into.readString(values));
    else cursor.skip();
  }
}

export const isDecodeFailure = (value: PrimaryKeys | DecodeFailure): value is DecodeFailure => 'kind' in value;

/** One key of either type; the two never mix within a collection. */
export type PrimaryKey = bigint | string;

export const keySet = (keys: PrimaryKeys): Set<PrimaryKey> => new Set<PrimaryKey>(keys.values);

/** Whether both name exactly the same keys, whatever their order and repetitions. */
export function sameKeys(a: PrimaryKeys, b: PrimaryKeys): boolean {
  if (a.type !== b.type) return false;
  const left = keySet(a);
  const right = keySet(b);
  return left.size === right.size && [...left].every((key) => right.has(key));
}
