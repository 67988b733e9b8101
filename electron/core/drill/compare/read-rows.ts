/**
 * Reads all rows of a partition and keeps the key and the content hash of each.
 *
 * Pages follow the key: "above the last key, at most so many", which Milvus answers in the order of the keys (bytes for
 * text; seen on 2.3.5 over shards and segments). A query shows a key once even where two rows have it, so the rows are
 * counted as well: `count(*)` counts every one.
 *
 * A limit of Milvus 2.3.5: a query never returns the key 2^63-1, though it counts it. Such a row looks like a doubled one.
 */
import { ByteSink } from '../content/byte-sink.ts';
import type { MilvusConnection } from '../content/milvus-client.ts';
import { hashRow, type RowHash } from '../content/row-hash.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import type { CollectionShape } from './collection-shape.ts';
import { columnReader } from './column-reader.ts';
import type { QueryAnswer, WireColumn } from './wire-answers.ts';

export interface PartitionRows {
  readonly rows: ReadonlyMap<string, RowHash>;
  /** Rows by `count(*)`; above `rows.size` when keys are doubled. */
  readonly count: number;
}

/** Every strong read waits for a tick of the server (200 ms), so a few large pages beat many small ones. */
const PAGE_ROWS_MAX = 5_000;
const PAGE_BYTES_MAX = 8 * 1024 * 1024;
/** Milvus refuses a larger limit (its `quotaAndLimits.limits.maxQueryResultWindow`, 2.3.5). */
const QUERY_LIMIT_MAX = 16_384;
/** Of a dimension, where it is not a float's four. */
const VECTOR_BYTES = [
  ['BinaryVector', 1 / 8],
  ['Float16Vector', 2],
  ['BFloat16Vector', 2],
  ['Int8Vector', 1],
] as const;
const INT64_MIN = (-(2n ** 63n)).toString();

/** `partition` is undefined for the whole of a collection with a partition key. The collection must be loaded. */
export async function readPartitionRows(
  connection: MilvusConnection,
  shape: CollectionShape,
  partition: string | undefined,
  signal: AbortSignal,
): Promise<PartitionRows> {
  const reader = new PartitionReader(connection, shape, partition, signal);
  const count = await reader.count('');
  const rows = new Map<string, RowHash>();
  const pageRows = pageRowsFor(shape);
  const pageEnds: string[] = [];

  while (rows.size < count) {
    const page = await reader.rowsAbove(pageEnds.at(-1), undefined, pageRows);
    const lastKey = page.at(-1)?.[0];
    // Only an empty answer is the end: doubled keys make a page shorter than its limit.
    if (lastKey === undefined) break;
    for (const [key, hash] of page) rows.set(key, hash);
    pageEnds.push(lastKey);
  }
  // Doubled keys inside one segment use up its part of a page, and keys behind them may have been left out.
  if (rows.size < count) await reader.readCrowdedRanges(pageEnds, rows);
  if (rows.size > count) {
    throw new ReplicationError(
      'unknown',
      connection.side,
      `${shape.database}.${shape.collection} of the ${connection.side} changed while it was read: ` +
        `it counted ${String(count)} rows and returned ${String(rows.size)}. Stop writing to it and compare again.`,
    );
  }
  return { rows, count };
}

function pageRowsFor(shape: CollectionShape): number {
  let rowBytes = 64;
  for (const { definition } of shape.fields) {
    const dimensions = Number(/dim=(\d+)/.exec(definition)?.[1] ?? 0);
    const dimensionBytes = VECTOR_BYTES.find(([type]) => definition.startsWith(type))?.[1] ?? 4;
    rowBytes += dimensions * dimensionBytes + 64;
  }
  return Math.max(1, Math.min(PAGE_ROWS_MAX, Math.floor(PAGE_BYTES_MAX / rowBytes)));
}

class PartitionReader {
  readonly #connection: MilvusConnection;
  readonly #shape: CollectionShape;
  readonly #partition: string | undefined;
  readonly #signal: AbortSignal;
  readonly #sink = new ByteSink();

  constructor(
    connection: MilvusConnection,
    shape: CollectionShape,
    partition: string | undefined,
    signal: AbortSignal,
  ) {
    this.#connection = connection;
    this.#shape = shape;
    this.#partition = partition;
    this.#signal = signal;
  }

  async count(expression: string): Promise<number> {
    const [column] = await this.#query(expression, ['count(*)']);
    return Number(column?.scalars?.long_data?.data[0]);
  }

  /** Rows with keys above `after` and up to `upTo`, ascending; the ends may be open. */
  async rowsAbove(after: string | undefined, upTo: string | undefined, limit: number): Promise<[string, RowHash][]> {
    const columns = await this.#query(this.#range(after, upTo), ['*'], limit);
    return this.#hashRows(columns);
  }

  /** Reads again, without a limit that could cut, each range between page ends that counts more rows than were seen. */
  async readCrowdedRanges(pageEnds: readonly string[], rows: Map<string, RowHash>): Promise<void> {
    for (let index = 0; index <= pageEnds.length; index += 1) {
      const [after, upTo] = [pageEnds[index - 1], pageEnds[index]];
      const limit = Math.min(QUERY_LIMIT_MAX, await this.count(this.#range(after, upTo)));
      if (limit === 0) continue;
      for (const [key, hash] of await this.rowsAbove(after, upTo, limit)) rows.set(key, hash);
    }
  }

  #range(after: string | undefined, upTo: string | undefined): string {
    const { name } = this.#shape.keyField;
    const parts: string[] = [];
    // Milvus cannot read -2^63 in an expression (2.3.5).
    if (after === INT64_MIN) parts.push(`${name} >= ${(BigInt(INT64_MIN) + 1n).toString()}`);
    else if (after !== undefined) parts.push(`${name} > ${this.#literal(after)}`);
    if (upTo !== undefined && upTo !== INT64_MIN) parts.push(`${name} <= ${this.#literal(upTo)}`);
    return parts.join(' && ');
  }

  #literal(key: string): string {
    return this.#shape.keyField.type === 'VarChar' ? JSON.stringify(key) : key;
  }

  async #query(expression: string, outputFields: readonly string[], limit?: number): Promise<readonly WireColumn[]> {
    this.#signal.throwIfAborted();
    const answer = (await this.#connection.call('Query', {
      db_name: this.#shape.database,
      collection_name: this.#shape.collection,
      partition_names: this.#partition === undefined ? [] : [this.#partition],
      expr: expression,
      output_fields: outputFields,
      // Everything that was written before the call.
      consistency_level: 'Strong',
      query_params: limit === undefined ? [] : [{ key: 'limit', value: String(limit) }],
    })) as QueryAnswer;
    return answer.fields_data;
  }

  #hashRows(columns: readonly WireColumn[]): [string, RowHash][] {
    const byName = new Map(columns.map((column) => [column.field_name, column]));
    const readers = this.#shape.hashedFields.map(({ name }) => {
      const column = byName.get(name);
      if (column === undefined) throw this.#malformed(`an answer without the field ${name}`);
      return columnReader(column);
    });
    const keys = byName.get(this.#shape.keyField.name)?.scalars;
    const keyValues = (keys?.long_data ?? keys?.string_data)?.data ?? [];
    const rows = keyValues.map((key, row): [string, RowHash] => [
      String(key),
      hashRow(this.#shape.hashedFields, (index) => readers[index]?.(row), this.#sink),
    ]);
    for (let index = 1; index < rows.length; index += 1) {
      if (!this.#isAscending(rows[index - 1]?.[0] ?? '', rows[index]?.[0] ?? '')) {
        throw this.#malformed('keys out of order');
      }
    }
    return rows;
  }

  #isAscending(a: string, b: string): boolean {
    if (this.#shape.keyField.type !== 'VarChar') return BigInt(a) < BigInt(b);
    return Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;
  }

  #malformed(what: string): ReplicationError {
    const { side } = this.#connection;
    return new ReplicationError(
      'malformedMessage',
      side,
      `The ${side} returned ${what} for ${this.#shape.database}.${this.#shape.collection}.`,
    );
  }
}
