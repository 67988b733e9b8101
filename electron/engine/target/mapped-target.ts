/**
 * The target under the source's names: every address of every call is mapped here, at the edge, so that the engine keeps the
 * source's names throughout. Databases and lists of them are the target's own, since two of the source may become one.
 */
import { compileMapping, type CompiledMapping, type NameMapping } from '../../../shared/model/name-mapping.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { CollectionAddress } from '../milvus/collection-address.ts';
import type { KeyValue } from '../../../shared/model/key-value.ts';
import { withMappedDatabase, withMappedGrant, withMappedNames } from './operation-request.ts';
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
} from './target.ts';

class MappedTarget implements Target {
  readonly #target: Target;
  readonly #mapping: CompiledMapping;

  /** The target stays the caller's: `close` is left to it. */
  constructor(target: Target, mapping: CompiledMapping) {
    this.#target = target;
    this.#mapping = mapping;
  }

  probe(signal: AbortSignal): Promise<TargetInfo> {
    return this.#target.probe(signal);
  }

  insert(write: RowsWrite, signal: AbortSignal): Promise<void> {
    return this.#target.insert({ ...write, ...this.#mapped(write) }, signal);
  }

  upsert(write: RowsWrite, signal: AbortSignal): Promise<void> {
    return this.#target.upsert({ ...write, ...this.#mapped(write) }, signal);
  }

  delete(write: KeysDelete, signal: AbortSignal): Promise<void> {
    return this.#target.delete({ ...write, ...this.#mapped(write) }, signal);
  }

  createDatabase(name: string, properties: readonly KeyValue[], signal: AbortSignal): Promise<void> {
    return this.#target.createDatabase(name, properties, signal);
  }

  dropDatabase(name: string, signal: AbortSignal): Promise<void> {
    return this.#target.dropDatabase(name, signal);
  }

  listDatabases(signal: AbortSignal): Promise<readonly string[]> {
    return this.#target.listDatabases(signal);
  }

  listCollections(database: string, signal: AbortSignal): Promise<readonly string[]> {
    return this.#target.listCollections(database, signal);
  }

  collectionIdentities(database: string, signal: AbortSignal): Promise<readonly NamedIdentity[]> {
    return this.#target.collectionIdentities(database, signal);
  }

  readProperties(address: CollectionAddress, signal: AbortSignal): Promise<CollectionProperties | undefined> {
    return this.#target.readProperties(this.#mapped(address), signal);
  }

  setProperties(address: CollectionAddress, properties: readonly KeyValue[], signal: AbortSignal): Promise<void> {
    return this.#target.setProperties(this.#mapped(address), properties, signal);
  }

  removeProperties(address: CollectionAddress, keys: readonly string[], signal: AbortSignal): Promise<void> {
    return this.#target.removeProperties(this.#mapped(address), keys, signal);
  }

  setDatabaseProperties(database: string, properties: readonly KeyValue[], signal: AbortSignal): Promise<void> {
    return this.#target.setDatabaseProperties(database, properties, signal);
  }

  readDatabaseProperties(database: string, signal: AbortSignal): Promise<ReadonlyMap<string, string> | undefined> {
    return this.#target.readDatabaseProperties(database, signal);
  }

  renameCollection(address: CollectionAddress, to: CollectionAddress, signal: AbortSignal): Promise<void> {
    return this.#target.renameCollection(this.#mapped(address), this.#mapped(to), signal);
  }

  addField(address: CollectionAddress, field: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#target.addField(this.#mapped(address), field, signal);
  }

  alterField(
    address: CollectionAddress,
    field: string,
    properties: readonly KeyValue[],
    signal: AbortSignal,
  ): Promise<void> {
    return this.#target.alterField(this.#mapped(address), field, properties, signal);
  }

  describeAlias(database: string, alias: string, signal: AbortSignal): ReturnType<Target['describeAlias']> {
    const mapped = this.#mapped({ database, collection: alias });
    return this.#target.describeAlias(mapped.database, mapped.collection, signal);
  }

  createAlias(address: CollectionAddress, alias: string, signal: AbortSignal): Promise<void> {
    return this.#onAlias(address, alias, (mapped, name) => this.#target.createAlias(mapped, name, signal));
  }

  alterAlias(address: CollectionAddress, alias: string, signal: AbortSignal): Promise<void> {
    return this.#onAlias(address, alias, (mapped, name) => this.#target.alterAlias(mapped, name, signal));
  }

  dropAlias(database: string, alias: string, signal: AbortSignal): Promise<void> {
    const mapped = this.#mapped({ database, collection: alias });
    return this.#target.dropAlias(mapped.database, mapped.collection, signal);
  }

  createCollection(spec: CollectionSpec, signal: AbortSignal): Promise<void> {
    return this.#target.createCollection({ ...spec, ...this.#mapped(spec) }, signal);
  }

  describeCollection(address: CollectionAddress, signal: AbortSignal): Promise<TargetCollection | undefined> {
    return this.#target.describeCollection(this.#mapped(address), signal);
  }

  dropCollection(address: CollectionAddress, signal: AbortSignal): Promise<void> {
    return this.#target.dropCollection(this.#mapped(address), signal);
  }

  createPartition(address: CollectionAddress, partition: string, signal: AbortSignal): Promise<void> {
    return this.#target.createPartition(this.#mapped(address), partition, signal);
  }

  dropPartition(address: CollectionAddress, partition: string, signal: AbortSignal): Promise<void> {
    return this.#target.dropPartition(this.#mapped(address), partition, signal);
  }

  createIndex(request: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#target.createIndex(this.#renamed(request), signal);
  }

  dropIndex(request: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#target.dropIndex(this.#renamed(request), signal);
  }

  loadCollection(request: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#target.loadCollection(this.#renamed(request), signal);
  }

  releaseCollection(request: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#target.releaseCollection(this.#renamed(request), signal);
  }

  loadPartitions(request: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#target.loadPartitions(this.#renamed(request), signal);
  }

  releasePartitions(request: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#target.releasePartitions(this.#renamed(request), signal);
  }

  alterIndex(request: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#target.alterIndex(this.#renamed(request), signal);
  }

  alterDatabase(request: Uint8Array, signal: AbortSignal): Promise<void> {
    const mapped = withMappedDatabase(request, (database) => this.#mapping.database(database));
    return this.#target.alterDatabase(mapped, signal);
  }

  operateRights(operation: RightsOperation, request: Uint8Array, signal: AbortSignal): Promise<void> {
    const isGrant = operation === 'operatePrivilege' || operation === 'operatePrivilegeV2';
    const mapped = isGrant ? withMappedGrant(operation, request, this.#mapping) : request;
    return this.#target.operateRights(operation, mapped, signal);
  }

  flush(address: CollectionAddress, signal: AbortSignal): Promise<void> {
    return this.#target.flush(this.#mapped(address), signal);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** An alias has the name that a collection of its name would have: they share their names. */
  async #onAlias(
    address: CollectionAddress,
    alias: string,
    call: (mapped: CollectionAddress, alias: string) => Promise<void>,
  ): Promise<void> {
    const mapped = this.#mapped(address);
    const own = this.#mapped({ database: address.database, collection: alias });
    if (own.database !== mapped.database) throw elsewhere({ ...address, alias }, own.database, mapped.database);
    await call(mapped, own.collection);
  }

  #mapped({ database, collection }: CollectionAddress): CollectionAddress {
    return this.#mapping.address({ database, collection });
  }

  #renamed(request: Uint8Array): Uint8Array {
    return withMappedNames(request, (address) => this.#mapped(address));
  }
}

function elsewhere(
  { database, collection, alias }: CollectionAddress & { readonly alias: string },
  ofAlias: string,
  ofCollection: string,
): ReplicationError {
  return new ReplicationError(
    'invalidRequest',
    'config',
    `The alias ${database}.${alias} would stand in the target's database ${ofAlias}, and ${database}.${collection}, for which it stands, in ${ofCollection}. Begin a task whose names bring both into one database, or make the alias on the target by hand.`,
    { context: { database, collection, alias, outcome: 'refused' } },
  );
}

/** The same one where no name is another. */
export function mapTarget(target: Target, mapping: NameMapping): Target {
  const compiled = compileMapping(mapping);
  return compiled.isSameNames ? target : new MappedTarget(target, compiled);
}
