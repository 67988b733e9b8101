/** Aliases, indexes, loads and ends, from etcd's keys and values: pure, as `assemble.ts`. */
import { asCollectionId, asPartitionId, type CollectionId, type PartitionId } from '../../../../shared/model/ids.ts';
import { isDropped, isEndedPartition, lastPart, malformed, partitionInfos, read, type KeyedValue } from './assemble.ts';
import { aliasKey } from './catalog.ts';
import type {
  CatalogAlias,
  CatalogDatabase,
  CatalogDefinitions,
  CatalogEnds,
  CatalogIndex,
  CatalogLoad,
} from './catalog.ts';
import {
  ALIAS_CREATED,
  DATABASE_DROPPING,
  isTombstone,
  readDatabaseInfo,
  readAliasInfo,
  readCollectionLoadInfo,
  readFieldIndex,
  readPartitionLoadInfo,
} from './etcd-messages.ts';

/** The parts of a key from its end. */
const partFromEnd = (key: string, at: number): string => key.split('/').at(-1 - at) ?? '';

function databaseOf(entry: KeyedValue, databases: readonly CatalogDatabase[]): string | undefined {
  const id = partFromEnd(entry.key, 1);
  return databases.find((database) => String(database.id) === id)?.name;
}

/** `root-coord/database/aliases/<db>/<alias>`; those of databases that are gone are left out. */
export function assembleAliases(entries: readonly KeyedValue[], databases: readonly CatalogDatabase[]): CatalogAlias[] {
  return entries.flatMap((entry) => {
    const database = databaseOf(entry, databases);
    if (database === undefined || isTombstone(entry.value)) return [];
    const { state, collectionId } = read(entry, readAliasInfo);
    if (state !== ALIAS_CREATED) return [];
    return [{ database, alias: lastPart(entry.key), collectionId: asCollectionId(collectionId) }];
  });
}

/** Of each collection that has any. `collectionLoads`, `partitionLoads`: `querycoord-{collection,partition}-loadinfo`. */
export function assembleDefinitions(
  indexes: readonly KeyedValue[],
  collectionLoads: readonly KeyedValue[],
  partitionLoads: readonly KeyedValue[],
): Map<CollectionId, CatalogDefinitions> {
  const byCollection = new Map<CollectionId, CatalogIndex[]>();
  for (const entry of indexes) {
    if (isTombstone(entry.value)) continue;
    const { info, isDeleted } = read(entry, readFieldIndex);
    if (info === null) throw malformed(entry.key);
    if (isDeleted) continue;
    const id = asCollectionId(info.collectionId);
    const found = byCollection.get(id) ?? [];
    byCollection.set(id, found);
    const params = info.userParams.length > 0 ? info.userParams : info.indexParams;
    found.push({ name: info.name, fieldId: info.fieldId, params });
  }
  const loads = assembleLoads(collectionLoads, partitionLoads);
  const ids = new Set([...byCollection.keys(), ...loads.keys()]);
  return new Map(
    [...ids].map((id) => [
      id,
      {
        indexes: (byCollection.get(id) ?? []).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
        load: loads.get(id),
      },
    ]),
  );
}

function assembleLoads(
  collections: readonly KeyedValue[],
  partitions: readonly KeyedValue[],
): Map<CollectionId, CatalogLoad> {
  const loaded = new Map<CollectionId, Set<PartitionId>>();
  for (const entry of partitions) {
    const { collectionId, partitionId } = read(entry, readPartitionLoadInfo);
    const id = asCollectionId(collectionId);
    const found = loaded.get(id) ?? new Set();
    loaded.set(id, found.add(asPartitionId(partitionId)));
  }
  const loads = new Map<CollectionId, CatalogLoad>();
  for (const entry of collections) {
    const { collectionId, replicaNumber, loadFields } = read(entry, readCollectionLoadInfo);
    const id = asCollectionId(collectionId);
    loads.set(id, {
      replicaNumber: Math.max(1, replicaNumber),
      partitions: loaded.get(id) ?? new Set(),
      ...(loadFields.length === 0 ? {} : { fields: loadFields }),
    });
  }
  return loads;
}

/** What the entries themselves say to have ended. */
export function assembleEnds(
  collections: readonly KeyedValue[],
  partitions: readonly KeyedValue[],
  aliases: readonly KeyedValue[],
  databases: readonly CatalogDatabase[],
  databaseEntries: readonly KeyedValue[],
): CatalogEnds {
  const isLive = new Set(collections.filter((entry) => !isDropped(entry)).map(({ key }) => lastPart(key)));
  const ended = new Set<CollectionId>();
  for (const entry of collections) {
    const id = lastPart(entry.key);
    // Renamed into another database, it leaves a tombstone in the old one (seen with 2.3.5).
    if (isDropped(entry) && !isLive.has(id) && /^\d+$/.test(id)) ended.add(asCollectionId(BigInt(id)));
  }
  const endedPartitions = new Map<CollectionId, Map<PartitionId, string>>();
  for (const { entry, info } of partitionInfos(partitions)) {
    if (!isEndedPartition(info)) continue;
    const collectionId = asCollectionId(BigInt(partFromEnd(entry.key, 1)));
    const found = endedPartitions.get(collectionId) ?? new Map<PartitionId, string>();
    endedPartitions.set(collectionId, found.set(asPartitionId(info.id), info.name));
  }
  const endedAliases = new Set<string>();
  for (const entry of aliases) {
    const database = databaseOf(entry, databases);
    if (database === undefined) continue;
    if (isTombstone(entry.value) || read(entry, readAliasInfo).state !== ALIAS_CREATED) {
      endedAliases.add(aliasKey({ database, alias: lastPart(entry.key) }));
    }
  }
  return {
    collections: ended,
    partitions: endedPartitions,
    aliases: endedAliases,
    databases: endedDatabases(databaseEntries),
  };
}

function endedDatabases(entries: readonly KeyedValue[]): Set<bigint> {
  const ended = entries.filter(
    (entry) => isTombstone(entry.value) || read(entry, readDatabaseInfo).state >= DATABASE_DROPPING,
  );
  return new Set(ended.filter(({ key }) => /^\d+$/.test(lastPart(key))).map(({ key }) => BigInt(lastPart(key))));
}
