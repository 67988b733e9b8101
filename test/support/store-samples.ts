/** A task's state with every kind of value in it, as the store's tests and its recorded files hold it. */
import { asCollectionId, asPartitionId, asPChannel, asVChannel } from '../../shared/model/ids.ts';
import { randomBytes } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { ConnectionStore } from '../../electron/core/store/connection-store.ts';
import { ProtectionStore } from '../../electron/core/store/protection-store.ts';
import { SecretBox } from '../../electron/core/store/secret-box.ts';
import { SessionStore } from '../../electron/core/store/session-store.ts';
import { SettingStore } from '../../electron/core/store/setting-store.ts';
import { asOrdinal, ORDINAL_NONE, type Checkpoint } from '../../shared/model/position.ts';
import type { FirstState, StoredCollection, TaskStore } from '../../shared/model/task-state.ts';
import { SAME_NAMES } from '../../shared/model/name-mapping.ts';
import { asTimeTick } from '../../shared/time/time-tick.ts';

export const SHARD = asVChannel('lab-rootcoord-dml_0_470658247834468382v0');
export const OTHER_SHARD = asVChannel('lab-rootcoord-dml_1_470658247834468382v1');
export const CHANNEL = asPChannel('lab-rootcoord-dml_0');
export const OTHER_CHANNEL = asPChannel('lab-rootcoord-dml_1');
export const COLLECTION = asCollectionId(470658247834468382n);
/** Another one, whose copy is under way. */
const COPIED = asCollectionId(470658247834468390n);
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
  isRecopy: false,
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
  scope: {
    owner: '4c0f6a0e-5a0c-4f0e-9d7b-1f5f2f1c9a10',
    marker: 'recorded',
    selection: { include: [{ database: 'shop', collection: '*' }], exclude: [], later: true },
    mapping: { ...SAME_NAMES, collectionPrefix: 'dr_' },
  },
  imports: [{ id: 470_670_978_906_587_188n, collectionId: COLLECTION, isLeftOut: false }],
};

/** A copy that is under way, intents, and the end of the last writes; of a second collection's copy its certificate. */
export function fillCopies(store: TaskStore): void {
  store.addCollection({ ...collection, id: COPIED, name: 'copied', copy: 'due' });
  store.beginCopy(COPIED, [
    {
      vchannel: asVChannel('lab-rootcoord-dml_0_470658247834468390v0'),
      collectionId: COPIED,
      channel: CHANNEL,
      checkpoint: checkpointAt(30n, TICK + 9n),
      intent: ORDINAL_NONE,
    },
  ]);
  const progress = { isDone: false, rowCount: 7n, doubledRowCount: 1n, deletedRowCount: 0n };
  store.saveCopyProgress(COPIED, { partition: '_default', confirmedKey: -5n, intentKey: 2n ** 62n, ...progress });
  store.saveCopyProgress(COPIED, { partition: 'ü', confirmedKey: undefined, intentKey: "o'clock", ...progress });
  store.saveIntents(new Map([[SHARD, asOrdinal(512n)]]));
  store.recordJoin(COLLECTION, {
    collectionId: COLLECTION.toString(),
    database: 'shop',
    collection: 'orders ü',
    rowsCopied: '7',
    sourceDoubles: '1',
    copyBegan: 1_795_440_000_000,
    copyEnded: 1_795_440_001_000,
    joined: 1_795_440_002_000,
    shards: [],
  });
  store.setWritesUntil(1_795_440_003_000);
}

/** Of a run that holds the lease: what it knows of the target. */
export function fillRun(store: TaskStore): void {
  store.takeLease({ id: 'run-1', host: 'here', folder: '/data', pid: 7, began: 1_795_440_000_000 });
  store.updateCollection(COLLECTION, {
    phase: 'created',
    targetId: 9_007_199_254_740_993n,
    targetCreateTick: asTimeTick(TICK + 100n),
  });
  store.saveMarker({
    id: 470658247834468999n,
    createTick: asTimeTick(TICK),
    sent: 12n,
    confirmed: 11n,
    runIds: ['run-1'],
  });
  const event = { tick: TICK.toString(), source: 'log', database: 'shop' } as const;
  const ofOrders = { ...event, collection: { id: COLLECTION.toString(), name: 'orders ü' } };
  store.recordOperation({ ...ofOrders, at: 1_795_440_000_500, operation: 'createIndex', outcome: 'applied' });
  store.recordOperation({ ...ofOrders, id: 'log/7', at: 1, operation: 'dropPartition', outcome: 'waiting' });
  store.decideOperation('log/7', 'skip');
  store.recordOperation({
    ...event,
    at: 2,
    operation: 'alterDatabase',
    outcome: 'failed',
    reason: 'No such database.',
  });
  store.addImport({ id: 470_670_978_906_787_276n, collectionId: COLLECTION, isLeftOut: true });
  store.addSeenDatabase({ id: 470_670_978_906_787_277n, name: 'shop' });
  store.doubtCopies({ code: 'targetChanged', message: 'The target was put back.' });
}

/** What the operator has set up: of every kind one. The secrets open with a key that nobody keeps. */
export function fillOperatorTables(database: DatabaseSync): void {
  new SettingStore(database).set('lab', 'running');
  const connections = new ConnectionStore(database, new SecretBox(randomBytes(32)));
  const parts = { milvus: { address: '127.0.0.1:19530' } };
  for (const id of ['from', 'to']) {
    connections.put({ id, name: `Cluster ${id}`, isLab: id === 'to', parts, secrets: { 'milvus.password': 'x' } });
  }
  new ProtectionStore(database).add({
    id: 'recorded',
    name: 'Shop',
    sourceId: 'from',
    targetId: 'to',
    desired: 'paused',
    start: { kind: 'copy', mayLoad: true },
    selection: { include: [{ database: 'shop', collection: '*' }], exclude: [], later: true },
    mapping: { ...SAME_NAMES, collectionPrefix: 'dr_' },
    operations: { policies: { dropCollection: 'ask' }, replicateRights: true, overrides: { replicaNumber: 2 } },
    createdAt: 1_795_440_000_000,
    pausedAt: 1_795_440_004_000,
    lastStatus: undefined,
  });
  new ProtectionStore(database).setDesired('recorded', 'paused', 1_795_440_004_000);
  new SessionStore(database).add({ digest: 'd1', createdAt: 1_795_440_000_000, usedAt: 1_795_440_001_000 });
}

/** What every recorded file holds. */
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
