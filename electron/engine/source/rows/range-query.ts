/** The three questions that a page is made of, each one call of Milvus' public Query over a range of keys. */
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import { readKeyColumn } from '../../codec/primary-keys.ts';
import type { FieldSlice, PrimaryKeys } from '../../codec/records.ts';
import { decodeCallResponse, encodeRequest, type MilvusCalls } from '../../milvus/milvus-protocol.ts';
import type { MilvusRpc, RpcOptions } from '../../milvus/milvus-rpc.ts';
import { rangeExpression, type KeyRange } from './key-range.ts';
import { readColumns } from './query-answer.ts';
import type { PartitionRead, RowKey } from './row-source.ts';

/** Milvus refuses a larger limit (`quotaAndLimits.limits.maxQueryResultWindow`, 2.3.5). */
export const QUERY_LIMIT_MAX = 16_384;
/** A page is some MiB; a source that needs longer for it is not well. */
const DEADLINE_MS = 60_000;
/** `common.ConsistencyLevel`. */
const STRONG = 0;
/** Milvus waits until it has seen the timestamp given, and no longer (seen with 2.3.5: 0.3 s less than strong reads). */
const CUSTOMIZED = 4;
/** `merr.ErrCollectionNotLoaded`; of a partition 2.3.5 says so in words alone. */
const COLLECTION_NOT_LOADED = 101;
const NOT_LOADED = /(?:collection|partition) not loaded/;
/** 2.3.5 has a number for it elsewhere, not in a query. */
const PARTITION_NOT_FOUND = /partition name .* not found/;

export interface Rows {
  readonly rowCount: number;
  readonly fields: readonly FieldSlice[];
  readonly keys: PrimaryKeys;
}

type QueryRequest = MilvusCalls['Query']['request'];
/** As much of the connection as a query needs. */
export type QueryRpc = Pick<MilvusRpc, 'callRaw' | 'assertSuccess'>;

/** Of a collection or partition that has been released, or was never loaded. */
export const isNotLoaded = (error: unknown): boolean =>
  error instanceof ReplicationError && error.code === 'notReadable' && error.context['isLoaded'] === false;

export class RangeQuery {
  readonly #rpc: QueryRpc;
  readonly #read: PartitionRead;
  readonly #side: 'source' | 'target';
  readonly #options: RpcOptions;

  constructor(rpc: QueryRpc, read: PartitionRead, side: 'source' | 'target', signal: AbortSignal) {
    this.#rpc = rpc;
    this.#read = read;
    this.#side = side;
    const { database, collection, partition } = read;
    this.#options = { deadlineMs: DEADLINE_MS, signal, context: { database, collection, partition } };
  }

  /** The rows of the range, ascending, each key once; as many as Milvus returns. */
  async rows(range: KeyRange): Promise<Rows> {
    const { schema } = this.#read;
    const answer = await this.#ask(range, ['*'], [['limit', QUERY_LIMIT_MAX]]);
    const { fields } = readColumns(answer, schema.fields);
    const missing = schema.fields.find(
      ({ id, isFunctionOutput }) => !isFunctionOutput && !fields.some(({ fieldId }) => fieldId === id),
    );
    // Milvus would fill in a dynamic field that is not there.
    if (missing !== undefined) throw this.#malformed(`they come without the field ${missing.name}`);
    const keys = this.#keysOf(fields);
    return { rowCount: keys.values.length, fields, keys };
  }

  /** The key at this place of the range, counted from 1; `undefined`: the range has fewer. */
  async keyAt(range: KeyRange, place: number): Promise<RowKey | undefined> {
    const { keyField } = this.#read.schema;
    const window = [
      ['limit', 1],
      ['offset', place - 1],
    ] as const;
    const { fields } = readColumns(await this.#ask(range, [keyField.name], window), [keyField]);
    return this.#keysOf(fields).values.at(0);
  }

  /** Whether a row comes with the field. True where there is no row. */
  async hasField(name: string): Promise<boolean> {
    const { schema } = this.#read;
    const field = schema.fields.find((one) => one.name === name);
    if (field === undefined) return false;
    const asked = [schema.keyField, field];
    const open: KeyRange = { after: undefined, upTo: undefined };
    const answer = await this.#ask(
      open,
      asked.map((one) => one.name),
      [['limit', 1]],
    );
    const { fields } = readColumns(answer, asked);
    return fields.length === 0 || fields.some(({ fieldId }) => fieldId === field.id);
  }

  /** Keys of the range, ascending, each once: among them the smallest; others may be missing. */
  async someKeys(range: KeyRange | string, limit = QUERY_LIMIT_MAX): Promise<PrimaryKeys> {
    const { keyField } = this.#read.schema;
    const answer = await this.#ask(range, [keyField.name], [['limit', limit]]);
    return this.#keysOf(readColumns(answer, [keyField]).fields);
  }

  /** Every row of the range, those that share their key and those that Milvus does not return among them. */
  async count(range: KeyRange | string): Promise<number> {
    const { fieldsData } = decodeCallResponse('Query', await this.#ask(range, ['count(*)'], []));
    const count = fieldsData[0]?.scalars?.longData?.data?.[0];
    // Zero would mean the end of the rows.
    if (count === undefined) throw this.#malformed('a count came without a number');
    return Number(count);
  }

  async #ask(
    /** Or an expression. */
    range: KeyRange | string,
    outputFields: readonly string[],
    window: readonly (readonly [key: string, value: number])[],
  ): Promise<Uint8Array> {
    const { database, collection, partition, guarantee, schema } = this.#read;
    const request: QueryRequest = {
      dbName: database,
      collectionName: collection,
      expr: typeof range === 'string' ? range : rangeExpression(schema.keyField.name, range),
      outputFields,
      partitionNames: partition === '' ? [] : [partition],
      guaranteeTimestamp: guarantee?.toString() ?? '0',
      consistencyLevel: guarantee === undefined ? STRONG : CUSTOMIZED,
      queryParams: window.map(([key, value]) => ({ key, value: String(value) })),
    };
    try {
      const answer = await this.#rpc.callRaw('Query', encodeRequest('Query', request), this.#options);
      this.#rpc.assertSuccess('Query', readColumns(answer, []).status, this.#options);
      return answer;
    } catch (error) {
      throw this.#asReadError(error);
    }
  }

  #keysOf(fields: readonly FieldSlice[]): PrimaryKeys {
    const column = fields.find(({ fieldId }) => fieldId === this.#read.schema.keyField.id);
    if (column === undefined) throw this.#malformed('they come without their keys');
    const keys = readKeyColumn(column);
    if ('kind' in keys) throw this.#malformed(keys.what);
    return keys;
  }

  #asReadError(error: unknown): unknown {
    if (!(error instanceof ReplicationError)) return error;
    const { code, side, message, context, cause } = error;
    if (context['milvusCode'] === COLLECTION_NOT_LOADED || NOT_LOADED.test(message)) return this.#notReadable(error);
    if (code === 'unknown' && PARTITION_NOT_FOUND.test(message)) {
      return new ReplicationError('notFound', side, message, {
        cause,
        context: { ...context, object: 'partition', outcome: 'refused' },
      });
    }
    return error;
  }

  #notReadable(cause: unknown): ReplicationError {
    const { database, collection, partition } = this.#read;
    const what = partition === '' ? `${database}.${collection}` : `${partition} of ${database}.${collection}`;
    return new ReplicationError(
      'notReadable',
      this.#side,
      `${what} is not loaded on the ${this.#side}, so its rows cannot be read. Load it there, or allow Lifeline to load it for the copy, then resume.`,
      { cause, context: { database, collection, partition, outcome: 'refused', isLoaded: false } },
    );
  }

  #malformed(what: string): ReplicationError {
    const { database, collection } = this.#read;
    return new ReplicationError(
      'malformedMessage',
      this.#side,
      `The ${this.#side}'s rows of ${database}.${collection} cannot be read: ${what}. Report this with the version of the ${this.#side}.`,
      { context: { database, collection } },
    );
  }
}
