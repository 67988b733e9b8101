/** One collection under load: it knows which keys are alive, and turns "write some rows" into operations of the source. */
import { DataType } from '@zilliz/milvus2-sdk-node';
import { ByteSink } from '../content/byte-sink.ts';
import { whenLoaded } from '../content/load-state.ts';
import { byFieldName, DYNAMIC_FIELD, hashRow, type HashedField, type RowHash } from '../content/row-hash.ts';
import {
  ARRAY_LENGTH_MAX,
  DEFAULT_PARTITION,
  KEY_FIELD,
  PARTITION_KEY_PARTITIONS,
  VARCHAR_BYTES_MAX,
  type CollectionBlueprint,
  type FieldBlueprint,
} from './blueprints.ts';
import { ALL_PARTITIONS } from './ledger.ts';
import { LiveKeys } from './live-keys.ts';
import { int64Key, makeRow, varcharKey, type Row } from './row-values.ts';
import type { Random } from './random.ts';
import type { SourceSession } from './source-session.ts';

export class LoadedCollection {
  readonly blueprint: CollectionBlueprint;
  readonly #session: SourceSession;
  readonly #random: Random;
  readonly #incarnation: number;
  readonly #hashedFields: readonly HashedField[];
  readonly #sink = new ByteSink();
  /** By partition. */
  readonly #alive = new Map<string, LiveKeys>();
  /** By partition, so that partitions hold the same keys. */
  readonly #keysMade = new Map<string, number>();

  private constructor(session: SourceSession, blueprint: CollectionBlueprint, random: Random, incarnation: number) {
    this.#session = session;
    this.blueprint = blueprint;
    this.#random = random;
    this.#incarnation = incarnation;
    this.#hashedFields = hashedFieldsOf(blueprint);
  }

  static async create(
    session: SourceSession,
    blueprint: CollectionBlueprint,
    random: Random,
    incarnation = 1,
  ): Promise<LoadedCollection> {
    const collection = new LoadedCollection(session, blueprint, random, incarnation);
    await session.perform({ op: 'createCollection', ...collection.#place }, () =>
      session.connection.client.createCollection({
        ...collection.#names,
        fields: [keyField(blueprint), ...blueprint.fields.map(fieldRequest)],
        shards_num: blueprint.shards,
        enable_dynamic_field: blueprint.isDynamic,
        consistency_level: 'Bounded',
        ...(collection.#hasPartitionKey ? { num_partitions: PARTITION_KEY_PARTITIONS } : {}),
      }),
    );
    for (const partition of blueprint.partitions) await collection.createPartition(partition);
    return collection;
  }

  get #names() {
    return { db_name: this.blueprint.database, collection_name: this.blueprint.collection };
  }

  get #place() {
    return {
      database: this.blueprint.database,
      collection: this.blueprint.collection,
      incarnation: this.#incarnation,
    };
  }

  get #hasPartitionKey(): boolean {
    return this.blueprint.fields.some((field) => field.isPartitionKey === true);
  }

  /** The server refuses a partition's name where a partition key decides. */
  #partitionRequest(partition: string): { partition_name?: string } {
    return partition === ALL_PARTITIONS ? {} : { partition_name: partition };
  }

  get defaultPartition(): string {
    return this.#hasPartitionKey ? ALL_PARTITIONS : DEFAULT_PARTITION;
  }

  async createIndexes(): Promise<void> {
    for (const index of this.blueprint.indexes) {
      await this.#session.perform({ op: 'createIndex', ...this.#place }, () =>
        this.#session.connection.client.createIndex({
          ...this.#names,
          field_name: index.field,
          index_name: `${index.field}_index`,
          index_type: index.type,
          ...(index.metric === undefined ? {} : { metric_type: index.metric }),
          ...(index.params === undefined ? {} : { params: { ...index.params } }),
        }),
      );
    }
  }

  /** Resolves when the rows can be queried. */
  async load(): Promise<void> {
    const { connection, signal } = this.#session;
    await this.#session.perform({ op: 'load', ...this.#place }, () =>
      connection.client.loadCollectionAsync(this.#names),
    );
    await whenLoaded(connection, this.blueprint, signal);
  }

  async release(): Promise<void> {
    await this.#session.perform({ op: 'release', ...this.#place }, () =>
      this.#session.connection.client.releaseCollection(this.#names),
    );
  }

  async flush(): Promise<void> {
    await this.#session.perform({ op: 'flush', ...this.#place }, () =>
      this.#session.connection.client.flush({
        db_name: this.blueprint.database,
        collection_names: [this.blueprint.collection],
      }),
    );
  }

  async drop(): Promise<void> {
    await this.#session.perform({ op: 'dropCollection', ...this.#place }, () =>
      this.#session.connection.client.dropCollection(this.#names),
    );
  }

  async createPartition(partition: string): Promise<void> {
    await this.#session.perform({ op: 'createPartition', ...this.#place, partition }, () =>
      this.#session.connection.client.createPartition({ ...this.#names, partition_name: partition }),
    );
  }

  /** The collection must be released: Milvus refuses to drop a loaded partition. */
  async dropPartition(partition: string): Promise<void> {
    await this.#session.perform({ op: 'dropPartition', ...this.#place, partition }, () =>
      this.#session.connection.client.dropPartition({ ...this.#names, partition_name: partition }),
    );
    this.#alive.delete(partition);
  }

  /** Inserts new rows. */
  async insert(count: number, partition = this.defaultPartition): Promise<void> {
    if (this.blueprint.key === 'generated') {
      await this.#insertGenerated(count, partition);
      return;
    }
    const first = this.#keysMade.get(partition) ?? 0;
    this.#keysMade.set(partition, first + count);
    const makeKey = this.blueprint.key === 'int64' ? int64Key : varcharKey;
    await this.#writeRows(
      'insert',
      Array.from({ length: count }, (_, n) => makeKey(first + n)),
      partition,
    );
  }

  /** Writes new content under living keys, as many as there are, at most `count`. */
  async upsert(count: number, partition = this.defaultPartition): Promise<void> {
    const keys = this.#aliveIn(partition).take(count, this.#random);
    if (keys.length > 0) await this.#writeRows('upsert', keys, partition);
  }

  /** Deletes living rows, as many as there are, at most `count`. */
  async delete(count: number, partition = this.defaultPartition): Promise<void> {
    const keys = this.#aliveIn(partition).take(count, this.#random);
    if (keys.length === 0) return;
    const literals = this.blueprint.key === 'varchar' ? keys.map((key) => JSON.stringify(key)) : keys;
    await this.#session.performWrite({ op: 'delete', ...this.#place, partition, keys }, () =>
      this.#session.connection.client.deleteEntities({
        ...this.#names,
        ...this.#partitionRequest(partition),
        expr: `${KEY_FIELD} in [${literals.join(',')}]`,
      }),
    );
  }

  async #writeRows(op: 'insert' | 'upsert', keys: readonly string[], partition: string): Promise<void> {
    const { client } = this.#session.connection;
    const data = keys.map((key) => makeRow(this.blueprint, key, this.#random));
    const rows = data.map((row, n): [string, RowHash] => [keys[n] ?? '', this.#hash(row, keys[n] ?? '')]);
    const request = { ...this.#names, ...this.#partitionRequest(partition), data: data as never };
    const outcome = await this.#session.performWrite({ op, ...this.#place, partition, rows }, () =>
      op === 'insert' ? client.insert(request) : client.upsert(request),
    );
    if (outcome === 'acknowledged') this.#aliveIn(partition).add(keys);
  }

  async #insertGenerated(count: number, partition: string): Promise<void> {
    const data = Array.from({ length: count }, () => makeRow(this.blueprint, undefined, this.#random));
    const keysOf = (answer: GeneratedKeys): readonly string[] => answer.IDs?.int_id?.data ?? [];
    const answer = await this.#session.performAnswered(
      'insert',
      () =>
        this.#session.connection.client.insert({
          ...this.#names,
          ...this.#partitionRequest(partition),
          data: data as never,
        }) as Promise<GeneratedKeys>,
      (acknowledged) => ({
        op: 'insert',
        ...this.#place,
        partition,
        rows: keysOf(acknowledged).map((key, n) => [key, this.#hash(data[n] ?? {}, key)]),
      }),
    );
    this.#aliveIn(partition).add(keysOf(answer));
  }

  #aliveIn(partition: string): LiveKeys {
    let keys = this.#alive.get(partition);
    if (keys === undefined) this.#alive.set(partition, (keys = new LiveKeys()));
    return keys;
  }

  #hash(row: Row, key: string): RowHash {
    const valueAt = (index: number): unknown => {
      const name = this.#hashedFields[index]?.name ?? '';
      if (name === KEY_FIELD) return key;
      return name === DYNAMIC_FIELD ? this.#dynamicPart(row) : row[name];
    };
    return hashRow(this.#hashedFields, valueAt, this.#sink);
  }

  #dynamicPart(row: Row): Row {
    const named = new Set([KEY_FIELD, ...this.blueprint.fields.map((field) => field.name)]);
    return Object.fromEntries(Object.entries(row).filter(([name]) => !named.has(name)));
  }
}

/** The part of an insert's answer that says which keys the server made. */
interface GeneratedKeys {
  readonly IDs?: { readonly int_id?: { readonly data: readonly string[] } };
}

function hashedFieldsOf(blueprint: CollectionBlueprint): readonly HashedField[] {
  const key: HashedField = { name: KEY_FIELD, type: blueprint.key === 'varchar' ? 'VarChar' : 'Int64' };
  const dynamic: HashedField[] = blueprint.isDynamic ? [{ name: DYNAMIC_FIELD, type: 'JSON' }] : [];
  return [key, ...blueprint.fields, ...dynamic].sort(byFieldName);
}

const keyField = ({ key }: CollectionBlueprint) => ({
  name: KEY_FIELD,
  is_primary_key: true,
  autoID: key === 'generated',
  ...(key === 'varchar'
    ? { data_type: DataType.VarChar, max_length: VARCHAR_BYTES_MAX }
    : { data_type: DataType.Int64 }),
});

const fieldRequest = ({ name, type, elementType, dimensions, isPartitionKey }: FieldBlueprint) => ({
  name,
  data_type: DataType[type],
  ...(elementType === undefined ? {} : { element_type: DataType[elementType], max_capacity: ARRAY_LENGTH_MAX }),
  ...(type === 'VarChar' || elementType === 'VarChar' ? { max_length: VARCHAR_BYTES_MAX } : {}),
  ...(dimensions === undefined ? {} : { dim: dimensions }),
  ...(isPartitionKey === true ? { is_partition_key: true } : {}),
});
