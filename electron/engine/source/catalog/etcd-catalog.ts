/**
 * The catalog of a Milvus source, read from its etcd (milvus internal/metastore/kv/rootcoord, 2.3).
 *
 * Under `<rootPath>/<metaSubPath>/root-coord/`: `database/db-info/<db>`, `database/collection-info/<db>/<collection>`,
 * `database/aliases/<db>/<alias>`, `partitions/<collection>/<partition>`, `fields/<collection>/<field>`, and from 2.5 on
 * `functions/<collection>/<function>` (internal/metastore/kv/rootcoord, BuildFunctionKey); beside it
 * `field-index/<collection>/<index>`, `querycoord-collection-loadinfo/<collection>` and
 * `querycoord-partition-loadinfo/<collection>/<partition>`; imports under `importtask/<id>` (2.3; rootCoord.importTaskSubPath), from 2.4 on
 * `datacoord-meta/import-job/<id>` (internal/metastore/kv/datacoord/constant.go, ImportJobPrefix). All at one revision, each kind in one range. Milvus writes a collection's partitions and
 * fields before it sets the collection to Created; the keys under `snapshots/` are history and stay unread.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { EtcdEndpoint } from '../../../../shared/model/connection.ts';
import { asCollectionId, type CollectionId } from '../../../../shared/model/ids.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import { classifyEtcdError, isCompacted } from '../../errors/classify-etcd.ts';
import { silentLogger, type Logger } from '../../runtime/logger.ts';
import {
  assembleCollection,
  assembleDatabases,
  createdCollections,
  isBeingCreated,
  isDropped,
  read,
  type KeyedValue,
} from './assemble.ts';
import { readCollectionLoadInfo } from './etcd-messages.ts';
import { assembleAliases, assembleDefinitions, assembleEnds } from './assemble-definitions.ts';
import { assembleImports } from './assemble-imports.ts';
import type { Catalog, CatalogCollection, CatalogDatabase, CatalogImport, CatalogSnapshot } from './catalog.ts';
import { hasClientCertificate } from '../../errors/tls-faults.ts';
import { EtcdClient } from './etcd-client.ts';
import { DATABASE_KEYS, findMetaPaths } from './find-root-paths.ts';

/** Under the 5 s within which a person learns that an address is wrong. */
const TIMEOUT_MS_DEFAULT = 4_000;
/** etcd throws old revisions away every so often; twice in a row while one snapshot is read would be no accident. */
const SNAPSHOT_ATTEMPTS_MAX = 3;
const WATCH_BACKOFF_MIN_MS = 200;
const WATCH_BACKOFF_MAX_MS = 5_000;

const IMPORT_KEYS = ['importtask/', 'datacoord-meta/import-job/'] as const;

const WATCHED = [
  'root-coord/database/',
  'root-coord/partitions/',
  'root-coord/fields/',
  'field-index/',
  'querycoord-collection-loadinfo/',
  'querycoord-partition-loadinfo/',
  ...IMPORT_KEYS,
] as const;

export interface EtcdCatalogOptions {
  /** Limit of one call to etcd; 4 s unless given. */
  readonly timeoutMs?: number;
  readonly logger?: Logger;
}

/** Connects at the first call. The caller closes it. */
export function openEtcdCatalog(endpoint: EtcdEndpoint, options: EtcdCatalogOptions = {}): Catalog {
  return new EtcdCatalog(endpoint, options);
}

class EtcdCatalog implements Catalog {
  readonly #client: EtcdClient;
  readonly #endpoint: EtcdEndpoint;
  readonly #logger: Logger;
  /** `<rootPath>/<metaSubPath>/`. */
  readonly #meta: string;
  readonly #closing = new AbortController();
  readonly #watches = new Set<Promise<void>>();

  constructor(endpoint: EtcdEndpoint, options: EtcdCatalogOptions) {
    this.#endpoint = endpoint;
    this.#logger = options.logger ?? silentLogger;
    this.#meta = `${endpoint.rootPath}/${endpoint.metaSubPath}/`;
    this.#client = new EtcdClient(endpoint, options.timeoutMs ?? TIMEOUT_MS_DEFAULT);
  }

  async clusterId(): Promise<string> {
    return this.#classified(async () => (await this.#client.page(this.#key(DATABASE_KEYS), { limit: 1 })).clusterId);
  }

  async snapshot(): Promise<CatalogSnapshot> {
    return this.#classified(() => this.#unlessCompacted(() => this.#snapshot()));
  }

  async collection(id: CollectionId): Promise<CatalogCollection | 'creating' | 'gone' | undefined> {
    return this.#classified(() => this.#unlessCompacted(() => this.#collection(id)));
  }

  async databaseOfGone(id: CollectionId): Promise<string | undefined> {
    return this.#classified(() =>
      this.#unlessCompacted(async () => {
        const { databases, revision } = await this.#databases();
        for (const { id: databaseId, name } of databases) {
          const key = this.#collectionKey(databaseId, id);
          if ((await this.#client.get(key, revision)) !== undefined) return name;
        }
        return undefined;
      }),
    );
  }

  async loadFields(id: CollectionId): Promise<readonly bigint[] | undefined> {
    const key = this.#key(`querycoord-collection-loadinfo/${id}`);
    const entry = await this.#classified(() => this.#client.get(key));
    if (entry === undefined) return undefined;
    const { loadFields } = read(entry, readCollectionLoadInfo);
    return loadFields.length === 0 ? undefined : loadFields;
  }

  async isUnchanged({ id, databaseId, changedAt }: CatalogCollection): Promise<boolean> {
    const key = this.#collectionKey(databaseId, id);
    const found = await this.#classified(() => this.#client.changedAt(key));
    return found !== undefined && found === changedAt;
  }

  async imports(): Promise<readonly CatalogImport[]> {
    return this.#classified(() =>
      this.#unlessCompacted(async () => {
        const { revision } = await this.#client.page(this.#key(DATABASE_KEYS), { limit: 1, keysOnly: true });
        return this.#imports(revision);
      }),
    );
  }

  watch(onChange: () => void, signal: AbortSignal): void {
    const watch = this.#watch(onChange, AbortSignal.any([signal, this.#closing.signal]));
    this.#watches.add(watch);
    void watch.finally(() => this.#watches.delete(watch));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#watches);
    this.#client.close();
  }

  #key(rest: string): string {
    return `${this.#meta}${rest}`;
  }

  #collectionKey(databaseId: bigint | string, id: CollectionId): string {
    return this.#key(`root-coord/database/collection-info/${databaseId}/${id}`);
  }

  async #snapshot(): Promise<CatalogSnapshot> {
    const { databases, databaseEntries, revision, clusterId } = await this.#databases();
    const all = (what: string) => this.#client.all(this.#key(what), revision);
    const collectionEntries = await all('root-coord/database/collection-info/');
    const created = createdCollections(collectionEntries);
    const partitionEntries = await all('root-coord/partitions/');
    const partitions = this.#byCollection(partitionEntries);
    const aliasEntries = await all('root-coord/database/aliases/');
    const fields = this.#byCollection(await this.#client.all(this.#key('root-coord/fields/'), revision));
    const functions = this.#byCollection(await this.#client.all(this.#key('root-coord/functions/'), revision));
    const collections: CatalogCollection[] = [];
    for (const found of created) {
      const id = String(found.info.id);
      const parts = [partitions, fields, functions].map((entries) => entries.get(id) ?? []);
      const [ofPartitions = [], ofFields = [], ofFunctions = []] = parts;
      const collection = assembleCollection(found, databases, ofPartitions, ofFields, ofFunctions);
      if (collection !== undefined) collections.push(collection);
    }
    return {
      clusterId,
      revision: BigInt(revision),
      databases,
      collections,
      definitions: assembleDefinitions(
        await all('field-index/'),
        await all('querycoord-collection-loadinfo/'),
        await all('querycoord-partition-loadinfo/'),
      ),
      aliases: assembleAliases(aliasEntries, databases),
      ended: assembleEnds(collectionEntries, partitionEntries, aliasEntries, databases, databaseEntries),
      imports: await this.#imports(revision),
    };
  }

  async #imports(revision: string): Promise<CatalogImport[]> {
    const [tasks, jobs] = await Promise.all(IMPORT_KEYS.map((prefix) => this.#client.all(this.#key(prefix), revision)));
    return assembleImports(tasks ?? [], jobs ?? []);
  }

  async #collection(id: CollectionId): Promise<CatalogCollection | 'creating' | 'gone' | undefined> {
    const { databases, databaseEntries, revision } = await this.#databases();
    const databaseIds = databaseEntries.map(({ key }) => key.slice(key.lastIndexOf('/') + 1));
    let isCreating = false;
    let isGone = false;
    for (const databaseId of databaseIds) {
      const entry = await this.#client.get(this.#collectionKey(databaseId, id), revision);
      if (entry === undefined) continue;
      const [found] = createdCollections([entry]);
      // A collection that was moved to another database leaves a tombstone in the old one.
      isGone ||= isDropped(entry);
      isCreating ||= isBeingCreated(entry);
      if (found === undefined || asCollectionId(found.info.id) !== id) continue;
      const partitions = await this.#client.all(this.#key(`root-coord/partitions/${id}/`), revision);
      const fields = await this.#client.all(this.#key(`root-coord/fields/${id}/`), revision);
      const functions = await this.#client.all(this.#key(`root-coord/functions/${id}/`), revision);
      return assembleCollection(found, databases, partitions, fields, functions);
    }
    if (isCreating) return 'creating';
    return isGone ? 'gone' : undefined;
  }

  /** The databases, and the revision at which all else is to be read. Every Milvus has at least `default`. */
  async #databases(): Promise<{
    databases: readonly CatalogDatabase[];
    /** Those of dropped databases too, whose collections may still be listed. */
    databaseEntries: readonly KeyedValue[];
    revision: string;
    clusterId: string;
  }> {
    const { revision, clusterId } = await this.#client.page(this.#key(DATABASE_KEYS), { limit: 1, keysOnly: true });
    const entries = await this.#client.all(this.#key(DATABASE_KEYS), revision);
    if (entries.length === 0) throw await this.#rootPathNotFound();
    return { databases: assembleDatabases(entries), databaseEntries: entries, revision, clusterId };
  }

  async #rootPathNotFound(): Promise<ReplicationError> {
    const { endpoints, rootPath, metaSubPath } = this.#endpoint;
    const found = await findMetaPaths(this.#client);
    const hint =
      found.length === 0
        ? 'No other root path there holds one either: is this the etcd of the source?'
        : `It holds ${found.length === 1 ? 'one' : 'some'} under: ${found.join(', ')} (root path and meta path).`;
    return new ReplicationError(
      'rootPathNotFound',
      'source',
      `The source's etcd at ${endpoints.join(', ')} holds no Milvus under the root path ${rootPath} with the meta path ${metaSubPath}. ${hint}`,
      { context: { rootPath, metaSubPath } },
    );
  }

  /** `.../<collection>/<what>` by the collection's id. */
  #byCollection(entries: readonly KeyedValue[]): ReadonlyMap<string, KeyedValue[]> {
    return Map.groupBy(entries, ({ key }) => key.split('/').at(-2) ?? '');
  }

  async #classified<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw classifyEtcdError(error, this.#endpoint.endpoints, hasClientCertificate(this.#endpoint.tls));
    }
  }

  async #unlessCompacted<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await work();
      } catch (error) {
        if (attempt >= SNAPSHOT_ATTEMPTS_MAX || !isCompacted(error)) throw error;
      }
    }
  }

  /**
   * Watches from now on instead of from a revision: compaction then cannot end it, and the call on each establishing
   * tells the receiver to look for what was missed.
   */
  async #watch(onChange: () => void, signal: AbortSignal): Promise<void> {
    const prefixes = WATCHED.map((prefix) => this.#key(prefix));
    let backoffMs = WATCH_BACKOFF_MIN_MS;
    while (!signal.aborted) {
      const report = (): void => {
        backoffMs = WATCH_BACKOFF_MIN_MS;
        onChange();
      };
      const error = await this.#client.watch(prefixes, report, signal);
      // Only an abort ends it without an error.
      if (error === undefined) return;
      this.#logger.warn(
        { cause: error.message, backoffMs },
        "The watch on the source's catalog ended; it is set up again.",
      );
      await delay(backoffMs, undefined, { signal }).catch(() => undefined);
      backoffMs = Math.min(backoffMs * 2, WATCH_BACKOFF_MAX_MS);
    }
  }
}
