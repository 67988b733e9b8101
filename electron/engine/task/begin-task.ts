/**
 * A task's first minute: who the source is, what it holds, and where in the log each shard's history begins.
 *
 * The order is what makes it safe: first the end of every channel is noted, then the catalogue is read. A collection is in
 * the log before it is in the catalogue, so one that the catalogue does not show yet stands behind the noted end, or some
 * messages before it: the channel's news begin that much earlier (`birth-registrar.ts` sorts out what is read twice).
 */
import { asVChannel, type PChannel } from '../../../shared/model/ids.ts';
import { asOrdinal, ORDINAL_NONE, type MessageOrdinal } from '../../../shared/model/position.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type {
  FirstState,
  KnownImport,
  SourceIdentity,
  TaskScope,
  StoredChannel,
  StoredCollection,
  StoredShard,
} from '../../../shared/model/task-state.ts';
import { TIME_TICK_ZERO, timeTickFromMs, type TimeTick } from '../../../shared/time/time-tick.ts';
import { hasPartitionKey, parseCollectionSchema } from '../codec/collection-schema.ts';
import { decodeRecord } from '../codec/decode.ts';
import { isSameMapping, SAME_NAMES, type NameMapping } from '../../../shared/model/name-mapping.ts';
import type { StartPoint } from '../../../shared/model/start-point.ts';
import type { Catalog, CatalogCollection, CatalogImport } from '../source/catalog/catalog.ts';
import type { ChannelBounds, Wal } from '../source/wal/wal.ts';
import { wholeSnapshot } from '../source/catalog/whole-snapshot.ts';
import { EVERYTHING } from '../../../shared/model/selection.ts';
import { StartPositions } from './start-positions.ts';
import { TaskSelection } from './task-selection.ts';

export async function readSourceIdentity(
  catalog: Catalog,
  wal: Wal,
  fixed: Pick<SourceIdentity, 'rootPath' | 'walKind'>,
): Promise<SourceIdentity> {
  const [etcdClusterId, walIdentity] = await Promise.all([catalog.clusterId(), wal.identity()]);
  return { ...fixed, etcdClusterId, walIdentity };
}

/** @throws sourceChanged when the source is not the one that the task was begun with. */
export function assertSameSource(stored: SourceIdentity, found: SourceIdentity): void {
  const differences = [
    stored.etcdClusterId === found.etcdClusterId
      ? ''
      : `etcd cluster ${found.etcdClusterId} instead of ${stored.etcdClusterId}`,
    stored.rootPath === found.rootPath ? '' : `root path ${found.rootPath} instead of ${stored.rootPath}`,
    stored.walKind === found.walKind ? '' : `a ${found.walKind} log instead of ${stored.walKind}`,
    stored.walIdentity === found.walIdentity ? '' : 'another log',
  ].filter((difference) => difference !== '');
  if (differences.length === 0) return;
  throw new ReplicationError(
    'sourceChanged',
    'source',
    `Another cluster answers at the source's address (${differences.join(', ')}). Nothing was read from it. Correct the address, or begin a new task for the new cluster.`,
  );
}

export async function firstState(
  catalog: Catalog,
  wal: Wal,
  source: SourceIdentity,
  start: StartPoint,
  scope: TaskScope = {},
): Promise<FirstState> {
  const dataChannels = await wal.listDataChannels();
  const channels: StoredChannel[] = await Promise.all(
    dataChannels.map(async (channel) => newsFromEnd(channel, await wal.bounds(channel))),
  );
  const positions = start.kind === 'positions' ? new StartPositions(start.positions, wal) : undefined;
  const operationChannel = await wal.operationChannel();
  if (operationChannel !== undefined) {
    const bounds = await wal.bounds(operationChannel);
    const given = await positions?.channel(operationChannel);
    // What the collections are by now, a copy reads from the source; earlier operations are part of it.
    const isHistory = start.kind === 'creation' || start.kind === 'oldest';
    channels.push(
      given ?? (isHistory ? newsFromBeginning(operationChannel, bounds) : newsFromEnd(operationChannel, bounds)),
    );
  }
  const incarnations = new Map(channels.map((channel) => [channel.channel, channel.checkpoint.resume.incarnation]));

  const collections: StoredCollection[] = [];
  const shards: StoredShard[] = [];
  const selection = new TaskSelection(scope.selection ?? EVERYTHING);
  const { collections: all, imports } = await wholeSnapshot(catalog);
  const found = all.filter((collection) => selection.has(collection));
  positions?.assertComplete(
    found,
    channels.map(({ channel }) => channel),
    all,
  );
  for (const collection of found) {
    assertInLog(collection, incarnations);
    if (start.kind === 'copy') {
      // Its shards come with the copy's beginning.
      collections.push({ ...toStoredCollection(collection), copy: 'due' });
      continue;
    }
    collections.push(toStoredCollection(collection));
    if (start.kind === 'creation') {
      shards.push(...shardsFromCreation(collection, wal, (channel) => incarnations.get(channel)));
    } else if (start.kind === 'positions') {
      shards.push(...((await positions?.shardsOf(collection)) ?? []));
    } else {
      shards.push(...(await shardsFrom(collection, wal, start)));
    }
  }
  return { source, channels, collections, shards, scope, imports: knownImports(start, found, imports) };
}

/**
 * Imports whose rows a task does not owe, or which its copies read: what was completed when it began. One that begins with the
 * creation of its collections owes them all.
 */
function knownImports(
  start: StartPoint,
  collections: readonly CatalogCollection[],
  imports: readonly CatalogImport[],
): KnownImport[] {
  if (start.kind === 'creation') return [];
  const ids = new Set(collections.map(({ id }) => id));
  return imports
    .filter(({ isCompleted, collectionId }) => isCompleted && ids.has(collectionId))
    .map(({ id, collectionId }) => ({ id, collectionId, isLeftOut: false }));
}

/** @throws invalidConfig: what the copies are called is for good. */
export function assertSameNames(stored: TaskScope, mapping: NameMapping): void {
  if (isSameMapping(stored.mapping ?? SAME_NAMES, mapping)) return;
  throw new ReplicationError(
    'invalidConfig',
    'config',
    'The mapping of names is another one than that with which the task was begun. Its copies would be looked for under other names: put the mapping back, or begin a new task.',
    { context: { field: 'mapping' } },
  );
}

/** A log may be empty while the catalogue is (Kafka makes topics as they are used), but not lack what the catalogue names. */
function assertInLog(collection: CatalogCollection, channels: ReadonlyMap<PChannel, string>): void {
  const missing = collection.startPositions.find(({ pchannel }) => !channels.has(pchannel));
  if (missing === undefined) return;
  throw new ReplicationError(
    'channelsNotFound',
    'wal',
    `The source's log has no channel ${missing.pchannel}, which holds ${collection.database}.${collection.name}. Check the channel prefix (Milvus' common.chanNamePrefix.cluster) and that the log's address is the source's.`,
    { context: { pchannel: missing.pchannel } },
  );
}

/** More than a channel can take in the time between a birth's message and its entry in the catalogue (11 ms, seen). */
const NEWS_OVERLAP_MESSAGES = 256n;

/** The channel's history is the catalogue's business; its own news begin shortly before its end. */
function newsFromEnd(channel: PChannel, { earliest, latest, incarnation }: ChannelBounds): StoredChannel {
  const overlapped = latest - NEWS_OVERLAP_MESSAGES;
  const before = overlapped < earliest - 1n ? earliest - 1n : overlapped;
  return storedChannel(channel, asOrdinal(before), incarnation);
}

/** All operations that are still kept: those of collections that no longer exist are skipped by name and time. */
function newsFromBeginning(channel: PChannel, { earliest, incarnation }: ChannelBounds): StoredChannel {
  return storedChannel(channel, asOrdinal(earliest - 1n), incarnation);
}

/** A channel that came into being after the task: all of it is news. */
export function newChannel(channel: PChannel, { incarnation }: ChannelBounds): StoredChannel {
  return storedChannel(channel, ORDINAL_NONE, incarnation);
}

function storedChannel(channel: PChannel, after: MessageOrdinal, incarnation: string): StoredChannel {
  return { channel, checkpoint: { resume: { kind: 'after', ordinal: after, incarnation }, tick: TIME_TICK_ZERO } };
}

export function toStoredCollection(collection: CatalogCollection): StoredCollection {
  const schema = parseCollectionSchema(collection.schema);
  const isPartitioned = !('kind' in schema) && hasPartitionKey(schema);
  return {
    id: collection.id,
    database: collection.database,
    name: collection.name,
    createTick: collection.createTick,
    dropTick: undefined,
    phase: 'pending',
    targetId: undefined,
    schema: collection.schema,
    shardCount: collection.shardCount,
    consistencyLevel: collection.consistencyLevel,
    properties: collection.properties,
    partitionKeyCount: isPartitioned ? collection.partitions.length : 0,
    vchannels: collection.startPositions.map((position) => asVChannel(position.vchannel)),
    operationsUntil: ORDINAL_NONE,
    copy: 'none',
    isRecopy: false,
  };
}

/** Every shard of a collection, beginning with its CreateCollection message. */
export function shardsFromCreation(
  collection: CatalogCollection,
  wal: Pick<Wal, 'decodeMessageId'>,
  incarnationOf: (channel: PChannel) => string | undefined,
): StoredShard[] {
  return collection.startPositions.map((position): StoredShard => {
    const ordinal: MessageOrdinal = wal.decodeMessageId(position.messageId);
    const incarnation = incarnationOf(position.pchannel) ?? '';
    return {
      vchannel: position.vchannel,
      collectionId: collection.id,
      channel: position.pchannel,
      checkpoint: {
        resume: { kind: 'at', ordinal, incarnation },
        tick: (collection.createTick - 1n) as TimeTick,
      },
      intent: ORDINAL_NONE,
    };
  });
}

/** Between two ticks messages stand unsorted, and a tick comes every 0.2 s: far more than they can be out of order. */
const DISORDER_MS = 10_000;

/** Every shard of a collection, beginning at a place that has nothing to do with the collection's own. */
function shardsFrom(
  collection: CatalogCollection,
  wal: Wal,
  start: Exclude<StartPoint, { kind: 'copy' | 'creation' | 'positions' }>,
): Promise<StoredShard[]> {
  return Promise.all(
    collection.startPositions.map(async ({ vchannel, pchannel }): Promise<StoredShard> => {
      const bounds = await wal.bounds(pchannel);
      const ordinal =
        start.kind === 'now'
          ? bounds.latest
          : start.kind === 'oldest'
            ? asOrdinal(bounds.earliest - 1n)
            : await lastBefore(wal, pchannel, bounds, timeTickFromMs(Math.max(0, start.unixMs - DISORDER_MS)));
      return {
        vchannel,
        collectionId: collection.id,
        channel: pchannel,
        checkpoint: {
          resume: { kind: 'after', ordinal, incarnation: bounds.incarnation },
          tick: start.kind === 'time' ? timeTickFromMs(start.unixMs) : TIME_TICK_ZERO,
        },
        intent: ordinal,
      };
    }),
  );
}

/** The last message that, like all before it as far as disorder goes, is older than `tick`: found by halving. */
async function lastBefore(
  wal: Wal,
  channel: PChannel,
  { earliest, latest }: ChannelBounds,
  tick: TimeTick,
): Promise<MessageOrdinal> {
  let low: bigint = earliest - 1n;
  let high: bigint = latest;
  while (low < high) {
    const middle = (low + high + 1n) / 2n;
    const { payload } = await wal.readAt(channel, asOrdinal(middle), new AbortController().signal);
    const record = decodeRecord(payload);
    if (record.kind !== 'malformed' && record.endTick < tick) low = middle;
    else high = middle - 1n;
  }
  return asOrdinal(low);
}
