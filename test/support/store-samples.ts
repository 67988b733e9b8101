/** A task's state with every kind of value in it, as the store's tests and its recorded files hold it. */
import { asCollectionId, asPartitionId, asPChannel, asVChannel } from '../../shared/model/ids.ts';
import { asOrdinal, ORDINAL_NONE, type Checkpoint } from '../../shared/model/position.ts';
import type { FirstState, StoredCollection, TaskStore } from '../../shared/model/task-state.ts';
import { asTimeTick } from '../../shared/time/time-tick.ts';

export const SHARD = asVChannel('lab-rootcoord-dml_0_470658247834468382v0');
export const OTHER_SHARD = asVChannel('lab-rootcoord-dml_1_470658247834468382v1');
export const CHANNEL = asPChannel('lab-rootcoord-dml_0');
export const OTHER_CHANNEL = asPChannel('lab-rootcoord-dml_1');
export const COLLECTION = asCollectionId(470658247834468382n);
export const PARTITION = asPartitionId(470658247834468400n);
/** Above every number that a double holds exactly. */
export const TICK = 470658248950677509n;

export const checkpointAt = (
  ordinal: bigint,
  tick: bigint,
  incarnation = '2026-11-23T06:00:00.123456789Z',
): Checkpoint => ({
  resume: { kind: 'at', ordinal: asOrdinal(ordinal), incarnation },
  tick: asTimeTick(tick),
});

const collection: StoredCollection = {
  id: COLLECTION,
  database: 'shop',
  name: 'orders ü',
  createTick: asTimeTick(TICK),
  dropTick: undefined,
  phase: 'pending',
  targetId: undefined,
  schema: Uint8Array.of(0, 1, 254, 255),
  shardCount: 2,
  consistencyLevel: 2,
  properties: [{ key: 'collection.ttl.seconds', value: '3600' }],
  partitionKeyCount: 0,
  vchannels: [SHARD, OTHER_SHARD],
  operationsUntil: ORDINAL_NONE,
  copy: 'none',
};

export const FIRST_STATE: FirstState = {
  source: { etcdClusterId: '14841639068965178418', rootPath: 'by-dev', walKind: 'nats', walIdentity: 'nats:lab' },
  channels: [
    { channel: CHANNEL, checkpoint: checkpointAt(10n, 0n) },
    {
      channel: OTHER_CHANNEL,
      checkpoint: { resume: { kind: 'after', ordinal: ORDINAL_NONE, incarnation: 'new' }, tick: asTimeTick(0n) },
    },
  ],
  collections: [collection],
  shards: [
    {
      vchannel: SHARD,
      collectionId: COLLECTION,
      channel: CHANNEL,
      checkpoint: checkpointAt(1n, TICK - 1n),
      intent: asOrdinal(7n),
    },
    {
      vchannel: OTHER_SHARD,
      collectionId: COLLECTION,
      channel: OTHER_CHANNEL,
      checkpoint: checkpointAt(1n, TICK - 1n),
      intent: undefined,
    },
  ],
};

/** What the recorded files hold. */
export function fillStore(store: TaskStore): void {
  const epoch = store.begin(FIRST_STATE);
  store.updateCollection(COLLECTION, { phase: 'created', targetId: 9_007_199_254_740_993n });
  store.addDatabase('shop');
  store.addDroppedPartition(COLLECTION, PARTITION);
  store.saveCheckpoints(epoch, {
    shards: new Map([[SHARD, checkpointAt(20n, TICK + 5n)]]),
    channels: new Map([[CHANNEL, checkpointAt(21n, TICK + 6n)]]),
  });
}
