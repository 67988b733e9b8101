/** The target as an ordinary Milvus cluster, driven through its public API. */
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { ErrorContext } from '../../../shared/model/replication-error.ts';
import type { MilvusEndpoint } from '../../../shared/model/connection.ts';
import { asTimeTick } from '../../../shared/time/time-tick.ts';
import { parseCollectionSchema, readField, type SchemaField } from '../codec/collection-schema.ts';
import { withoutFieldId, withoutGeneratedKeys } from '../codec/schema-rewrite.ts';
import { WireCursor } from '../codec/wire.ts';
import { isRefused } from '../errors/policy.ts';
import { silentLogger, type Logger } from '../runtime/logger.ts';
import { CHAIN_PROPERTY, isOwnProperty, OWNER_PROPERTY } from '../../../shared/model/origin-chain.ts';
import type { KeyValue } from '../source/catalog/catalog.ts';
import { deleteExpressions } from './delete-expression.ts';
import { encodeRowsRequest } from './insert-request.ts';
import {
  decodeMutation,
  decodeStatus,
  type MilvusCalls,
  type MilvusRawCallName,
  type RightsCallName,
} from '../milvus/milvus-protocol.ts';
import { MilvusRpc } from '../milvus/milvus-rpc.ts';
import { isOlder, neededToAdd, neededVersion, readVersion, type Need } from './needed-version.ts';
import { withoutBase } from './operation-request.ts';
import { probeTarget } from './probe.ts';
import type {
  CollectionIdentity,
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
import type { CollectionAddress } from '../milvus/collection-address.ts';
import { TARGET_TIMEOUTS, type TargetTimeouts } from './timeouts.ts';

/** Property of every collection that Lifeline makes. Milvus keeps and returns properties that it does not know (seen with 2.3.5). */
export const ORIGIN_PROPERTY = 'lifeline.origin';

/** A source that is a replica of something else marks its collections with this; a copy that had it would refuse writes. */
const REPLICATE_ID_PROPERTY = 'replicate.id';

const TTL_PROPERTY = 'collection.ttl.seconds';

/** 2.5, and the last of 2.4 (milvus pull requests 37437, 38361; `delete_keys` in milvus-proto). */
const DELETES_PROPERTIES = { minor: 4, what: 'properties can be taken away' } as const;

/** `common.LoadState`. */
const LOAD_STATE_LOADING = 2;
const LOAD_STATE_LOADED = 3;

const RIGHTS_CALLS: Readonly<Record<RightsOperation, RightsCallName>> = {
  createCredential: 'CreateCredential',
  updateCredential: 'UpdateCredential',
  deleteCredential: 'DeleteCredential',
  createRole: 'CreateRole',
  dropRole: 'DropRole',
  operateUserRole: 'OperateUserRole',
  operatePrivilege: 'OperatePrivilege',
  operatePrivilegeV2: 'OperatePrivilegeV2',
  createPrivilegeGroup: 'CreatePrivilegeGroup',
  dropPrivilegeGroup: 'DropPrivilegeGroup',
  operatePrivilegeGroup: 'OperatePrivilegeGroup',
};

type OperationCall = Exclude<MilvusRawCallName, 'Insert' | 'Upsert'>;

export interface MilvusTargetOptions {
  readonly logger?: Logger;
  readonly timeouts?: Partial<TargetTimeouts>;
}

/** Connects with the first call. @throws invalidConfig */
export function openMilvusTarget(endpoint: MilvusEndpoint, options: MilvusTargetOptions = {}): Target {
  const timeouts = { ...TARGET_TIMEOUTS, ...options.timeouts };
  return new MilvusTarget(new MilvusRpc(endpoint), timeouts, options.logger ?? silentLogger);
}

const nameOf = ({ database, collection }: CollectionAddress) => ({ dbName: database, collectionName: collection });

const isMissing = (error: unknown, ...objects: readonly string[]): boolean =>
  error instanceof ReplicationError && error.code === 'notFound' && objects.includes(String(error.context['object']));

const isUnsupported = (error: unknown): boolean => error instanceof ReplicationError && error.code === 'unsupported';

const isTaken = (error: unknown, object?: string): boolean =>
  error instanceof ReplicationError &&
  error.code === 'alreadyExists' &&
  (object === undefined || error.context['object'] === object);

const identityOf = (described: MilvusCalls['DescribeCollection']['response']): CollectionIdentity => ({
  id: BigInt(described.collectionID),
  createTick: asTimeTick(BigInt(described.createdTimestamp)),
});

class MilvusTarget implements Target {
  readonly #rpc: MilvusRpc;
  readonly #timeouts: TargetTimeouts;
  readonly #logger: Logger;

  constructor(rpc: MilvusRpc, timeouts: TargetTimeouts, logger: Logger) {
    this.#rpc = rpc;
    this.#timeouts = timeouts;
    this.#logger = logger;
  }

  probe(signal: AbortSignal): Promise<TargetInfo> {
    return probeTarget(this.#rpc, this.#timeouts.probeMs, this.#logger, signal);
  }

  insert(write: RowsWrite, signal: AbortSignal): Promise<void> {
    return this.#writeRows('Insert', write, signal);
  }

  upsert(write: RowsWrite, signal: AbortSignal): Promise<void> {
    return this.#writeRows('Upsert', write, signal);
  }

  async #writeRows(call: 'Insert' | 'Upsert', write: RowsWrite, signal: AbortSignal): Promise<void> {
    const { database, collection, partition, rowCount } = write;
    const request = encodeRowsRequest(write);
    const context = { database, collection, partition, rowCount, bytes: request.byteLength };
    const options = { deadlineMs: this.#timeouts.writeMs, signal, context };
    const result = decodeMutation(call, await this.#rpc.callRaw(call, request, options));
    this.#rpc.assertSuccess(call, result.status, options);
    const confirmed = call === 'Insert' ? result.insertCnt : result.upsertCnt;
    this.#assertCount(call, Number(confirmed), rowCount, context);
  }

  async delete(write: KeysDelete, signal: AbortSignal): Promise<void> {
    const { database, collection, partition, keyField, keys } = write;
    let deletedCount = 0;
    for (const { expression, keyCount } of deleteExpressions(keyField, keys)) {
      const context = { database, collection, partition, keyCount, bytes: expression.length };
      const options = { deadlineMs: this.#timeouts.writeMs, signal, context };
      const request = { ...nameOf(write), partitionName: partition, expr: expression };
      try {
        const result = await this.#rpc.call('Delete', request, options);
        this.#assertCount('Delete', Number(result.deleteCnt), keyCount, context);
      } catch (error) {
        throw deletedCount > 0 ? asPartlyDone(error, deletedCount) : error;
      }
      deletedCount += keyCount;
    }
  }

  /** The server counts what it was given, not what it found: fewer means that it has lost some on the way. */
  #assertCount(call: string, confirmed: number, expected: number, context: ErrorContext): void {
    if (confirmed === expected) return;
    throw new ReplicationError(
      'unknown',
      'target',
      `The target at ${this.#rpc.address} confirmed ${confirmed} of the ${expected} rows of ${call}. See its log for the cause.`,
      { context: { ...context, call, confirmed, outcome: 'unknown' } },
    );
  }

  async createDatabase(name: string, properties: readonly KeyValue[], signal: AbortSignal): Promise<void> {
    try {
      await this.#rpc.call('CreateDatabase', { dbName: name, properties }, this.#define(signal, { database: name }));
    } catch (error) {
      if (!isTaken(error)) throw error;
    }
  }

  async dropDatabase(name: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#rpc.call('DropDatabase', { dbName: name }, this.#define(signal, { database: name }));
    } catch (error) {
      if (!isMissing(error, 'database')) throw error;
    }
  }

  async listDatabases(signal: AbortSignal): Promise<readonly string[]> {
    return (await this.#rpc.call('ListDatabases', {}, this.#read(signal, {}))).dbNames;
  }

  async listCollections(database: string, signal: AbortSignal): Promise<readonly string[]> {
    return (await this.#rpc.call('ShowCollections', { dbName: database }, this.#read(signal, { database })))
      .collectionNames;
  }

  async collectionIdentities(database: string, signal: AbortSignal): Promise<readonly NamedIdentity[]> {
    const options = this.#read(signal, { database });
    try {
      const found = await this.#rpc.call('ShowCollections', { dbName: database }, options);
      return found.collectionNames.map((name, index) => ({
        name,
        id: BigInt(found.collectionIds[index] ?? 0),
        createTick: asTimeTick(BigInt(found.createdTimestamps[index] ?? 0)),
      }));
    } catch (error) {
      if (isMissing(error, 'database')) return [];
      throw error;
    }
  }

  async readProperties(address: CollectionAddress, signal: AbortSignal): Promise<CollectionProperties | undefined> {
    try {
      const found = await this.#rpc.call('DescribeCollection', nameOf(address), this.#read(signal, { ...address }));
      if (found.aliases.includes(address.collection)) return undefined;
      return {
        ...identityOf(found),
        properties: new Map(found.properties.map(({ key, value }) => [key, value])),
        fields: new Map(
          (found.schema?.fields ?? []).map(({ name, typeParams }) => [
            name,
            new Map(typeParams.map(({ key, value }) => [key, value])),
          ]),
        ),
      };
    } catch (error) {
      if (isMissing(error, 'collection', 'database')) return undefined;
      throw error;
    }
  }

  async setProperties(address: CollectionAddress, properties: readonly KeyValue[], signal: AbortSignal): Promise<void> {
    await this.#rpc.call('AlterCollection', { ...nameOf(address), properties }, this.#read(signal, { ...address }));
  }

  async removeProperties(address: CollectionAddress, keys: readonly string[], signal: AbortSignal): Promise<void> {
    const refusal = await this.#deleteProperties(address, keys, signal);
    // A server that does not know the list changes nothing, and may say so or not.
    const found = await this.readProperties(address, signal);
    const left = keys.filter((key) => found?.properties.has(key) === true);
    if (left.includes(TTL_PROPERTY)) {
      // Of nothing that is 0 or less rows expire (internal/datanode, isExpiredEntity).
      await this.setProperties(address, [{ key: TTL_PROPERTY, value: '0' }], signal);
    }
    const others = left.filter((key) => key !== TTL_PROPERTY);
    if (others.length === 0) return;
    if (refusal !== undefined) throw refusal;
    const { database, collection } = address;
    throw new ReplicationError(
      'unsupported',
      'target',
      `The target at ${this.#rpc.address} cannot take away properties of ${database}.${collection}: ${others.join(', ')}. Set them there as they should be.`,
      { context: { database, collection, outcome: 'refused' } },
    );
  }

  /** @returns why the server would not. */
  async #deleteProperties(
    address: CollectionAddress,
    keys: readonly string[],
    signal: AbortSignal,
  ): Promise<ReplicationError | undefined> {
    const options = this.#read(signal, { ...address });
    if (isOlder(await readVersion(this.#rpc, options), DELETES_PROPERTIES)) return undefined;
    try {
      await this.#rpc.call('AlterCollection', { ...nameOf(address), properties: [], deleteKeys: keys }, options);
      return undefined;
    } catch (error) {
      if (!isRefused(error) || isMissing(error, 'collection', 'database')) throw error;
      return error;
    }
  }

  async setDatabaseProperties(database: string, properties: readonly KeyValue[], signal: AbortSignal): Promise<void> {
    await this.#rpc.call('AlterDatabase', { dbName: database, properties }, this.#define(signal, { database }));
  }

  async readDatabaseProperties(
    database: string,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, string> | undefined> {
    try {
      const { properties } = await this.#rpc.call(
        'DescribeDatabase',
        { dbName: database },
        this.#read(signal, { database }),
      );
      return new Map(properties.map(({ key, value }) => [key, value]));
    } catch (error) {
      if (isUnsupported(error) || isMissing(error, 'database')) return undefined;
      throw error;
    }
  }

  async renameCollection(address: CollectionAddress, to: CollectionAddress, signal: AbortSignal): Promise<void> {
    const request = {
      dbName: address.database,
      oldName: address.collection,
      newName: to.collection,
      // Without it 2.3.5 moves the collection into `default`, wherever it was (seen). Servers before 2.3 pass over the field.
      newDBName: to.database,
    };
    await this.#rpc.call('RenameCollection', request, this.#define(signal, { ...address }));
  }

  async addField(address: CollectionAddress, field: Uint8Array, signal: AbortSignal): Promise<void> {
    const parsed = readField(new WireCursor(field));
    await this.#assertVersion(neededToAdd(parsed), { ...address }, signal);
    try {
      await this.#rpc.call(
        'AddCollectionField',
        { ...nameOf(address), schema: withoutFieldId(field) },
        this.#define(signal, { ...address }),
      );
    } catch (error) {
      // Milvus has no code of its own for a field that is there ("duplicated field name", internal/proxy/task.go, validateAddFieldRequest).
      if (!isRefused(error) || !(await this.#hasField(address, parsed, signal))) throw error;
    }
  }

  async #hasField(address: CollectionAddress, field: SchemaField, signal: AbortSignal): Promise<boolean> {
    const found = await this.#rpc.call('DescribeCollection', nameOf(address), this.#read(signal, { ...address }));
    return (found.schema?.fields ?? []).some(
      ({ name, dataType, elementType, nullable }) =>
        name === field.name &&
        dataType === field.dataType &&
        elementType === field.elementType &&
        nullable === field.isNullable,
    );
  }

  async alterField(
    address: CollectionAddress,
    field: string,
    properties: readonly KeyValue[],
    signal: AbortSignal,
  ): Promise<void> {
    const request = { ...nameOf(address), fieldName: field, properties };
    await this.#rpc.call('AlterCollectionField', request, this.#define(signal, { ...address }));
  }

  async describeAlias(
    database: string,
    alias: string,
    signal: AbortSignal,
  ): Promise<{ readonly id: bigint; readonly origin: string | undefined } | undefined> {
    const address = { database, collection: alias };
    try {
      const found = await this.#rpc.call('DescribeCollection', nameOf(address), this.#read(signal, { ...address }));
      // By its own name a collection is no alias of itself.
      if (!found.aliases.includes(alias)) return undefined;
      const origin = found.properties.find(({ key }) => key === ORIGIN_PROPERTY)?.value;
      return { id: BigInt(found.collectionID), origin };
    } catch (error) {
      if (isMissing(error, 'collection', 'database')) return undefined;
      throw error;
    }
  }

  async createAlias(address: CollectionAddress, alias: string, signal: AbortSignal): Promise<void> {
    await this.#rpc.call('CreateAlias', { ...nameOf(address), alias }, this.#define(signal, { ...address, alias }));
  }

  async alterAlias(address: CollectionAddress, alias: string, signal: AbortSignal): Promise<void> {
    await this.#rpc.call('AlterAlias', { ...nameOf(address), alias }, this.#define(signal, { ...address, alias }));
  }

  async dropAlias(database: string, alias: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#rpc.call('DropAlias', { dbName: database, alias }, this.#define(signal, { database, alias }));
    } catch (error) {
      if (!isMissing(error, 'alias', 'database')) throw error;
    }
  }

  async createCollection(spec: CollectionSpec, signal: AbortSignal): Promise<void> {
    const { database, collection } = spec;
    const context = { database, collection };
    // To create what exists with the same settings succeeds (seen with 2.3.5), so asking is the only way to know.
    if ((await this.describeCollection(spec, signal)) !== undefined) {
      throw new ReplicationError(
        'alreadyExists',
        'target',
        `The target at ${this.#rpc.address} has a collection ${database}.${collection} already. Drop or rename it there.`,
        { context: { ...context, outcome: 'refused', object: 'collection' } },
      );
    }
    await this.#assertHolds(spec, signal);
    // The server wants the schema to bear the collection's name (seen with 2.3.5).
    const schema = withoutGeneratedKeys(spec.schema, collection);
    if (!(schema instanceof Uint8Array)) {
      throw new ReplicationError(
        'malformedMessage',
        'source',
        `The schema of ${database}.${collection} cannot be read: ${schema.what} at byte ${schema.offset}. Report this with the version of the source.`,
        { context: { ...context, outcome: 'refused' } },
      );
    }
    const request = {
      ...nameOf(spec),
      schema,
      shardsNum: spec.shardCount,
      consistencyLevel: spec.consistencyLevel,
      properties: [
        ...spec.properties.filter(({ key }) => key !== REPLICATE_ID_PROPERTY && !isOwnProperty(key)),
        { key: ORIGIN_PROPERTY, value: spec.origin },
        ...(spec.owner === undefined ? [] : [{ key: OWNER_PROPERTY, value: spec.owner }]),
        ...(spec.chain === undefined ? [] : [{ key: CHAIN_PROPERTY, value: spec.chain }]),
      ],
      numPartitions: spec.partitionKeyCount,
    };
    await this.#rpc.call('CreateCollection', request, this.#define(signal, context));
  }

  /** @throws unsupported */
  async #assertHolds({ database, collection, schema }: CollectionSpec, signal: AbortSignal): Promise<void> {
    const parsed = parseCollectionSchema(schema);
    const need = 'kind' in parsed ? undefined : neededVersion(parsed);
    if (need !== undefined) await this.#assertVersion(need, { database, collection }, signal);
  }

  /** @throws unsupported */
  async #assertVersion(need: Need, context: CollectionAddress, signal: AbortSignal): Promise<void> {
    const { database, collection } = context;
    const version = await readVersion(this.#rpc, this.#read(signal, { ...context }));
    if (!isOlder(version, need)) return;
    throw new ReplicationError(
      'unsupported',
      'target',
      `The target at ${this.#rpc.address} is Milvus ${version.replace(/^v/, '')} and cannot hold ${database}.${collection}: ${need.what} from 2.${need.minor} on. Use a newer target, or leave the collection out.`,
      { context: { ...context, version, outcome: 'refused' } },
    );
  }

  async describeCollection(address: CollectionAddress, signal: AbortSignal): Promise<TargetCollection | undefined> {
    const options = this.#read(signal, { ...address });
    try {
      const described = await this.#rpc.call('DescribeCollection', nameOf(address), options);
      // An alias is described as the collection behind it, under the alias' name (seen with 2.3.5).
      if (described.aliases.includes(address.collection)) return undefined;
      const [{ partitionNames }, { state }] = await Promise.all([
        this.#rpc.call('ShowPartitions', nameOf(address), options),
        this.#rpc.call('GetLoadState', { ...nameOf(address), partitionNames: [] }, options),
      ]);
      return {
        ...identityOf(described),
        origin: described.properties.find(({ key }) => key === ORIGIN_PROPERTY)?.value,
        owner: described.properties.find(({ key }) => key === OWNER_PROPERTY)?.value,
        partitions: partitionNames,
        isLoaded: state === LOAD_STATE_LOADED,
        fields: (described.schema?.fields ?? []).map(({ name }) => name),
      };
    } catch (error) {
      if (isMissing(error, 'collection', 'database')) return undefined;
      throw error;
    }
  }

  async dropCollection(address: CollectionAddress, signal: AbortSignal): Promise<void> {
    try {
      await this.#rpc.call('DropCollection', nameOf(address), this.#define(signal, { ...address }));
    } catch (error) {
      if (!isMissing(error, 'collection', 'database')) throw error;
    }
  }

  async createPartition(address: CollectionAddress, partition: string, signal: AbortSignal): Promise<void> {
    const options = this.#define(signal, { ...address, partition });
    try {
      await this.#rpc.call('CreatePartition', { ...nameOf(address), partitionName: partition }, options);
    } catch (error) {
      if (!isTaken(error)) throw error;
    }
  }

  /** The server refuses to drop a partition that is loaded; the others stay loaded when one is released (seen with 2.3.5). */
  async dropPartition(address: CollectionAddress, partition: string, signal: AbortSignal): Promise<void> {
    const options = this.#define(signal, { ...address, partition });
    const name = nameOf(address);
    try {
      const { state } = await this.#rpc.call('GetLoadState', { ...name, partitionNames: [partition] }, options);
      if (state === LOAD_STATE_LOADED || state === LOAD_STATE_LOADING) {
        await this.#rpc.call('ReleasePartitions', { ...name, partitionNames: [partition] }, options);
      }
      await this.#rpc.call('DropPartition', { ...name, partitionName: partition }, options);
    } catch (error) {
      if (!isMissing(error, 'partition', 'collection', 'database')) throw error;
    }
  }

  createIndex(request: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#operate('CreateIndex', request, signal);
  }

  async dropIndex(request: Uint8Array, signal: AbortSignal): Promise<void> {
    try {
      await this.#operate('DropIndex', request, signal);
    } catch (error) {
      if (!isMissing(error, 'index')) throw error;
    }
  }

  loadCollection(request: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#load('LoadCollection', request, signal);
  }

  /** What is loaded with other replicas, or in other groups, stays so until it is released: the operator's numbers may have changed. */
  async #load(call: 'LoadCollection' | 'LoadPartitions', request: Uint8Array, signal: AbortSignal): Promise<void> {
    try {
      await this.#operate(call, request, signal);
    } catch (error) {
      if (!isTaken(error, 'load')) throw error;
    }
  }

  releaseCollection(request: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#operate('ReleaseCollection', request, signal);
  }

  loadPartitions(request: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#load('LoadPartitions', request, signal);
  }

  releasePartitions(request: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#operate('ReleasePartitions', request, signal);
  }

  alterIndex(request: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#operate('AlterIndex', request, signal);
  }

  alterDatabase(request: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#operate('AlterDatabase', request, signal);
  }

  operateRights(operation: RightsOperation, request: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#operate(RIGHTS_CALLS[operation], request, signal);
  }

  async #operate(call: OperationCall, request: Uint8Array, signal: AbortSignal): Promise<void> {
    const options = this.#define(signal, { bytes: request.byteLength });
    this.#rpc.assertSuccess(
      call,
      decodeStatus(call, await this.#rpc.callRaw(call, withoutBase(request), options)),
      options,
    );
  }

  async flush(address: CollectionAddress, signal: AbortSignal): Promise<void> {
    const request = { dbName: address.database, collectionNames: [address.collection] };
    await this.#rpc.call('Flush', request, this.#define(signal, { ...address }));
  }

  close(): Promise<void> {
    this.#rpc.close();
    return Promise.resolve();
  }

  #read(signal: AbortSignal, context: ErrorContext) {
    return { deadlineMs: this.#timeouts.readMs, signal, context };
  }

  #define(signal: AbortSignal, context: ErrorContext) {
    return { deadlineMs: this.#timeouts.definitionMs, signal, context };
  }
}

/** A delete in several pieces of which some are done: whatever became of the last, the whole has begun. */
function asPartlyDone(error: unknown, deletedCount: number): unknown {
  if (!(error instanceof ReplicationError)) return error;
  const { code, side, message, cause, context } = error;
  return new ReplicationError(code, side, message, {
    cause,
    context: { ...context, deletedCount, outcome: 'unknown' },
  });
}
