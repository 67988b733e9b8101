/**
 * A catalogue with the properties that the source itself shows. Milvus 2.3 stores a collection that it alters with the properties
 * from before (internal/metastore/kv/rootcoord/kv_catalog.go, alterModifyCollection leaves them out), so its etcd is one alteration behind: seen with
 * 2.3.5, where the second one stores the first. That it was altered at all is seen by the revision of its key.
 */
import { atOnce } from '../../../../shared/at-once.ts';
import type { MilvusEndpoint } from '../../../../shared/model/connection.ts';
import type { CollectionId } from '../../../../shared/model/ids.ts';
import { toReplicationError } from '../../../../shared/model/replication-error.ts';
import type { KeyValue } from '../../../../shared/model/key-value.ts';
import { MilvusRpc } from '../../milvus/milvus-rpc.ts';
import { pause } from '../../runtime/waiting.ts';
import { silentLogger, type Logger } from '../../runtime/logger.ts';
import type { Catalog, CatalogCollection, CatalogSnapshot } from './catalog.ts';

/** Milliseconds when all is well; a reading of the catalogue waits for it. */
const READ_DEADLINE_MS = 4_000;
/** Of a catalogue with 500 collections, some hundred milliseconds at the start. */
const CALLS_AT_ONCE = 8;
/** A server stores what it alters before it shows it. */
const LATE_MS = 2_000;

/** What the source shows of its collections now. */
export interface PropertiesShown {
  /** `undefined`: there is no such collection (any more). */
  read(collection: CatalogCollection, signal: AbortSignal): Promise<readonly KeyValue[] | undefined>;
  close(): void;
}

/** Connects with the first call. @throws invalidConfig */
export function openPropertiesShown(endpoint: MilvusEndpoint): PropertiesShown {
  const rpc = new MilvusRpc(endpoint, 'source');
  return {
    async read({ id, database }, signal) {
      try {
        const request = { dbName: database, collectionName: '', collectionID: id.toString() };
        const found = await rpc.call('DescribeCollection', request, { deadlineMs: READ_DEADLINE_MS, signal });
        return found.properties;
      } catch (error) {
        if (toReplicationError(error).code === 'notFound') return undefined;
        throw error;
      }
    },
    close: () => rpc.close(),
  };
}

interface Known {
  readonly changedAt: bigint | undefined;
  readonly sinceMs: number;
  /** `undefined`: the source has not answered since. */
  readonly properties: readonly KeyValue[] | undefined;
  /** Asked so early that it may not have shown the change yet. */
  readonly isEarly: boolean;
}

/** Closes both with itself. `now`: in milliseconds, of any beginning. */
export function withShownProperties(
  catalog: Catalog,
  shown: PropertiesShown,
  logger: Logger = silentLogger,
  now: () => number = () => performance.now(),
): Catalog {
  const closing = new AbortController();
  const watchers = new Set<() => void>();
  const known = new Map<CollectionId, Known>();
  let isDue = false;

  const lookAgain = (): void => {
    if (isDue) return;
    isDue = true;
    void pause(LATE_MS, closing.signal).then(
      () => {
        isDue = false;
        for (const watcher of [...watchers]) watcher();
      },
      () => undefined,
    );
  };

  const sinceOf = ({ id, changedAt }: CatalogCollection): number => {
    const before = known.get(id);
    return before !== undefined && before.changedAt === changedAt ? before.sinceMs : now();
  };
  const unknown = (collection: CatalogCollection): void => {
    const { id, changedAt } = collection;
    known.set(id, { changedAt, sinceMs: sinceOf(collection), properties: undefined, isEarly: true });
  };

  /** @returns whether the source answers. */
  const ask = async (collection: CatalogCollection): Promise<boolean> => {
    const { id, changedAt } = collection;
    const sinceMs = sinceOf(collection);
    const isEarly = now() < sinceMs + LATE_MS;
    try {
      const properties = (await shown.read(collection, closing.signal)) ?? collection.properties;
      known.set(id, { changedAt, sinceMs, properties, isEarly });
      return true;
    } catch (error) {
      closing.signal.throwIfAborted();
      const { code, message } = toReplicationError(error);
      logger.warn({ code, cause: message }, "The source does not show its collections' properties; it is asked again.");
      unknown(collection);
      return false;
    }
  };

  const askAll = async (collections: readonly CatalogCollection[]): Promise<void> => {
    const due = collections.filter(({ id, changedAt }) => {
      const found = known.get(id);
      return found === undefined || found.isEarly || found.changedAt !== changedAt;
    });
    let isAnswering = true;
    await atOnce(CALLS_AT_ONCE, due, async (collection) => {
      // A source that does not answer is not waited for once for each of 500.
      if (isAnswering) isAnswering = await ask(collection);
      else unknown(collection);
    });
    const isThere = new Set(collections.map(({ id }) => id));
    for (const id of [...known.keys()]) if (!isThere.has(id)) known.delete(id);
    if (collections.some(({ id }) => known.get(id)?.isEarly === true)) lookAgain();
  };

  return {
    clusterId: () => catalog.clusterId(),
    collection: (id) => catalog.collection(id),
    databaseOfGone: (id) => catalog.databaseOfGone(id),
    loadFields: (id) => catalog.loadFields(id),
    isUnchanged: (collection) => catalog.isUnchanged(collection),
    imports: () => catalog.imports(),
    async snapshot(): Promise<CatalogSnapshot> {
      const found = await catalog.snapshot();
      await askAll(found.collections);
      const collections = found.collections.map((collection): CatalogCollection => {
        const properties = known.get(collection.id)?.properties;
        return properties === undefined ? { ...collection, isBehind: true } : { ...collection, properties };
      });
      return { ...found, collections };
    },
    watch(onChange, signal): void {
      watchers.add(onChange);
      signal.addEventListener('abort', () => watchers.delete(onChange), { once: true });
      catalog.watch(onChange, signal);
    },
    async close(): Promise<void> {
      closing.abort();
      shown.close();
      await catalog.close();
    },
  };
}
