/**
 * Where the values of a `schema.FieldData` are, found without decoding one, and a column made of such values.
 *
 * A type, a field or a way of writing that is not known here has no layout: such a column passes as it is or not at all.
 */
import type { FieldSlice } from './records.ts';
import { bytesFieldLength, numberFieldLength, SizedBytes } from './sized-bytes.ts';
import { orFailure, WIRE_BYTES, WireCursor } from './wire.ts';

/** Of `schema.FieldData`. */
const FIELD_TYPE = 1;
const FIELD_NAME = 2;
export const FIELD_SCALARS = 3;
const FIELD_VECTORS = 4;
const FIELD_ID = 5;
const FIELD_IS_DYNAMIC = 6;
export const FIELD_VALID_DATA = 7;
/** Of `schema.VectorField`. */
const VECTOR_DIM = 1;
/** Of every array of scalars, of `SparseFloatArray` and of a vector's `FloatArray`. */
const ARRAY_VALUES = 1;
/** `ArrayArray.element_type` must be equal, `SparseFloatArray.dim` is the largest of all rows. */
const ARRAY_TRAIT = 2;

/**
 * How values stand in the member of the `oneof`. `packed`: in an array, numbers of one length-delimited value; `listed`: in
 * an array, each with a head of its own; `bytes`: without an array, side by side.
 */
type Form = 'packed' | 'listed' | 'bytes';

/** `schema.ScalarField`: bool, int, long, float, double; string, bytes, array, JSON. */
const SCALAR_FORMS: Readonly<Partial<Record<number, Form>>> = {
  1: 'packed',
  2: 'packed',
  3: 'packed',
  4: 'packed',
  5: 'packed',
  6: 'listed',
  7: 'listed',
  8: 'listed',
  9: 'listed',
};
/** `schema.VectorField`: float; binary, float16, bfloat16; sparse; int8. */
const VECTOR_FORMS: Readonly<Partial<Record<number, Form>>> = {
  2: 'packed',
  3: 'bytes',
  4: 'bytes',
  5: 'bytes',
  6: 'listed',
  7: 'bytes',
};
const SCALAR_ARRAY = 8;
const VECTOR_SPARSE = 6;

/** Where a column's values are, and all that the columns it is joined with must have in common with it. */
export interface ColumnLayout {
  readonly fieldId: bigint;
  readonly fieldName: string;
  readonly type: number;
  readonly isDynamic: boolean;
  /** `FIELD_SCALARS` or `FIELD_VECTORS`. */
  readonly family: number;
  readonly dim: number;
  /** Which one of the family's members, by its number in `ScalarField` or `VectorField`. */
  readonly member: number;
  readonly form: Form;
  /** Views of the column's bytes. Of `listed` values with their heads. */
  readonly values: readonly Uint8Array[];
  readonly trait: number;
  /** Packed: for each row whether there is a value. Empty where the column has none of it. */
  readonly validity: readonly Uint8Array[];
}

interface Reading {
  readonly bytes: Uint8Array;
  type: number;
  name: string;
  id: bigint;
  isDynamic: boolean;
  family: number;
  dim: number;
  member: number;
  trait: number;
  readonly values: Uint8Array[];
  readonly validity: Uint8Array[];
}

/** Of a way of writing that is not known here. Travels inside this file. */
class NoLayout extends Error {}

/** `undefined`: it cannot be read, or has none. */
export function layoutOf(column: FieldSlice): ColumnLayout | undefined {
  const found = orFailure(() => {
    try {
      return readLayout(column.bytes);
    } catch (error) {
      if (error instanceof NoLayout) return undefined;
      throw error;
    }
  });
  return found === undefined || 'kind' in found ? undefined : found;
}

export const isSparse = ({ family, member }: Pick<ColumnLayout, 'family' | 'member'>): boolean =>
  family === FIELD_VECTORS && member === VECTOR_SPARSE;

/** The column that the layout tells of, in one allocation. `values` and `validity` are put in their order. */
export function encodeColumn(layout: ColumnLayout): FieldSlice {
  const { fieldId, fieldName, type, isDynamic, family, dim, member, form, values, trait, validity } = layout;
  const name = Buffer.from(fieldName);
  const id = Number(fieldId);

  const valuesLength = sum(values);
  const memberLength =
    (form === 'packed' ? bytesFieldLength(valuesLength) : valuesLength) + (trait === 0 ? 0 : numberFieldLength(trait));
  const familyLength = (dim === 0 ? 0 : numberFieldLength(dim)) + bytesFieldLength(memberLength);
  const length =
    (type === 0 ? 0 : numberFieldLength(type)) +
    (name.length === 0 ? 0 : bytesFieldLength(name.length)) +
    bytesFieldLength(familyLength) +
    (id === 0 ? 0 : numberFieldLength(id)) +
    (isDynamic ? numberFieldLength(1) : 0) +
    (validity.length === 0 ? 0 : bytesFieldLength(sum(validity)));

  const column = new SizedBytes(length);
  if (type !== 0) column.putNumber(FIELD_TYPE, type);
  if (name.length > 0) column.putBytes(FIELD_NAME, name);
  column.putHead(family, familyLength);
  if (dim !== 0) column.putNumber(VECTOR_DIM, dim);
  column.putHead(member, memberLength);
  if (form === 'packed') column.putHead(ARRAY_VALUES, valuesLength);
  for (const value of values) column.putRaw(value);
  if (trait !== 0) column.putNumber(ARRAY_TRAIT, trait);
  if (id !== 0) column.putNumber(FIELD_ID, id);
  if (isDynamic) column.putNumber(FIELD_IS_DYNAMIC, 1);
  if (validity.length > 0) {
    column.putHead(FIELD_VALID_DATA, sum(validity));
    for (const piece of validity) column.putRaw(piece);
  }
  return { fieldId, fieldName, bytes: column.finish() };
}

const sum = (pieces: readonly Uint8Array[]): number => pieces.reduce((length, piece) => length + piece.byteLength, 0);

function readLayout(bytes: Uint8Array): ColumnLayout {
  const found: Reading = {
    bytes,
    type: 0,
    name: '',
    id: 0n,
    isDynamic: false,
    family: 0,
    dim: 0,
    member: 0,
    trait: 0,
    values: [],
    validity: [],
  };
  const cursor = new WireCursor(bytes);
  while (cursor.next()) {
    switch (cursor.field) {
      case FIELD_TYPE:
        found.type = cursor.number();
        break;
      case FIELD_NAME:
        found.name = cursor.string();
        break;
      case FIELD_SCALARS:
      case FIELD_VECTORS:
        readFamily(cursor, found);
        break;
      case FIELD_ID:
        found.id = cursor.int64();
        break;
      case FIELD_IS_DYNAMIC:
        found.isDynamic = cursor.bool();
        break;
      case FIELD_VALID_DATA:
        found.validity.push(packed(cursor));
        break;
      default:
        throw new NoLayout();
    }
  }
  const form = formOf(found.family, found.member);
  if (form === undefined || found.id < 0n) throw new NoLayout();
  const { type, isDynamic, family, dim, member, values, trait, validity } = found;
  const columns = { type, isDynamic, family, dim, member, form, values, trait, validity };
  return { fieldId: found.id, fieldName: found.name, ...columns };
}

const formOf = (family: number, member: number): Form | undefined =>
  (family === FIELD_SCALARS ? SCALAR_FORMS : VECTOR_FORMS)[member];

/** `ScalarField` or `VectorField`: one member, once. */
function readFamily(outer: WireCursor, found: Reading): void {
  if (found.family !== 0) throw new NoLayout();
  found.family = outer.field;
  const cursor = outer.nested();
  while (cursor.next()) {
    if (found.family === FIELD_VECTORS && cursor.field === VECTOR_DIM) {
      found.dim = cursor.number();
      continue;
    }
    const form = formOf(found.family, cursor.field);
    if (form === undefined || found.member !== 0) throw new NoLayout();
    found.member = cursor.field;
    if (form === 'bytes') found.values.push(cursor.bytes());
    else readArray(cursor, form, found);
  }
}

function readArray(outer: WireCursor, form: Form, found: Reading): void {
  const hasTrait = found.family === FIELD_SCALARS ? found.member === SCALAR_ARRAY : found.member === VECTOR_SPARSE;
  const cursor = outer.nested();
  let listedFrom: number | undefined;
  while (cursor.next()) {
    if (cursor.field === ARRAY_VALUES && form === 'packed') {
      found.values.push(packed(cursor));
    } else if (cursor.field === ARRAY_VALUES) {
      listedFrom ??= cursor.fieldOffset;
      cursor.bytes();
      // Values side by side are one view, however many they are.
      if (cursor.isAtEnd) found.values.push(found.bytes.subarray(listedFrom, cursor.offset));
    } else if (cursor.field === ARRAY_TRAIT && hasTrait) {
      if (listedFrom !== undefined) found.values.push(found.bytes.subarray(listedFrom, cursor.fieldOffset));
      listedFrom = undefined;
      found.trait = cursor.number();
    } else {
      throw new NoLayout();
    }
  }
}

/** Values that are not packed are legal, and never written by Milvus. */
function packed(cursor: WireCursor): Uint8Array {
  if (cursor.wireType !== WIRE_BYTES) throw new NoLayout();
  return cursor.bytes();
}
