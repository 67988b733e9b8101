/** Values read back from columns, in whichever of their forms, and a text of each that can be compared. */
import type { TypeCase, TypedValue } from './type-cases.ts';

/** A column of an Insert or of a query's answer as one value per row, whichever of the two forms it has. */
export function valuesOf(column: Record<string, unknown>, rowCount: number): TypedValue[] {
  const values = flatValues(column, rowCount);
  const flags = column['validData'] as boolean[] | undefined;
  if (flags === undefined || flags.length === 0) return values;
  const isCompact = values.length !== flags.length;
  let at = 0;
  return flags.map((isValid, row) => (isValid ? values[isCompact ? at++ : row] : null));
}

function flatValues({ scalars, vectors }: Record<string, unknown>, rowCount: number): TypedValue[] {
  if (vectors !== undefined) return vectorValues(vectors as Record<string, unknown>, rowCount);
  const { arrayData, ...others } = (scalars ?? {}) as Record<string, { data?: unknown[] } | undefined>;
  if (arrayData !== undefined) {
    return (arrayData.data ?? []).map((value) => [
      ...(Object.values(value as Record<string, { data?: unknown[] }>)[0]?.data ?? []),
    ]);
  }
  return Object.values(others)[0]?.data ?? [];
}

function vectorValues(vectors: Record<string, unknown>, rowCount: number): TypedValue[] {
  const { floatVector, sparseFloatVector } = vectors;
  if (sparseFloatVector !== undefined) return (sparseFloatVector as { contents?: unknown[] }).contents ?? [];
  if (floatVector !== undefined) return chunks((floatVector as { data: number[] }).data, rowCount);
  const bytes = Object.values(vectors).find((value) => value instanceof Uint8Array);
  return bytes === undefined ? [] : chunks([...bytes], rowCount).map((row) => Uint8Array.from(row));
}

const chunks = (all: readonly number[], count: number): number[][] =>
  Array.from({ length: count }, (_row, row) => all.slice((row * all.length) / count, ((row + 1) * all.length) / count));

/** Of equal text exactly where equal: JSON by what it says, bytes and floats by their bits. */
export function textOf(value: TypedValue, { field }: TypeCase): string {
  if (value === null || value === undefined) return 'null';
  const { dataType } = field as { dataType: number };
  if (dataType === 23) return canonical(JSON.parse(Buffer.from(value as Uint8Array).toString('utf8')) as unknown);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value))
    return JSON.stringify(value.map((one: unknown) => (typeof one === 'number' ? numberText(one) : one)));
  return typeof value === 'number' ? numberText(value) : JSON.stringify(value);
}

const numberText = (value: number): string => (Object.is(value, -0) ? '-0' : String(value));

/** Keys in one order; JSON itself gives them none. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, one]) => `${JSON.stringify(key)}:${canonical(one)}`).join(',')}}`;
}
