/**
 * A target cluster in memory, with Milvus' habits: an insert does not replace rows of an equal key, an upsert does
 * (within its partition), a loaded partition is released before its drop, loading needs an index, a database that is in
 * use cannot be dropped, rows have a column for each field that must have a value and for no field that is not there (checked
 * as internal/proxy/util.go does it, checkFieldsDataBySchema), no text is longer than its field allows. Faults are scripted per call.
 */
import { CHAIN_PROPERTY } from '../../shared/model/origin-chain.ts';
import { asTimeTick, type TimeTick } from '../../shared/time/time-tick.ts';
import { OWNER_PROPERTY } from '../../shared/model/origin-chain.ts';
import { ReplicationError, type ErrorCode } from '../../shared/model/replication-error.ts';
import { hasPartitionKey, parseCollectionSchema } from '../../electron/engine/codec/collection-schema.ts';
import type { FieldSlice } from '../../electron/engine/codec/records.ts';
import { orAborted } from '../../electron/engine/runtime/waiting.ts';
import type {
  CollectionProperties,
  CollectionSpec,
  KeysDelete,
  NamedIdentity,
  RightsOperation,
  RowsWrite,
  Target,
  TargetCollection,
  TargetInfo,
} from '../../electron/engine/target/target.ts';
import type { CollectionAddress } from '../../electron/engine/milvus/collection-address.ts';
import type { KeyValue } from '../../electron/engine/source/catalog/catalog.ts';
import { WRITE_DEADLINE_MS } from '../../electron/engine/target/timeouts.ts';
import { MemoryRights } from './memory-rights.ts';
import { decodeRequest } from './milvus-messages.ts';
import { KEY_FIELD, VALUE_FIELD, valueText, type Key, type Row } from './wal-builder.ts';

export type TargetCall = Exclude<keyof Target, 'close'>;

/**
 * `refuse`: nothing happens. `lose`: it happens, the answer is lost. `prefix`: as `lose`, with some of the rows. `late`: the
 * answer is lost now, it happens `afterMs` after its start, whatever has become of the caller. `twice`: it happens twice, as after a
 * repetition on the way; only for calls that bear it. `hold`: it waits, then goes on as usual.
 */
export type TargetFault =
  | { readonly kind: 'refuse' | 'lose' | 'prefix'; readonly error: ReplicationError }
  | { readonly kind: 'late'; readonly error: ReplicationError; readonly afterMs: number }
  | { readonly kind: 'twice' }
  | { readonly kind: 'hold'; readonly until: Promise<void> };

export interface MemoryCollection {
  readonly id: bigint;
  readonly properties?: Map<string, string>;
  /** By name, whether a row may be without it. */
  readonly fields?: Map<string, boolean>;
  /** By name, its type parameters. */
  readonly settings?: Map<string, Map<string, string>>;
  readonly origin: string;
  owner?: string | undefined;
  readonly hasPartitionKey: boolean;
  readonly shardCount: number;
  readonly consistencyLevel?: number;
  readonly partitions: Map<string, Row[]>;
  readonly indexes: Set<string>;
  isLoaded: boolean;
  /** With which it was loaded; kept until it is released, as Milvus does. */
  replicaNumber?: number | undefined;
  readonly loadedPartitions: Set<string>;
}

export interface CallRecord {
  readonly call: TargetCall;
  readonly address: string;
  readonly partition: string;
}

/** Ids are given out in the order of time. */
const createdAt = (id: bigint): TimeTick => asTimeTick(id);

export class MemoryTarget implements Target {
  readonly databases = new Map<string, Map<string, MemoryCollection>>([['default', new Map()]]);
  readonly databaseProperties = new Map<string, string>();
  readonly rights = new MemoryRights();
  /** The request of each load, as it came. */
  readonly loads: Readonly<Record<string, unknown>>[] = [];
  readonly log: CallRecord[] = [];
  readonly calls: Partial<Record<TargetCall, number>> = {};
  /** Every row and every deleted key that was ever confirmed, by `<origin>/<partition>/<key>[/<value>]`. */
  readonly everWritten = new Set<string>();
  readonly everDeleted = new Set<string>();
  /** Called before and after each effect; throws to end everything there. */
  step: (what: string) => void = () => undefined;
  /** Turns of the event loop that a call takes. */
  turns: () => number = () => 0;
  callsUnderWay = 0;
  /** A late call is about to have its effect. */
  onLanding: (record: CallRecord) => void = () => undefined;
  /** A call is made. */
  onCall: (record: CallRecord) => void = () => undefined;
  /** A call has met a fault. */
  onFault: (kind: TargetFault['kind'], record: CallRecord) => void = () => undefined;
  readonly #faults: { call: TargetCall; matches: (record: CallRecord) => boolean; fault: TargetFault }[] = [];
  #nextId = 9000n;

  /** The next call of that kind (to which `matches` says yes) meets the fault. */
  script(call: TargetCall, fault: TargetFault, matches: (record: CallRecord) => boolean = () => true): void {
    this.#faults.push({ call, matches, fault });
  }

  get faultsLeft(): number {
    return this.#faults.length;
  }

  find({ database, collection }: CollectionAddress): MemoryCollection | undefined {
    return this.databases.get(database)?.get(collection);
  }

  probe(signal: AbortSignal): Promise<TargetInfo> {
    return this.#call('probe', '', '', signal, () => ({ version: 'memory' }));
  }

  insert(write: RowsWrite, signal: AbortSignal): Promise<void> {
    return this.#write('insert', write, signal, (rows, added) => rows.push(...added));
  }

  upsert(write: RowsWrite, signal: AbortSignal): Promise<void> {
    return this.#write('upsert', write, signal, (rows, added) => {
      const keys = new Set(added.map(({ key }) => key));
      rows.splice(0, rows.length, ...rows.filter(({ key }) => !keys.has(key)), ...added);
    });
  }

  delete(write: KeysDelete, signal: AbortSignal): Promise<void> {
    return this.#call('delete', nameOf(write), write.partition, signal, (part) => {
      const collection = this.#existing(write);
      if (collection.hasPartitionKey && write.partition !== '') throw refused('invalidRequest', 'partition named');
      if (write.keyField !== KEY_FIELD.name) throw refused('invalidRequest', 'not the key field');
      const keys = new Set<Key>(part([...write.keys.values]));
      const names = write.partition === '' ? [...collection.partitions.keys()] : [write.partition];
      for (const name of names) {
        const rows = this.#partition(collection, name);
        rows.splice(0, rows.length, ...rows.filter(({ key }) => !keys.has(key)));
      }
      for (const key of keys) this.everDeleted.add(`${collection.origin}/${write.partition}/${key}`);
    });
  }

  createDatabase(name: string, properties: readonly KeyValue[], signal: AbortSignal): Promise<void> {
    return this.#call('createDatabase', name, '', signal, () => {
      if (this.databases.has(name)) return;
      this.databases.set(name, new Map());
      if (properties.length > 0) this.databaseProperties.set(name, JSON.stringify(properties));
    });
  }

  dropDatabase(name: string, signal: AbortSignal): Promise<void> {
    return this.#call('dropDatabase', name, '', signal, () => {
      if ((this.databases.get(name)?.size ?? 0) > 0) throw refused('invalidRequest', `database ${name} is not empty`);
      this.databases.delete(name);
    });
  }

  listDatabases(signal: AbortSignal): Promise<readonly string[]> {
    return this.#call('listDatabases', '', '', signal, () => [...this.databases.keys()]);
  }

  listCollections(database: string, signal: AbortSignal): Promise<readonly string[]> {
    return this.#call('listCollections', database, '', signal, () => [...this.#database(database).keys()]);
  }

  collectionIdentities(database: string, signal: AbortSignal): Promise<readonly NamedIdentity[]> {
    return this.#call('collectionIdentities', database, '', signal, () =>
      [...(this.databases.get(database) ?? [])].map(([name, { id }]) => ({ name, id, createTick: createdAt(id) })),
    );
  }

  readProperties(address: CollectionAddress, signal: AbortSignal): Promise<CollectionProperties | undefined> {
    return this.#call('readProperties', nameOf(address), '', signal, () => {
      const found = this.find(address);
      if (found === undefined) return undefined;
      return {
        id: found.id,
        createTick: createdAt(found.id),
        properties: new Map(found.properties),
        fields: found.settings ?? new Map(),
      };
    });
  }

  setProperties(address: CollectionAddress, properties: readonly KeyValue[], signal: AbortSignal): Promise<void> {
    return this.#call('setProperties', nameOf(address), '', signal, () => {
      const found = this.#existing(address);
      for (const { key, value } of properties) {
        if (key === OWNER_PROPERTY) found.owner = value;
        else found.properties?.set(key, value);
      }
    });
  }

  /** Older servers know how to set them alone. */
  cannotRemoveProperties = false;

  removeProperties(address: CollectionAddress, keys: readonly string[], signal: AbortSignal): Promise<void> {
    return this.#call('removeProperties', nameOf(address), '', signal, () => {
      const { isLoaded, loadedPartitions, properties } = this.#existing(address);
      if (keys.includes('mmap.enabled') && (isLoaded || loadedPartitions.size > 0)) {
        throw refused('invalidRequest', 'it is loaded');
      }
      for (const key of keys) {
        if (!this.cannotRemoveProperties) properties?.delete(key);
        else if (key === 'collection.ttl.seconds') properties?.set(key, '0');
        else throw refused('unsupported', `it cannot take away ${key}`);
      }
    });
  }

  setDatabaseProperties(database: string, properties: readonly KeyValue[], signal: AbortSignal): Promise<void> {
    return this.#call('setDatabaseProperties', database, '', signal, () => {
      this.#database(database);
      this.#setDatabaseProperties(database, properties);
    });
  }

  /** Those that are named; the others stay. */
  #setDatabaseProperties(database: string, properties: readonly KeyValue[]): void {
    const held = this.#propertiesOf(database);
    for (const { key, value } of properties) held.set(key, value);
    const all = [...held].map(([key, value]) => ({ key, value }));
    this.databaseProperties.set(database, JSON.stringify(all));
  }

  readDatabaseProperties(database: string, signal: AbortSignal): Promise<ReadonlyMap<string, string> | undefined> {
    return this.#call('readDatabaseProperties', database, '', signal, () =>
      this.databases.has(database) ? this.#propertiesOf(database) : undefined,
    );
  }

  #propertiesOf(database: string): Map<string, string> {
    const held = JSON.parse(this.databaseProperties.get(database) ?? '[]') as KeyValue[];
    return new Map(held.map(({ key, value }) => [key, value]));
  }

  renameCollection(address: CollectionAddress, to: CollectionAddress, signal: AbortSignal): Promise<void> {
    return this.#call('renameCollection', nameOf(address), '', signal, () => {
      const collection = this.#existing(address);
      const into = this.#database(to.database);
      if (into.has(to.collection) || this.aliases.has(nameOf(to))) throw refused('alreadyExists', nameOf(to));
      this.#database(address.database).delete(address.collection);
      into.set(to.collection, collection);
    });
  }

  addField(address: CollectionAddress, field: Uint8Array, signal: AbortSignal): Promise<void> {
    const body = decodeRequest('schema.FieldSchema', field);
    return this.#call('addField', nameOf(address), '', signal, () => {
      const { fields } = this.#existing(address);
      if (body['nullable'] !== true) throw refused('invalidRequest', 'an added field must be nullable');
      fields?.set(textOf(body, 'name'), true);
    });
  }

  /** Older servers do not know the call. */
  cannotAlterFields = false;

  alterField(
    address: CollectionAddress,
    field: string,
    properties: readonly KeyValue[],
    signal: AbortSignal,
  ): Promise<void> {
    return this.#call('alterField', nameOf(address), field, signal, () => {
      if (this.cannotAlterFields) throw refused('unsupported', 'it knows no such call');
      const found = this.#existing(address);
      const held = found.settings?.get(field);
      if (held === undefined) throw refused('invalidRequest', `no field ${field}`);
      const isLoaded = found.isLoaded || found.loadedPartitions.size > 0;
      if (isLoaded && properties.some(({ key }) => key === 'mmap.enabled'))
        throw refused('invalidRequest', 'it is loaded');
      for (const { key, value } of properties) held.set(key, value);
    });
  }

  /** By `<database>.<alias>`, the id of the collection that each stands for. */
  readonly aliases = new Map<string, bigint>();

  describeAlias(
    database: string,
    alias: string,
    signal: AbortSignal,
  ): Promise<{ readonly id: bigint; readonly origin: string | undefined } | undefined> {
    return this.#call('describeAlias', `${database}.${alias}`, '', signal, () => {
      const id = this.aliases.get(`${database}.${alias}`);
      const found = [...(this.databases.get(database)?.values() ?? [])].find((collection) => collection.id === id);
      return id === undefined ? undefined : { id, origin: found?.origin };
    });
  }

  createAlias(address: CollectionAddress, alias: string, signal: AbortSignal): Promise<void> {
    return this.#call('createAlias', nameOf(address), alias, signal, () => {
      const { id } = this.#existing(address);
      const key = `${address.database}.${alias}`;
      if (this.#database(address.database).has(alias)) throw refused('alreadyExists', 'a collection', 'alias');
      if ((this.aliases.get(key) ?? id) !== id) throw refused('alreadyExists', 'another alias', 'alias');
      this.aliases.set(key, id);
    });
  }

  alterAlias(address: CollectionAddress, alias: string, signal: AbortSignal): Promise<void> {
    return this.#call('alterAlias', nameOf(address), alias, signal, () => {
      const { id } = this.#existing(address);
      const key = `${address.database}.${alias}`;
      if (!this.aliases.has(key)) throw refused('notFound', 'no alias', 'alias');
      this.aliases.set(key, id);
    });
  }

  dropAlias(database: string, alias: string, signal: AbortSignal): Promise<void> {
    return this.#call('dropAlias', database, alias, signal, () => {
      this.aliases.delete(`${database}.${alias}`);
    });
  }

  createCollection(spec: CollectionSpec, signal: AbortSignal): Promise<void> {
    return this.#call('createCollection', nameOf(spec), '', signal, () => {
      const database = this.#database(spec.database);
      if (database.has(spec.collection) || this.aliases.has(nameOf(spec)))
        throw refused('alreadyExists', `${nameOf(spec)} exists`);
      const schema = parseCollectionSchema(spec.schema);
      if ('kind' in schema) throw refused('invalidRequest', schema.what);
      this.#nextId += 1n;
      database.set(spec.collection, {
        id: this.#nextId,
        properties: new Map(
          [...spec.properties, { key: CHAIN_PROPERTY, value: spec.chain ?? '' }].map(({ key, value }) => [key, value]),
        ),
        origin: spec.origin,
        owner: spec.owner,
        hasPartitionKey: hasPartitionKey(schema),
        fields: new Map(schema.fields.map((field) => [field.name, field.isNullable || field.hasDefault])),
        settings: new Map(schema.fields.map((field) => [field.name, new Map(field.typeParams)])),
        shardCount: spec.shardCount,
        consistencyLevel: spec.consistencyLevel,
        partitions: new Map([['_default', []]]),
        indexes: new Set(),
        isLoaded: false,
        loadedPartitions: new Set(),
      });
    });
  }

  describeCollection(address: CollectionAddress, signal: AbortSignal): Promise<TargetCollection | undefined> {
    return this.#call('describeCollection', nameOf(address), '', signal, () => {
      const found = this.find(address);
      if (found === undefined) return undefined;
      const { id, origin, owner, partitions, isLoaded } = found;
      const fields = [...(found.fields ?? new Map<string, boolean>()).keys()];
      return { id, createTick: createdAt(id), origin, owner, partitions: [...partitions.keys()], isLoaded, fields };
    });
  }

  dropCollection(address: CollectionAddress, signal: AbortSignal): Promise<void> {
    return this.#call('dropCollection', nameOf(address), '', signal, () => {
      const found = this.find(address);
      // Newer servers refuse it.
      if (found !== undefined && [...this.aliases.values()].includes(found.id)) {
        throw refused('invalidRequest', 'aliases stand for it');
      }
      this.databases.get(address.database)?.delete(address.collection);
    });
  }

  createPartition(address: CollectionAddress, partition: string, signal: AbortSignal): Promise<void> {
    return this.#call('createPartition', nameOf(address), partition, signal, () => {
      const collection = this.#existing(address);
      if (collection.hasPartitionKey) throw refused('invalidRequest', 'partition named');
      if (!collection.partitions.has(partition)) collection.partitions.set(partition, []);
    });
  }

  dropPartition(address: CollectionAddress, partition: string, signal: AbortSignal): Promise<void> {
    return this.#call('dropPartition', nameOf(address), partition, signal, () => {
      const collection = this.find(address);
      collection?.loadedPartitions.delete(partition);
      collection?.partitions.delete(partition);
    });
  }

  createIndex(request: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#operation('createIndex', 'CreateIndexRequest', request, signal, (collection, body) => {
      collection.indexes.add(textOf(body, 'indexName'));
    });
  }

  dropIndex(request: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#operation('dropIndex', 'DropIndexRequest', request, signal, (collection, body) => {
      if (collection.isLoaded || collection.loadedPartitions.size > 0) throw refused('invalidRequest', 'it is loaded');
      collection.indexes.delete(textOf(body, 'indexName'));
    });
  }

  loadCollection(request: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#operation('loadCollection', 'LoadCollectionRequest', request, signal, (collection, body) => {
      this.loads.push(body);
      if (collection.indexes.size === 0) throw refused('notFound', 'no index', 'index');
      if (!collection.isLoaded) collection.replicaNumber = Number(body['replicaNumber'] ?? 1);
      collection.isLoaded = true;
    });
  }

  releaseCollection(request: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#operation('releaseCollection', 'ReleaseCollectionRequest', request, signal, (collection) => {
      collection.isLoaded = false;
      collection.loadedPartitions.clear();
    });
  }

  loadPartitions(request: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#operation('loadPartitions', 'LoadPartitionsRequest', request, signal, (collection, body) => {
      this.loads.push(body);
      if (collection.indexes.size === 0) throw refused('notFound', 'no index', 'index');
      for (const name of namesOf(body)) {
        this.#partition(collection, name);
        collection.loadedPartitions.add(name);
      }
    });
  }

  releasePartitions(request: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#operation('releasePartitions', 'ReleasePartitionsRequest', request, signal, (collection, body) => {
      for (const name of namesOf(body)) {
        this.#partition(collection, name);
        collection.loadedPartitions.delete(name);
      }
    });
  }

  alterIndex(request: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#operation('alterIndex', 'AlterIndexRequest', request, signal, (collection, body) => {
      if (!collection.indexes.has(textOf(body, 'indexName'))) throw refused('notFound', 'no such index', 'index');
    });
  }

  alterDatabase(request: Uint8Array, signal: AbortSignal): Promise<void> {
    const body = decodeRequest('AlterDatabaseRequest', request);
    return this.#call('alterDatabase', textOf(body, 'dbName'), '', signal, () => {
      const name = textOf(body, 'dbName');
      this.#database(name);
      this.#setDatabaseProperties(name, (body['properties'] ?? []) as KeyValue[]);
    });
  }

  operateRights(operation: RightsOperation, request: Uint8Array, signal: AbortSignal): Promise<void> {
    const body = decodeRequest(`${operation[0]?.toUpperCase() ?? ''}${operation.slice(1)}Request`, request);
    return this.#call('operateRights', operation, '', signal, () => this.rights.apply(operation, body));
  }

  flush(address: CollectionAddress, signal: AbortSignal): Promise<void> {
    return this.#call('flush', nameOf(address), '', signal, () => void this.#existing(address));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #write(
    call: 'insert' | 'upsert',
    write: RowsWrite,
    signal: AbortSignal,
    change: (rows: Row[], added: readonly Row[]) => void,
  ): Promise<void> {
    return this.#call(call, nameOf(write), write.partition, signal, (part) => {
      const collection = this.#existing(write);
      if (collection.hasPartitionKey && write.partition !== '') throw refused('invalidRequest', 'partition named');
      const partition = write.partition === '' ? '_default' : write.partition;
      const rows = this.#partition(collection, partition);
      assertFields(collection, write.fields);
      const all = rowsOf(write.fields);
      assertLengths(collection, all);
      if (all.length !== write.rowCount) throw refused('invalidRequest', 'row count');
      const added = part(all);
      change(rows, added);
      for (const row of added) {
        this.everWritten.add(`${collection.origin}/${write.partition}/${row.key}/${valueText(row)}`);
      }
    });
  }

  #operation(
    call: TargetCall,
    type: string,
    request: Uint8Array,
    signal: AbortSignal,
    effect: (collection: MemoryCollection, body: Readonly<Record<string, unknown>>) => void,
  ): Promise<void> {
    const body = decodeRequest(type, request);
    const address = { database: textOf(body, 'dbName') || 'default', collection: textOf(body, 'collectionName') };
    return this.#call(call, nameOf(address), '', signal, () => effect(this.#existing(address), body));
  }

  async #call<T>(
    call: TargetCall,
    address: string,
    partition: string,
    signal: AbortSignal,
    effect: (part: Part) => T,
  ): Promise<T> {
    const record = { call, address, partition };
    const startedMs = Date.now();
    this.callsUnderWay += 1;
    try {
      this.step(`before ${call} ${address}`);
      this.log.push(record);
      this.onCall(record);
      this.calls[call] = (this.calls[call] ?? 0) + 1;
      await Promise.resolve();
      const turns = this.turns();
      for (let turn = 0; turn < turns; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
      signal.throwIfAborted();
      const at = this.#faults.findIndex((scripted) => scripted.call === call && scripted.matches(record));
      const [scripted] = at < 0 ? [] : this.#faults.splice(at, 1);
      const fault = scripted?.fault;
      if (fault !== undefined) this.onFault(fault.kind, record);
      if (fault?.kind === 'refuse') throw fault.error;
      if (fault?.kind === 'late') {
        this.#later(startedMs + fault.afterMs - Date.now(), record, () => effect(whole));
        throw fault.error;
      }
      if (fault?.kind === 'hold') await orAborted(fault.until, signal);
      // As the server does when it is told of a deadline.
      if (WRITES.has(call) && Date.now() > startedMs + WRITE_DEADLINE_MS) throw answerLost();
      if (fault?.kind === 'twice') effect(whole);
      const result = effect(fault?.kind === 'prefix' ? firstHalf : whole);
      this.step(`after ${call} ${address}`);
      if (fault?.kind === 'lose' || fault?.kind === 'prefix') throw fault.error;
      return result;
    } finally {
      this.callsUnderWay -= 1;
    }
  }

  #later(afterMs: number, record: CallRecord, effect: () => unknown): void {
    setTimeout(
      () => {
        this.onLanding(record);
        try {
          effect();
        } catch (error) {
          // What it was for may be gone: nobody hears of that any more.
          if (!(error instanceof ReplicationError)) throw error;
        }
      },
      Math.max(0, afterMs),
    );
  }

  #database(name: string): Map<string, MemoryCollection> {
    const found = this.databases.get(name);
    if (found === undefined) throw refused('notFound', `no database ${name}`, 'database');
    return found;
  }

  #existing(address: CollectionAddress): MemoryCollection {
    const found = this.find(address);
    if (found === undefined) throw refused('notFound', `no collection ${nameOf(address)}`, 'collection');
    return found;
  }

  #partition(collection: MemoryCollection, name: string): Row[] {
    const rows = collection.partitions.get(name);
    if (rows === undefined) throw refused('notFound', `no partition ${name}`, 'partition');
    return rows;
  }
}

const WRITES: ReadonlySet<TargetCall> = new Set(['insert', 'upsert', 'delete']);

/** Which of the rows or keys of a call have an effect. */
type Part = <T>(all: readonly T[]) => readonly T[];
const whole: Part = (all) => all;
const firstHalf: Part = (all) => all.slice(0, Math.floor((all.length + 1) / 2));

const nameOf = ({ database, collection }: CollectionAddress): string => `${database}.${collection}`;
const textOf = (body: Readonly<Record<string, unknown>>, field: string): string => {
  const value = body[field];
  return typeof value === 'string' ? value : '';
};
const namesOf = (body: Readonly<Record<string, unknown>>): string[] => {
  const names = body['partitionNames'];
  return Array.isArray(names) ? names.map(String) : [];
};

export const refused = (code: ErrorCode, what: string, object?: string): ReplicationError =>
  new ReplicationError(code, 'target', `The target refused: ${what}.`, {
    context: { outcome: 'refused', ...(object === undefined ? {} : { object }) },
  });

export const answerLost = (): ReplicationError =>
  new ReplicationError('timeout', 'target', 'The target did not answer in time.', { context: { outcome: 'unknown' } });

function assertFields({ fields }: MemoryCollection, columns: readonly FieldSlice[]): void {
  const names = new Set(columns.map(({ fieldName }) => fieldName));
  for (const [name, mayBeMissing] of fields ?? []) {
    if (!names.has(name) && !mayBeMissing) throw refused('invalidRequest', `no column of ${name}`);
  }
  const more = [...names].find((name) => fields?.has(name) === false);
  if (more !== undefined) throw refused('invalidRequest', `a column of ${more}, which is no field`);
}

function assertLengths({ settings }: MemoryCollection, rows: readonly Row[]): void {
  const longest = Number(settings?.get(VALUE_FIELD.name)?.get('max_length') ?? Number.POSITIVE_INFINITY);
  if (rows.some(({ value }) => value.length > longest)) throw refused('invalidRequest', `longer than ${longest}`);
}

interface Column {
  readonly fieldId?: string;
  readonly fieldName?: string;
  /** From a client, beside the valid values alone. */
  readonly validData?: readonly boolean[];
  readonly scalars?: { readonly longData?: { data?: string[] }; readonly stringData?: { data?: string[] } };
}

/** Rows out of the columns' bytes, read by another decoder than the product's. */
function rowsOf(fields: readonly FieldSlice[]): Row[] {
  const columns = new Map(
    fields.map((field) => {
      const column = decodeRequest('schema.FieldData', field.bytes) as Column;
      return [column.fieldName, column] as const;
    }),
  );
  const keys = columns.get(KEY_FIELD.name)?.scalars;
  const values = columns.get(VALUE_FIELD.name)?.scalars?.stringData?.data ?? [];
  columns.delete(KEY_FIELD.name);
  columns.delete(VALUE_FIELD.name);
  const found: Key[] = keys?.longData?.data?.map(BigInt) ?? keys?.stringData?.data ?? [];
  if (found.length !== values.length) throw refused('invalidRequest', 'columns of different lengths');
  const rows = found.map((key, index) => ({ key, value: values[index] ?? '' }));
  if (columns.size === 0) return rows;
  const added = [...columns].map(([name = '', column]) => ({ name, texts: textsOf(column, rows.length) }));
  return rows.map((row, index) => ({
    ...row,
    more: Object.fromEntries(
      added.flatMap(({ name, texts }) => (texts[index] === undefined ? [] : [[name, texts[index]]])),
    ),
  }));
}

/** `undefined`: null. */
function textsOf({ validData = [], scalars }: Column, rowCount: number): (string | undefined)[] {
  const texts = [...(scalars?.stringData?.data ?? [])];
  if (validData.length !== rowCount || texts.length !== validData.filter(Boolean).length) {
    throw refused('invalidRequest', 'flags of validity that do not fit');
  }
  return validData.map((isValid) => (isValid ? texts.shift() : undefined));
}
