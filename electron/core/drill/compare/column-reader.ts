/** Takes the nth value out of a column of a query's answer, in a form that `hashRow` understands. */
import type { ScalarData, WireColumn } from './wire-answers.ts';

export type ColumnReader = (row: number) => unknown;

/** Throws a `RangeError` from the reader where the column is shorter than the answer's rows. */
export function columnReader(column: WireColumn): ColumnReader {
  const flags = column.valid_data ?? [];
  const values = valueReader(column);
  if (flags.length === 0) return values;
  // One value for each row, those without one included (milvus pkg v2.5.7, typeutil.AppendFieldData).
  return (row) => (present(flags, row, column) === true ? values(row) : null);
}

function valueReader(column: WireColumn): ColumnReader {
  const { vectors } = column;
  if (vectors?.float_vector !== undefined) return slices(floatsOf(vectors.float_vector.data), Number(vectors.dim));
  if (vectors?.binary_vector !== undefined) return slices(vectors.binary_vector, Number(vectors.dim) / 8);
  const bytes = vectors?.float16_vector ?? vectors?.bfloat16_vector;
  if (bytes !== undefined) return slices(bytes, Number(vectors?.dim) * 2);
  if (vectors?.int8_vector !== undefined) return slices(vectors.int8_vector, Number(vectors.dim));
  if (vectors?.sparse_float_vector !== undefined) {
    const { contents } = vectors.sparse_float_vector;
    return (row) => present(contents, row, column);
  }
  const { scalars } = column;
  if (scalars?.array_data !== undefined) {
    const { data } = scalars.array_data;
    return (row) => scalarsOf(present(data, row, column) as NonNullable<WireColumn['scalars']>);
  }
  const data = scalarsOf(scalars);
  return (row) => present(data, row, column);
}

function scalarsOf(scalars: WireColumn['scalars']): readonly unknown[] {
  if (scalars === undefined) return [];
  const { bool_data, int_data, long_data, float_data, double_data, string_data, json_data } = scalars;
  const data: ScalarData | undefined =
    bool_data ?? int_data ?? long_data ?? float_data ?? double_data ?? string_data ?? json_data;
  // An empty array of a row comes without its kind.
  return data?.data ?? [];
}

function present(data: readonly unknown[], row: number, column: WireColumn): unknown {
  if (row >= data.length) throw new RangeError(`The column ${column.field_name} has no row ${String(row)}.`);
  return data[row];
}

const floatsOf = (data: ArrayLike<number>): Float32Array => Float32Array.from(data);

function slices(values: Float32Array | Uint8Array, length: number): ColumnReader {
  return (row) => {
    if ((row + 1) * length > values.length) throw new RangeError(`A vector column has no row ${String(row)}.`);
    return values.subarray(row * length, (row + 1) * length);
  };
}
