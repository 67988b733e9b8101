/**
 * One server as the target of typed rows: a collection for each type, written with messages of the log through the engine's
 * own writer, read back through Milvus' public Query and decoded with protobufjs, never by the code under test.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { MilvusClient } from '@zilliz/milvus2-sdk-node';
import { expect } from 'vitest';
import {
  hasPartitionKey,
  parseCollectionSchema,
  type CollectionSchema,
} from '../../../electron/engine/codec/collection-schema.ts';
import { decodeRecord } from '../../../electron/engine/codec/decode.ts';
import type { DeleteRecord, InsertRecord } from '../../../electron/engine/codec/records.ts';
import { encodeRequest } from '../../../electron/engine/milvus/milvus-protocol.ts';
import { MilvusRpc } from '../../../electron/engine/milvus/milvus-rpc.ts';
import { PageReader } from '../../../electron/engine/source/rows/page-reader.ts';
import { readColumns } from '../../../electron/engine/source/rows/query-answer.ts';
import { openMilvusTarget } from '../../../electron/engine/target/milvus-target.ts';
import type { Target } from '../../../electron/engine/target/target.ts';
import { CollectionWriter } from '../../../electron/engine/task/collection-writer.ts';
import { JoinedWrite } from '../../../electron/engine/task/joined-write.ts';
import { toLogEntry, type LogEntry } from '../../../electron/engine/task/log-entry.ts';
import type { WritePiece } from '../../../electron/engine/task/write-piece.ts';
import type { MilvusEndpoint } from '../../../shared/model/connection.ts';
import { asOrdinal } from '../../../shared/model/position.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import { isVector, type TypeCase } from '../../support/type-cases.ts';
import {
  deleteMessage,
  fieldsOf,
  FUNCTION_OUTPUT,
  insertMessage,
  KEY,
  schemaOf,
  VECTOR,
  type TypedRows,
} from '../../support/typed-messages.ts';
import { textOf, valuesOf } from '../../support/typed-values.ts';
import { decodeRequest, encodeMessage } from '../../support/milvus-messages.ts';

const DATABASE = 'default';
const PARTITION = '_default';
const CALL_LIMIT_MS = 30_000;
const PROBE_INTERVAL_MS = 50;
/** `common.LoadState`. */
const LOADED = 3;
/** In the texts of the BM25 case. */
const WORDS = ['one', 'two', 'three', 'four', 'five'];

/** By `schema.DataType`. */
const INDEXES: Readonly<Partial<Record<number, readonly [type: string, metric: string]>>> = {
  100: ['BIN_FLAT', 'HAMMING'],
  104: ['SPARSE_INVERTED_INDEX', 'IP'],
};

export class TypedServer {
  readonly #target: Target;
  readonly #rpc: MilvusRpc;
  readonly #client: MilvusClient;
  readonly #signal = new AbortController().signal;
  readonly #namesColumnsById: boolean;
  #made = 0;
  #tick = 1_000;

  /** @param namesColumnsById Whether columns of its answers bear the ids of their fields, as Milvus' do. */
  constructor(endpoint: MilvusEndpoint, namesColumnsById: boolean) {
    this.#namesColumnsById = namesColumnsById;
    this.#target = openMilvusTarget(endpoint);
    this.#rpc = new MilvusRpc(endpoint);
    const { address, username = '', password = '' } = endpoint;
    this.#client = new MilvusClient({ address, username, password, logLevel: 'error' });
  }

  async close(): Promise<void> {
    this.#rpc.close();
    await this.#client.closeConnection();
    await this.#target.close();
  }

  /**
   * Every way that rows of the types reach a target, in a collection with a field for each. @returns why the server does not
   * take such a collection, where it does not.
   */
  async roundTrip(cases: readonly TypeCase[]): Promise<string | undefined> {
    const rows = new TypedCollection(`t${(this.#made += 1)}`, cases);
    const refusal = await this.make(rows);
    if (refusal !== undefined) return refusal;
    await this.insert(rows);
    await this.expectRows(rows, 'inserted');
    await this.change(rows, (step) => this.expectRows(rows, step));
    const copy = new TypedCollection(`${rows.name}_copy`, cases, rows.expected);
    await this.make(copy);
    await this.#copy(rows, copy);
    await this.expectRows(copy, 'copied');
    for (const { name } of [rows, copy]) {
      await this.#target.dropCollection({ database: DATABASE, collection: name }, this.#signal);
    }
    return undefined;
  }

  async insert(rows: TypedCollection): Promise<void> {
    await this.#write(this.#writer(rows), [rows.put({ keys: [1, 2, 3, 4, 5], places: [0, 1, 2, 3, 4] }, this.#tick)]);
  }

  /** Upserts some rows, deletes one, and puts the inserts of two messages into one call. */
  async change(rows: TypedCollection, done: (step: string) => Promise<void> = async () => undefined): Promise<void> {
    const writer = this.#writer(rows);
    // An upsert stands in the log as a delete and an insert of one timestamp.
    const tick = (this.#tick += 1);
    const replaced = { keys: [1, 2, 3], places: [2, 3, 4] };
    await this.#write(writer, [rows.remove(replaced.keys, tick), rows.put(replaced, tick)]);
    await done('upserted');
    await this.#write(writer, [rows.remove([4], (this.#tick += 1))]);
    await done('deleted');
    const small = [
      { keys: [11, 12], places: [0, 1] },
      { keys: [13, 14, 15], places: [2, 3, 4] },
    ];
    await this.#writeJoined(
      writer,
      small.map((part) => rows.put(part, (this.#tick += 1))),
    );
    await done('joined');
  }

  /** With its indexes, loaded. @returns why it is refused. */
  async make({ name: collection, cases }: TypedCollection): Promise<string | undefined> {
    try {
      await this.#target.createCollection(
        {
          database: DATABASE,
          collection,
          schema: schemaOf(collection, cases),
          shardCount: 1,
          consistencyLevel: 0,
          properties: [],
          partitionKeyCount: cases.some(({ field }) => 'isPartitionKey' in field) ? 2 : 0,
          origin: 'types',
        },
        this.#signal,
      );
      const vectors = fieldsOf(cases).filter(({ one }) => isVector(one));
      for (const { name, one } of vectors.length === 0 ? [{ name: VECTOR.name, one: undefined }] : vectors) {
        await this.#index(collection, name, one);
      }
      if (cases.some((one) => one.function !== undefined)) {
        await this.#index(collection, FUNCTION_OUTPUT.name, undefined, ['SPARSE_INVERTED_INDEX', 'BM25']);
      }
    } catch (error) {
      if (!(error instanceof ReplicationError)) throw error;
      return error.message;
    }
    const load = { dbName: DATABASE, collectionName: collection, replicaNumber: 1 };
    await this.#target.loadCollection(encodeMessage('LoadCollectionRequest', load), this.#signal);
    await this.#loaded(collection);
    return undefined;
  }

  async #loaded(collection: string): Promise<void> {
    const request = { dbName: DATABASE, collectionName: collection, partitionNames: [] };
    const until = Date.now() + CALL_LIMIT_MS;
    // Not the target's own describeCollection: Milvus Lite 2.5.1 offers no ShowPartitions.
    while ((await this.#rpc.call('GetLoadState', request, { deadlineMs: CALL_LIMIT_MS })).state !== LOADED) {
      if (Date.now() > until) throw new Error(`${collection} was not loaded within ${CALL_LIMIT_MS} ms.`);
      await delay(PROBE_INTERVAL_MS);
    }
  }

  async #index(collection: string, field: string, one: TypeCase | undefined, index = indexOf(one)): Promise<void> {
    const [type, metric] = index;
    const extraParams = Object.entries({ index_type: type, metric_type: metric, params: '{}' });
    const request = {
      dbName: DATABASE,
      collectionName: collection,
      fieldName: field,
      indexName: field,
      extraParams: extraParams.map(([key, value]) => ({ key, value })),
    };
    await this.#target.createIndex(encodeMessage('CreateIndexRequest', request), this.#signal);
  }

  #writer({ name, schema }: TypedCollection): CollectionWriter {
    return new CollectionWriter({
      target: this.#target,
      address: { database: DATABASE, collection: name },
      schema,
      onTarget: (_name, call) => call(this.#signal, undefined),
      lease: {
        cover: () => undefined,
        leftOpen: () => undefined,
        whenLanded: () => Promise.resolve(),
        whenSettled: () => Promise.resolve(),
      },
      clock: { now: () => Date.now() },
      signal: this.#signal,
      confirmed: () => undefined,
    });
  }

  #pieces(writer: CollectionWriter, messages: readonly Uint8Array[]): WritePiece[] {
    const data = new Map<DeleteRecord | InsertRecord, LogEntry>();
    for (const [at, message] of messages.entries()) {
      const record = decodeRecord(message);
      if (record.kind !== 'insert' && record.kind !== 'delete') throw new Error(JSON.stringify(record));
      data.set(record, toLogEntry(asOrdinal(BigInt(at)), record, message.byteLength));
    }
    return writer.plan(data, false);
  }

  async #write(writer: CollectionWriter, messages: readonly Uint8Array[]): Promise<void> {
    for (const piece of this.#pieces(writer, messages)) await writer.write(new JoinedWrite(piece), neverRefused);
  }

  async #writeJoined(writer: CollectionWriter, messages: readonly Uint8Array[]): Promise<void> {
    const [first, ...others] = messages.flatMap((message) => this.#pieces(writer, [message]));
    if (first === undefined) throw new Error('There is nothing to join.');
    const joined = new JoinedWrite(first);
    for (const other of others) expect(joined.tryTake(new JoinedWrite(other)), 'they can be joined').toBe(true);
    await writer.write(joined, neverRefused);
  }

  /** As a task copies: pages of the source's query, columns as bytes. */
  async #copy(from: TypedCollection, to: TypedCollection): Promise<void> {
    const writer = this.#writer(to);
    const { name, schema, expected } = from;
    if (!this.#namesColumnsById) {
      const { fields } = readColumns(withFieldIds(await this.#query(name), schema), schema.fields);
      await writer.writeCopied(PARTITION, { rowCount: expected.size, fields }, false);
      return;
    }
    const reader = new PageReader(this.#rpc);
    const partition = hasPartitionKey(schema) ? '' : PARTITION;
    const read = { database: DATABASE, collection: name, partition, schema, guarantee: undefined };
    let after: bigint | string | undefined;
    for (;;) {
      const page = await reader.read({ ...read, after }, this.#signal);
      if (page === undefined) return;
      await writer.writeCopied(PARTITION, page, false);
      after = page.keys.values.at(-1);
    }
  }

  async expectRows({ name: collection, cases, expected }: TypedCollection, step: string): Promise<void> {
    const answer = decodeRequest('QueryResults', await this.#query(collection));
    const columns = (answer['fieldsData'] ?? []) as Record<string, unknown>[];
    const columnOf = (name: string) => columns.find(({ fieldName }) => fieldName === name) ?? {};
    const keyColumn = columnOf(KEY.name)['scalars'] as { longData?: { data: string[] } } | undefined;
    const keys = (keyColumn?.longData?.data ?? []).map(Number);
    const wanted = [...expected].toSorted(([a], [b]) => a - b);
    for (const { name, one } of fieldsOf(cases)) {
      const values = valuesOf(columnOf(name), keys.length);
      expect(
        keys.map((key, row) => [key, textOf(values[row], one)] as const).toSorted(([a], [b]) => a - b),
        `${one.name}: rows that were ${step}`,
      ).toEqual(wanted.map(([key, place]) => [key, textOf(one.values[place], one)]));
      if (one.function !== undefined) await this.#expectFound(collection, one, expected, step);
    }
  }

  /** What the function makes of a text is not written by us and cannot be queried: that the server has made it, a search by words shows. */
  async #expectFound(collection: string, one: TypeCase, expected: TypedCollection['expected'], step: string) {
    for (const word of WORDS) {
      const found = await this.#client.search({
        collection_name: collection,
        anns_field: FUNCTION_OUTPUT.name,
        data: word,
        metric_type: 'BM25',
        limit: 100,
        output_fields: [KEY.name],
      });
      expect(found.status.code, found.status.reason).toBe(0);
      const holding = [...expected].filter(([, place]) => String(one.values[place]).split(' ').includes(word));
      expect(found.results.map(({ id }) => Number(id)).toSorted(), `"${word}" in rows that were ${step}`).toEqual(
        holding.map(([key]) => key).toSorted(),
      );
    }
  }

  #query(collection: string): Promise<Buffer> {
    const request = encodeRequest('Query', {
      dbName: DATABASE,
      collectionName: collection,
      expr: 'id >= 0',
      outputFields: ['*'],
      partitionNames: [],
      guaranteeTimestamp: '0',
      consistencyLevel: 0,
      queryParams: [{ key: 'limit', value: '100' }],
    });
    return this.#rpc.callRaw('Query', request, { deadlineMs: CALL_LIMIT_MS, context: { collection } });
  }
}

/** Milvus Lite 3 names the columns of an answer, where Milvus gives their ids too: those are put in. */
function withFieldIds(answer: Uint8Array, { fields }: CollectionSchema): Uint8Array {
  const { fieldsData } = decodeRequest('QueryResults', answer);
  const columns = (fieldsData as Record<string, unknown>[]).map((column) => ({
    ...column,
    fieldId: String(fields.find(({ name }) => name === column['fieldName'])?.id ?? 0n),
  }));
  return encodeMessage('QueryResults', { fieldsData: columns });
}

function indexOf(one: TypeCase | undefined): readonly [type: string, metric: string] {
  const { dataType = 0 } = (one?.field ?? {}) as { dataType?: number };
  return INDEXES[dataType] ?? ['FLAT', 'L2'];
}

const neverRefused = (_entry: LogEntry, error: ReplicationError): Promise<void> => Promise.reject(error);

/** A collection with a field for each of the types, and which row has which of their values: the expected end. */
export class TypedCollection {
  readonly name: string;
  readonly cases: readonly TypeCase[];
  readonly schema: CollectionSchema;
  /** Places of the values, by key. */
  readonly expected: Map<number, number>;

  constructor(name: string, cases: readonly TypeCase[], expected: ReadonlyMap<number, number> = new Map()) {
    this.name = name;
    this.cases = cases;
    this.schema = parsed(schemaOf(name, cases));
    this.expected = new Map(expected);
  }

  /** The log's message that inserts the rows, which are expected from then on. */
  put(rows: TypedRows, tick: number): Uint8Array {
    for (const [at, key] of rows.keys.entries()) this.expected.set(key, rows.places[at] ?? 0);
    return insertMessage(this.name, this.cases, rows, tick);
  }

  remove(keys: readonly number[], tick: number): Uint8Array {
    for (const key of keys) this.expected.delete(key);
    return deleteMessage(this.name, keys, tick);
  }
}

function parsed(bytes: Uint8Array): CollectionSchema {
  const schema = parseCollectionSchema(bytes);
  if ('kind' in schema) throw new Error(schema.what);
  return schema;
}
