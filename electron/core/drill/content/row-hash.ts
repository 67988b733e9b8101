/**
 * The content hash of a row: 128 bits of SHA-256 over all its fields in the order of their names, with type and length
 * of each. Two rows have one hash exactly when every value is equal to the last bit: integers by their digits, floats by
 * their bits, vectors by their bytes (sparse ones with their indices ascending), JSON by `canonicalJson`; a value that is null
 * is its own.
 *
 * Values come from two sides, from a program that is about to send them and from a server's answer, and the client
 * library shows them differently (64-bit integers as text or number, bytes as array or buffer). The encoding below takes
 * every such form of one value to the same bytes.
 */
import { hash } from 'node:crypto';
import { canonicalJson } from './canonical-json.ts';
import type { ByteSink } from './byte-sink.ts';

/** Names as Milvus' schema has them. */
export const FIELD_TYPES = [
  'Bool',
  'Int8',
  'Int16',
  'Int32',
  'Int64',
  'Float',
  'Double',
  'VarChar',
  'JSON',
  'Array',
  'FloatVector',
  'BinaryVector',
  'Float16Vector',
  'BFloat16Vector',
  'SparseFloatVector',
  'Int8Vector',
] as const;
export type FieldType = (typeof FIELD_TYPES)[number];

export const isFieldType = (name: string): name is FieldType => (FIELD_TYPES as readonly string[]).includes(name);

export interface HashedField {
  readonly name: string;
  readonly type: FieldType;
  /** Of an Array, else absent. */
  readonly elementType?: FieldType;
}

/** The name of the field that holds what the schema does not name, one JSON object per row. */
export const DYNAMIC_FIELD = '$meta';

/** 16 bytes as 22 characters. */
export type RowHash = string;

const DIGEST_BYTES = 16;
const SPARSE_PAIR_BYTES = 8;

/** `valueAt` gives the value of the nth field of `fields`, which must be sorted by name. The sink is overwritten. */
export function hashRow(fields: readonly HashedField[], valueAt: (index: number) => unknown, sink: ByteSink): RowHash {
  sink.reset();
  for (const [index, field] of fields.entries()) {
    sink.text(field.name);
    encodeValue(sink, field.type, field.elementType, valueAt(index));
  }
  return hash('sha256', sink.written(), 'buffer').subarray(0, DIGEST_BYTES).toString('base64url');
}

export const byFieldName = (a: { readonly name: string }, b: { readonly name: string }): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0;

function encodeValue(sink: ByteSink, type: FieldType, elementType: FieldType | undefined, value: unknown): void {
  // No type has this name, and so no value its bytes.
  sink.text(value === null ? 'null' : type);
  if (value === null) return;
  switch (type) {
    case 'Bool':
      sink.byte(value === true ? 1 : 0);
      return;
    case 'Int8':
    case 'Int16':
    case 'Int32':
    case 'Int64':
      sink.text(integerText(value));
      return;
    case 'Float':
      sink.float32(value as number);
      return;
    case 'Double':
      sink.float64(value as number);
      return;
    case 'VarChar':
      sink.text(value as string);
      return;
    case 'JSON':
      sink.text(canonicalJson(jsonText(value)));
      return;
    case 'Array': {
      const elements = value as readonly unknown[];
      sink.uint32(elements.length);
      for (const element of elements) encodeValue(sink, elementType ?? 'VarChar', undefined, element);
      return;
    }
    case 'FloatVector': {
      const floats = value as ArrayLike<number>;
      sink.uint32(floats.length);
      for (let index = 0; index < floats.length; index += 1) sink.float32(floats[index] ?? 0);
      return;
    }
    case 'BinaryVector':
    case 'Float16Vector':
    case 'BFloat16Vector':
    case 'Int8Vector':
      // Signed numbers become the bytes that they are sent as.
      sink.raw(Uint8Array.from(value as ArrayLike<number>));
      return;
    case 'SparseFloatVector':
      encodeSparse(sink, value);
      return;
  }
}

/** The server gives pairs of index and value, 4 bytes each; a program sends an object, or a map. */
function encodeSparse(sink: ByteSink, value: unknown): void {
  const pairs = (
    value instanceof Uint8Array ? sparsePairs(value) : Object.entries(value as Record<string, number>)
  ).map(([index, weight]) => [Number(index), weight] as const);
  sink.uint32(pairs.length);
  for (const [index, weight] of pairs.sort(([a], [b]) => a - b)) {
    sink.uint32(index);
    sink.float32(weight);
  }
}

function sparsePairs(bytes: Uint8Array): [index: number, weight: number][] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.byteLength / SPARSE_PAIR_BYTES }, (_pair, at) => [
    view.getUint32(at * SPARSE_PAIR_BYTES, true),
    view.getFloat32(at * SPARSE_PAIR_BYTES + 4, true),
  ]);
}

/** The digits of an integer given as text, number or bigint. A number beyond 2^53 would already be wrong: refused. */
function integerText(value: unknown): string {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) throw new RangeError('An integer is not exact.');
  return BigInt(value as string | number | bigint).toString();
}

/** JSON from a server is bytes; JSON about to be sent is a value. */
const jsonText = (value: unknown): string =>
  value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : JSON.stringify(value);
