/**
 * A source cluster in memory: what a user does to it goes into the log and the catalogue as Milvus would write it, and
 * into a model of what the cluster then holds, against which the target is compared.
 */
import {
  asCollectionId,
  asPartitionId,
  asPChannel,
  asVChannel,
  type PartitionId,
  type PChannel,
} from '../../shared/model/ids.ts';
import { timeTickFromMs, type TimeTick } from '../../shared/time/time-tick.ts';
import type { OperationName } from '../../electron/engine/codec/records.ts';
import type { CatalogCollection } from '../../electron/engine/source/catalog/catalog.ts';
import { MemoryCatalog } from './memory-catalog.ts';
import { memoryMessageId, MemoryWal } from './memory-wal.ts';
import {
  buildCreateCollection,
  buildCreatePartition,
  buildDelete,
  buildDropCollection,
  buildDropPartition,
  buildInsert,
  buildOperation,
  buildSchema,
  buildTick,
  VALUE_FIELD,
  valueText,
  type BuiltCollection,
  type BuiltPartition,
  type Key,
  type Row,
} from './wal-builder.ts';

const START_MS = 1_760_000_000_000;
const CONSISTENCY_LEVEL_BOUNDED = 2;
const DEFAULT_PARTITION = '_default';
/** After an import is completed queries answer without its rows for so long (2.3.5: 11 to 19 s). */
const SHOWN_LATE_MS = 15_000;

export interface SourcePartition extends BuiltPartition {
  rows: Row[];
}

export interface SourceCollection extends Omit<BuiltCollection, 'name'> {
  name: string;
  readonly createTick: TimeTick;
  readonly partitions: Map<string, SourcePartition>;
  readonly indexes: Set<string>;
  isLoaded: boolean;
  readonly loadedPartitions: Set<string>;
  readonly properties: Map<string, string>;
  readonly addedFields: string[];
  readonly valueSettings: Map<string, string>;
}

/** One row change as it stands in a shard's log. */
export interface Change {
  readonly tick: TimeTick;
  readonly kind: 'insert' | 'delete';
  readonly collectionId: bigint;
  /** `undefined`: all partitions. */
  readonly partition: BuiltPartition | undefined;
  readonly hasPartitionKey: boolean;
  readonly key: Key;
  readonly value: string;
}

export interface CollectionOptions {
  readonly database?: string;
  readonly channels: readonly number[];
  readonly hasPartitionKey?: boolean;
  readonly hasTextKeys?: boolean;
  /** Of the value's field: of how many characters its texts may be. */
  readonly maxLength?: number;
  /** Of the schema, beside key and value: for types that are not carried over. */
  readonly moreFields?: readonly object[];
}

export class MemorySource {
  readonly wal = new MemoryWal();
  readonly catalog = new MemoryCatalog();
  readonly channels: readonly PChannel[];
  readonly operationChannel = asPChannel('sim-replicate-msg');
  readonly databases = new Map<string, Map<string, SourceCollection>>([['default', new Map()]]);
  /** By vchannel, in the order of their happening. */
  readonly changes = new Map<string, Change[]>();
  readonly droppedPartitions = new Set<bigint>();
  readonly droppedCollections = new Set<bigint>();
  /** By `<database>.<alias>`, the collection that each stands for. */
  readonly aliases = new Map<string, SourceCollection>();
  /** Rows of imports that queries do not show yet. */
  readonly hiddenRows = new Set<Row>();
  /** So many operations from now on never get into the log: the source has lost their messages. */
  operationsToLose = 0;
  /** Newer servers write CreatePartition into the log. */
  writesCreatePartition = false;
  #nextTick = timeTickFromMs(START_MS);
  #nextId = 100n;

  constructor(channelCount: number) {
    this.channels = Array.from({ length: channelCount }, (_unused, index) => asPChannel(`sim-rootcoord-dml_${index}`));
    for (const channel of this.channels) this.wal.addChannel(channel);
    this.wal.addOperationChannel(this.operationChannel);
  }

  get now(): TimeTick {
    return this.#nextTick;
  }

  /** A timestamp of its own, later than all before: one millisecond each. */
  nextTick(): TimeTick {
    this.#nextTick = (this.#nextTick + (1n << 18n)) as TimeTick;
    return this.#nextTick;
  }

  nextId(): bigint {
    this.#nextId += 1n;
    return this.#nextId;
  }

  /** Every channel is told that all up to now has been said. */
  tickAll(): void {
    const tick = this.nextTick();
    for (const channel of this.channels) this.tick(channel, tick);
  }

  tick(channel: PChannel, tick: TimeTick = this.nextTick()): void {
    this.wal.append(channel, buildTick(tick));
  }

  /** `isLost`: its message never comes. */
  createDatabase(name: string, { isLost = false } = {}): void {
    this.databases.set(name, new Map());
    this.catalog.databases.set(name, { id: this.nextId(), name, properties: [] });
    if (!isLost) this.#operate('createDatabase', { dbName: name });
    this.catalog.changed();
  }

  dropDatabase(name: string, { isLost = false } = {}): void {
    if ((this.databases.get(name)?.size ?? 0) > 0) throw new Error(`The database ${name} is not empty.`);
    this.databases.delete(name);
    const { id } = this.catalog.databases.get(name) ?? {};
    this.catalog.databases.delete(name);
    if (id !== undefined) this.catalog.endedDatabases.add(id);
    if (!isLost) this.#operate('dropDatabase', { dbName: name });
    this.catalog.changed();
    this.catalog.changed();
  }

  createCollection(name: string, options: CollectionOptions): SourceCollection {
    const database = options.database ?? 'default';
    const id = this.nextId();
    const pchannels = options.channels.map((index) => this.#channel(index));
    const partition: SourcePartition = { id: this.nextId(), name: DEFAULT_PARTITION, rows: [] };
    const createTick = this.nextTick();
    const collection: SourceCollection = {
      id,
      database,
      name,
      pchannels,
      vchannels: pchannels.map((channel, index) => `${channel}_${id}v${index}`),
      hasPartitionKey: options.hasPartitionKey ?? false,
      hasTextKeys: options.hasTextKeys ?? false,
      moreFields: options.moreFields ?? [],
      addedFields: [],
      valueSettings: new Map(options.maxLength === undefined ? [] : [['max_length', String(options.maxLength)]]),
      createTick,
      partitions: new Map([[partition.name, partition]]),
      indexes: new Set(),
      isLoaded: false,
      loadedPartitions: new Set(),
      properties: new Map(),
    };
    this.#database(database).set(name, collection);
    const message = buildCreateCollection(collection, [partition], createTick);
    const ordinals = pchannels.map((channel) => this.wal.append(channel, message));
    this.catalog.put({
      id: asCollectionId(id),
      databaseId: this.catalog.databases.get(database)?.id ?? 0n,
      database,
      name,
      createTick,
      shardCount: pchannels.length,
      consistencyLevel: CONSISTENCY_LEVEL_BOUNDED,
      properties: [],
      schema: buildSchema(collection),
      partitions: [{ id: asPartitionId(partition.id), name: partition.name, createTick }],
      startPositions: pchannels.map((pchannel, index) => ({
        vchannel: asVChannel(collection.vchannels[index] ?? ''),
        pchannel,
        messageId: memoryMessageId(ordinals[index] ?? 0n),
      })),
    });
    return collection;
  }

  /** `isLost`: its messages never come. */
  dropCollection(collection: SourceCollection, { isLost = false } = {}): void {
    for (const [key, held] of this.aliases) if (held === collection) this.dropAlias(collection.database, aliasOf(key));
    this.#database(collection.database).delete(collection.name);
    this.droppedCollections.add(collection.id);
    const message = buildDropCollection(collection, this.nextTick());
    if (!isLost) for (const channel of new Set(collection.pchannels)) this.wal.append(asPChannel(channel), message);
    this.catalog.definitions.delete(asCollectionId(collection.id));
    this.catalog.remove(collection.id);
  }

  /** In no log. */
  renameCollection(collection: SourceCollection, name: string): void {
    const held = this.#database(collection.database);
    if (held.has(name) || this.aliases.has(`${collection.database}.${name}`)) throw new Error(`${name} is taken.`);
    held.delete(collection.name);
    collection.name = name;
    held.set(name, collection);
    this.#changeCatalog(collection, { name });
  }

  /** Made, or moved. In no log. */
  setAlias(collection: SourceCollection, alias: string): void {
    const { database, id } = collection;
    if (this.#database(database).has(alias)) throw new Error(`${alias} is a collection.`);
    this.aliases.set(`${database}.${alias}`, collection);
    this.catalog.endedAliases.delete(`${database}/${alias}`);
    this.catalog.aliases.set(`${database}.${alias}`, { database, alias, collectionId: asCollectionId(id) });
    this.catalog.changed();
  }

  dropAlias(database: string, alias: string): void {
    this.aliases.delete(`${database}.${alias}`);
    this.catalog.aliases.delete(`${database}.${alias}`);
    this.catalog.endedAliases.add(`${database}/${alias}`);
    this.catalog.changed();
  }

  /** In no log. */
  setProperty(collection: SourceCollection, key: string, value: string): void {
    collection.properties.set(key, value);
    const properties = [...collection.properties].map(([name, held]) => ({ key: name, value: held }));
    this.#changeCatalog(collection, { properties });
  }

  /** Taken off. In no log. */
  removeProperty(collection: SourceCollection, key: string): void {
    collection.properties.delete(key);
    const properties = [...collection.properties].map(([name, held]) => ({ key: name, value: held }));
    this.#changeCatalog(collection, { properties });
  }

  /** Rows that come later have a value of it. In no log. `isShown`: the catalogue tells it at once. */
  addField(collection: SourceCollection, name: string, isShown = true): void {
    collection.addedFields.push(name);
    if (isShown) this.showFields(collection);
  }

  /** Of the value's field. In no log. `isShown`: as above. */
  alterField(collection: SourceCollection, key: string, value: string, isShown = true): void {
    collection.valueSettings.set(key, value);
    if (isShown) this.showFields(collection);
  }

  showFields(collection: SourceCollection): void {
    this.#changeCatalog(collection, { schema: buildSchema(collection) });
  }

  createPartition(collection: SourceCollection, name: string): void {
    const partition: SourcePartition = { id: this.nextId(), name, rows: [] };
    const tick = this.nextTick();
    collection.partitions.set(name, partition);
    if (this.writesCreatePartition) {
      this.#toAllShards(collection, buildCreatePartition(collection, partition, tick));
    }
    this.#showPartitions(collection);
  }

  dropPartition(collection: SourceCollection, name: string, { isLost = false } = {}): void {
    const partition = this.#partition(collection, name);
    collection.partitions.delete(name);
    this.droppedPartitions.add(partition.id);
    collection.loadedPartitions.delete(name);
    const collectionId = asCollectionId(collection.id);
    const ended = this.catalog.endedPartitions.get(collectionId) ?? new Map<PartitionId, string>();
    this.catalog.endedPartitions.set(collectionId, ended.set(asPartitionId(partition.id), name));
    const message = buildDropPartition(collection, partition, this.nextTick());
    if (!isLost) this.#toAllShards(collection, message);
    this.#showPartitions(collection);
  }

  insert(collection: SourceCollection, given: readonly Row[], partitionName = DEFAULT_PARTITION): void {
    const rows = withAddedFields(collection, given);
    const tick = this.nextTick();
    const partition = this.#partition(collection, partitionName);
    partition.rows.push(...rows);
    for (const [vchannel, own] of this.#byShard(collection, rows))
      this.#writeInsert(collection, partition, vchannel, tick, own, false);
  }

  /** In the named partition, or in all of them. */
  delete(collection: SourceCollection, keys: readonly Key[], partitionName?: string): void {
    const tick = this.nextTick();
    const partition = partitionName === undefined ? undefined : this.#partition(collection, partitionName);
    for (const each of partition === undefined ? collection.partitions.values() : [partition]) {
      each.rows = each.rows.filter(({ key }) => !keys.includes(key));
    }
    const rows = keys.map((key) => ({ key, value: '' }));
    for (const [vchannel, own] of this.#byShard(collection, rows))
      this.#writeDelete(collection, partition, vchannel, tick, own);
  }

  /** One delete and one insert of the same keys at one timestamp; which of them stands first in the log is open. */
  upsert(
    collection: SourceCollection,
    given: readonly Row[],
    partitionName = DEFAULT_PARTITION,
    insertFirst = false,
  ): void {
    const rows = withAddedFields(collection, given);
    const tick = this.nextTick();
    const partition = this.#partition(collection, partitionName);
    const keys = new Set(rows.map(({ key }) => key));
    partition.rows = [...partition.rows.filter(({ key }) => !keys.has(key)), ...rows];
    for (const [vchannel, own] of this.#byShard(collection, rows)) {
      if (insertFirst) this.#writeInsert(collection, partition, vchannel, tick, own, true);
      this.#writeDelete(collection, partition, vchannel, tick, own);
      if (!insertFirst) this.#writeInsert(collection, partition, vchannel, tick, own, true);
    }
  }

  /** The rows come as a file: they are in no log, and queries show them some time after the import is completed. */
  importRows(collection: SourceCollection, rows: readonly Row[], partitionName = DEFAULT_PARTITION): bigint {
    const id = this.beginImport(collection, rows.length, partitionName);
    this.completeImport(id, collection, rows, partitionName);
    return id;
  }

  /** Is under way from now on. */
  beginImport(collection: SourceCollection, rowCount: number, partitionName = DEFAULT_PARTITION): bigint {
    const id = this.nextId();
    this.catalog.importsHeld.set(id, {
      id,
      collectionId: asCollectionId(collection.id),
      isCompleted: false,
      fileCount: 1,
      rowCount: BigInt(rowCount),
      partition: partitionName,
      segments: [],
    });
    this.catalog.changed();
    return id;
  }

  completeImport(
    id: bigint,
    collection: SourceCollection,
    rows: readonly Row[],
    partitionName = DEFAULT_PARTITION,
  ): void {
    const held = this.catalog.importsHeld.get(id);
    if (held === undefined) throw new Error(`No import ${id}.`);
    const own = rows.map((row) => ({ ...row }));
    this.#partition(collection, partitionName).rows.push(...own);
    for (const row of own) this.hiddenRows.add(row);
    setTimeout(() => {
      for (const row of own) this.hiddenRows.delete(row);
    }, SHOWN_LATE_MS);
    this.catalog.importsHeld.set(id, { ...held, isCompleted: true });
    this.catalog.changed();
  }

  createIndex(collection: SourceCollection, indexName = 'by_value'): void {
    collection.indexes.add(indexName);
    this.#define(collection);
    this.#operate('createIndex', { ...named(collection), fieldName: 'value', indexName });
  }

  dropIndex(collection: SourceCollection, indexName = 'by_value'): void {
    collection.indexes.delete(indexName);
    this.#define(collection);
    this.#operate('dropIndex', { ...named(collection), indexName });
  }

  load(collection: SourceCollection): void {
    collection.isLoaded = true;
    this.#define(collection);
    this.#operate('loadCollection', named(collection));
  }

  releaseLoaded(collection: SourceCollection): void {
    collection.isLoaded = false;
    collection.loadedPartitions.clear();
    this.#define(collection);
    this.#operate('releaseCollection', named(collection));
  }

  loadPartition(collection: SourceCollection, name: string): void {
    collection.loadedPartitions.add(name);
    this.#define(collection);
    this.#operate('loadPartitions', { ...named(collection), partitionNames: [name] });
  }

  flush(...collections: readonly SourceCollection[]): void {
    const [first] = collections;
    this.#operate('flush', { dbName: first?.database ?? '', collectionNames: collections.map(({ name }) => name) });
  }

  /** What the cluster holds, as `describeTarget` puts it. */
  content(): Content {
    const content: Content = {};
    for (const [database, collections] of this.databases) {
      const held: Content[string] = (content[database] = {});
      for (const collection of collections.values()) {
        const partitions: Record<string, string[]> = {};
        for (const { name, rows } of collection.partitions.values()) partitions[name] = sorted(rows);
        held[collection.name] = {
          partitions,
          indexes: [...collection.indexes].toSorted(),
          isLoaded: collection.isLoaded,
          shardCount: collection.vchannels.length,
          properties: Object.fromEntries(collection.properties),
          valueSettings: Object.fromEntries(collection.valueSettings),
          aliases: [...this.aliases]
            .filter(([, held]) => held === collection)
            .map(([key]) => aliasOf(key))
            .toSorted(),
        };
      }
    }
    return content;
  }

  #writeInsert(
    collection: SourceCollection,
    partition: SourcePartition,
    vchannel: string,
    tick: TimeTick,
    rows: readonly Row[],
    isUpsertHalf: boolean,
  ): void {
    const message = { collection, partition, vchannel, tick, messageId: this.nextId() };
    this.#append(collection, vchannel, buildInsert(message, rows, isUpsertHalf));
    this.#note(collection, partition, vchannel, tick, 'insert', rows);
  }

  #writeDelete(
    collection: SourceCollection,
    partition: SourcePartition | undefined,
    vchannel: string,
    tick: TimeTick,
    rows: readonly Row[],
  ): void {
    const message = { collection, partition, vchannel, tick, messageId: this.nextId() };
    this.#append(
      collection,
      vchannel,
      buildDelete(
        message,
        rows.map(({ key }) => key),
      ),
    );
    this.#note(collection, partition, vchannel, tick, 'delete', rows);
  }

  #note(
    collection: SourceCollection,
    partition: SourcePartition | undefined,
    vchannel: string,
    tick: TimeTick,
    kind: Change['kind'],
    rows: readonly Row[],
  ): void {
    const changes = this.changes.get(vchannel) ?? [];
    this.changes.set(vchannel, changes);
    const { id: collectionId, hasPartitionKey } = collection;
    for (const row of rows)
      changes.push({ tick, kind, collectionId, partition, hasPartitionKey, key: row.key, value: valueText(row) });
  }

  #byShard(collection: SourceCollection, rows: readonly Row[]): Map<string, Row[]> {
    return Map.groupBy(rows, ({ key }) => {
      const hash = typeof key === 'bigint' ? key : BigInt(Buffer.from(key).reduce((sum, byte) => sum + byte, 0));
      return collection.vchannels[Number(hash % BigInt(collection.vchannels.length))] ?? '';
    });
  }

  #append(collection: SourceCollection, vchannel: string, payload: Uint8Array): void {
    const channel = collection.pchannels[collection.vchannels.indexOf(vchannel)];
    if (channel === undefined) throw new Error(`No channel for ${vchannel}.`);
    this.wal.append(asPChannel(channel), payload);
  }

  #toAllShards(collection: SourceCollection, payload: Uint8Array): void {
    for (const channel of new Set(collection.pchannels)) this.wal.append(asPChannel(channel), payload);
  }

  #operate(operation: OperationName, request: object): void {
    if (this.operationsToLose > 0 && LOST.has(operation)) {
      this.operationsToLose -= 1;
      return;
    }
    this.wal.append(this.operationChannel, buildOperation(operation, request, this.nextTick()));
  }

  #showPartitions(collection: SourceCollection): void {
    const known = this.catalog.collections.get(collection.id);
    if (known === undefined) return;
    const partitions = [...collection.partitions.values()].map(({ id, name }) => ({
      id: asPartitionId(id),
      name,
      createTick: this.#nextTick,
    }));
    this.catalog.put({ ...known, partitions });
    this.#define(collection);
  }

  #changeCatalog(collection: SourceCollection, change: Partial<CatalogCollection>): void {
    const known = this.catalog.collections.get(collection.id);
    if (known !== undefined) this.catalog.put({ ...known, ...change });
  }

  /** Indexes and loads, as the catalogue shows them. */
  #define(collection: SourceCollection): void {
    const loaded = [...collection.partitions.values()].filter(
      ({ name }) => collection.isLoaded || collection.loadedPartitions.has(name),
    );
    this.catalog.definitions.set(asCollectionId(collection.id), {
      indexes: [...collection.indexes].map((name) => ({ name, fieldId: BigInt(VALUE_FIELD.id), params: [] })),
      load:
        loaded.length === 0
          ? undefined
          : { replicaNumber: 1, partitions: new Set(loaded.map(({ id }) => asPartitionId(id))) },
    });
    this.catalog.changed();
  }

  #database(name: string): Map<string, SourceCollection> {
    const found = this.databases.get(name);
    if (found === undefined) throw new Error(`No database ${name}.`);
    return found;
  }

  #partition(collection: SourceCollection, name: string): SourcePartition {
    const found = collection.partitions.get(name);
    if (found === undefined) throw new Error(`No partition ${name}.`);
    return found;
  }

  #channel(index: number): PChannel {
    const found = this.channels[index];
    if (found === undefined) throw new Error(`No channel ${index}.`);
    return found;
  }
}

export interface CollectionContent {
  readonly partitions: Readonly<Record<string, readonly string[]>>;
  readonly indexes: readonly string[];
  readonly isLoaded: boolean;
  readonly shardCount: number;
  readonly properties: Readonly<Record<string, string>>;
  /** Type parameters of the value's field. */
  readonly valueSettings: Readonly<Record<string, string>>;
  readonly aliases: readonly string[];
}
export type Content = Record<string, Record<string, CollectionContent>>;

/** Operations whose loss the catalogue makes up for. */
const LOST: ReadonlySet<OperationName> = new Set([
  'createIndex',
  'dropIndex',
  'loadCollection',
  'releaseCollection',
  'loadPartitions',
]);

const aliasOf = (key: string): string => key.slice(key.indexOf('.') + 1);

const named = ({ database, name }: SourceCollection): object => ({
  dbName: database === 'default' ? '' : database,
  collectionName: name,
});

/** Rows as text, in an order of their own. */
export const sorted = (rows: readonly Row[]): string[] => rows.map((row) => `${row.key}=${valueText(row)}`).toSorted();

/** One row in three or so has none. */
const withAddedFields = ({ addedFields }: SourceCollection, rows: readonly Row[]): readonly Row[] =>
  addedFields.length === 0
    ? rows
    : rows.map((row) => {
        const added = addedFields.filter((name) => (row.value.length + name.length) % 3 > 0);
        return { ...row, more: Object.fromEntries(added.map((name) => [name, `${name} of ${row.value}`])) };
      });
