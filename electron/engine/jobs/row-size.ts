/** About how many bytes a row takes: from its schema alone, so an estimate wherever a field has no fixed length. */
import type { CollectionSchema, SchemaField } from '../codec/collection-schema.ts';

/** `schema.DataType`. */
const FIXED: Readonly<Record<number, number>> = { 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 10: 4, 11: 8 };
const [VARCHAR, STRING, ARRAY, JSON_DOCUMENT] = [21, 20, 22, 23];
const BITS_PER_DIMENSION: Readonly<Record<number, number>> = { 100: 1, 101: 32, 102: 16, 103: 16, 105: 8 };
const SPARSE_VECTOR = 104;

/** Texts are seldom as long as they may be; nobody knows how long documents are. */
const TEXT_BYTES_MAX = 64;
const DOCUMENT_BYTES = 128;
const ELEMENTS_MAX = 16;
/** Some dozens of places, each a number and its weight. */
const SPARSE_BYTES = 512;

export const bytesOfRow = ({ fields }: CollectionSchema): number =>
  Math.ceil(fields.reduce((sum, field) => sum + bytesOf(field, field.dataType), 0));

function bytesOf({ typeParams, elementType }: SchemaField, type: number): number {
  const fixed = FIXED[type];
  if (fixed !== undefined) return fixed;
  const bits = BITS_PER_DIMENSION[type];
  if (bits !== undefined) return (Number(typeParams.get('dim') ?? 0) * bits) / 8;
  if (type === VARCHAR || type === STRING) return halfOf(typeParams.get('max_length'), TEXT_BYTES_MAX);
  if (type === ARRAY)
    return halfOf(typeParams.get('max_capacity'), ELEMENTS_MAX) * (FIXED[elementType] ?? TEXT_BYTES_MAX);
  if (type === SPARSE_VECTOR) return SPARSE_BYTES;
  return type === JSON_DOCUMENT ? DOCUMENT_BYTES : TEXT_BYTES_MAX;
}

const halfOf = (limit: string | undefined, most: number): number =>
  Math.min(most, Math.max(1, Number(limit ?? 2 * most) / 2));
