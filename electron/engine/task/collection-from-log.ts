/** A collection that only the log still knows: created and dropped again before its CreateCollection message was read. */
import type { StoredCollection } from '../../../shared/model/task-state.ts';
import { hasPartitionKey, parseCollectionSchema } from '../codec/collection-schema.ts';
import type { CreateCollectionRecord } from '../codec/records.ts';

/** `common.ConsistencyLevel.Bounded`, the server's default; the log does not say. */
const CONSISTENCY_LEVEL_BOUNDED = 2;

export function collectionFromLog(record: CreateCollectionRecord): StoredCollection {
  const schema = parseCollectionSchema(record.schema);
  const isPartitioned = !('kind' in schema) && hasPartitionKey(schema);
  return {
    id: record.collectionId,
    database: record.database,
    name: record.collectionName,
    createTick: record.beginTick,
    dropTick: undefined,
    phase: 'pending',
    targetId: undefined,
    schema: record.schema,
    shardCount: record.vchannels.length,
    consistencyLevel: CONSISTENCY_LEVEL_BOUNDED,
    properties: [],
    partitionKeyCount: isPartitioned ? record.partitions.length : 0,
    vchannels: record.vchannels,
  };
}
