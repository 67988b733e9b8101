/**
 * Columns of several Inserts put behind one another as the columns of one: what Milvus would have written for all the rows
 * at once, made from the bytes of the parts without decoding a value.
 *
 * A protobuf parser would merge messages that are simply put behind one another, though not all of them alike: values of
 * type `bytes` (binary, 8-bit and 16-bit vectors, whose rows stand in one value) do not add up, the last one wins; and whether
 * a message inside a `oneof` is merged or replaced differs between implementations. So nothing is left to merging: every
 * column becomes one `schema.FieldData` with one head at each level, and the values of the parts in a row.
 *
 * What has no layout is not joined: such a message goes alone.
 */
import { encodeColumn, isSparse, type ColumnLayout } from './column-layout.ts';
import type { FieldSlice } from './records.ts';

/** Columns that have the same text can be joined. */
export const signatureOf = (layout: ColumnLayout): string => {
  const { fieldId, fieldName, type, isDynamic, family, member } = layout;
  // What a sparse column says of itself is its own largest row (milvus pkg v2.5.7, typeutil/schema.go, AppendFieldData).
  const { dim, trait } = isSparse(layout) ? { dim: 0, trait: 0 } : layout;
  const hasValidity = layout.validity.length > 0;
  return [fieldId, type, isDynamic, family, dim, member, trait, hasValidity, fieldName].join(' ');
};

/** One column of all the rows of the parts, in their order. The parts must have one signature. @returns bytes of its own. */
export function joinColumns(parts: readonly ColumnLayout[]): FieldSlice {
  const [first] = parts;
  if (first === undefined) throw new RangeError('There is nothing to join.');
  return encodeColumn({
    ...first,
    dim: largest(parts, (part) => part.dim),
    trait: largest(parts, (part) => part.trait),
    values: parts.flatMap((part) => part.values),
    validity: parts.flatMap((part) => part.validity),
  });
}

const largest = (parts: readonly ColumnLayout[], of: (part: ColumnLayout) => number): number =>
  parts.reduce((found, part) => Math.max(found, of(part)), 0);
