/** Collections that come into being while the task runs: from their messages in the log, or late, from the catalogue. */
import { isSameName } from '../../../shared/model/collection-name.ts';
import { asPChannel, type CollectionId } from '../../../shared/model/ids.ts';
import { ORDINAL_NONE, type MessageOrdinal } from '../../../shared/model/position.ts';
import type { StoredCollection, StoredShard, TaskStore } from '../../../shared/model/task-state.ts';
import type { TimeTick } from '../../../shared/time/time-tick.ts';
import type { CreateCollectionRecord } from '../codec/records.ts';
import { retrying, type RetryObserver } from '../runtime/retry.ts';
import type { Catalog, CatalogCollection } from '../source/catalog/catalog.ts';
import type { Wal } from '../source/wal/wal.ts';
import { shardsFromCreation, toStoredCollection } from './begin-task.ts';
import type { BirthRegistrar } from './birth-registrar.ts';
import type { ChannelFollower } from './channel-follower.ts';
import type { CollectionRegistry } from './collection-registry.ts';
import type { CollectionReplica } from './collection-replica.ts';
import type { LogReaders } from './log-readers.ts';
import type { OperationJournal } from './operation-journal.ts';
import { temporaryName } from './reconciler/renames.ts';
import { RestartNeeded } from './restart-needed.ts';
import type { TaskSelection } from './task-selection.ts';

export interface CollectionBirthsContext {
  readonly store: Pick<TaskStore, 'addCollection' | 'addShard'>;
  readonly wal: Pick<Wal, 'decodeMessageId'>;
  readonly registry: CollectionRegistry;
  readonly registrar: BirthRegistrar;
  readonly signal: AbortSignal;
  readonly observer: RetryObserver;
  /** Its shards are added by whoever reads their messages. */
  readonly readers: Pick<LogReaders, 'get' | 'isFollowed' | 'claim' | 'follow'>;
  isDropped(id: CollectionId): boolean;
  readonly selection: Pick<TaskSelection, 'takesLater' | 'takesUp'>;
  readonly catalog: Pick<Catalog, 'databaseOfGone'>;
  readonly journal: Pick<OperationJournal, 'policyOf'>;
  addReplica(stored: StoredCollection): CollectionReplica;
  addNewChannels(): Promise<void>;
}

/** As most clients make collections: `commonpb.ConsistencyLevel.Bounded`. */
const CONSISTENCY_BOUNDED = 2;

/** What the log has of a collection that the catalogue no longer shows. */
function asBorn(record: CreateCollectionRecord, database: string): CatalogCollection {
  const { collectionId, collectionName, databaseId, beginTick, schema, vchannels, pchannels, partitions } = record;
  return {
    id: collectionId,
    databaseId,
    database,
    name: collectionName,
    createTick: beginTick,
    shardCount: vchannels.length,
    consistencyLevel: CONSISTENCY_BOUNDED,
    properties: [],
    schema,
    partitions: partitions.map(({ id, name }) => ({ id, name, createTick: beginTick })),
    startPositions: vchannels.map((vchannel, index) => {
      const pchannel = pchannels[index] ?? asPChannel(vchannel.slice(0, vchannel.lastIndexOf('_')));
      return { vchannel, pchannel, messageId: new Uint8Array() };
    }),
  };
}

export class CollectionBirths {
  readonly #context: CollectionBirthsContext;

  constructor(context: CollectionBirthsContext) {
    this.#context = context;
  }

  /** When this resolves the collection is registered durably, or is to be ignored. */
  async born(record: CreateCollectionRecord, follower: ChannelFollower, ordinal: MessageOrdinal): Promise<void> {
    const { store, registry, readers } = this.#context;
    if (this.#context.isDropped(record.collectionId)) return;
    const replica = registry.get(record.collectionId) ?? (await this.#register(record, follower));
    // A copied one has its shards, or gets them with the copy.
    if (replica === undefined || replica.isEnding || replica.copy !== 'none') return;
    for (const vchannel of record.vchannels) {
      // Another may have taken its place meanwhile, to be copied again.
      if (registry.get(record.collectionId)?.copy !== 'none') return;
      if (readers.isFollowed(vchannel) || !vchannel.startsWith(`${follower.channel}_`)) continue;
      const shard: StoredShard = {
        vchannel,
        collectionId: record.collectionId,
        channel: follower.channel,
        checkpoint: {
          resume: { kind: 'at', ordinal, incarnation: follower.incarnation },
          tick: (record.beginTick - 1n) as TimeTick,
        },
        intent: ORDINAL_NONE,
      };
      store.addShard(shard);
      // The shard of one that has failed is kept for later, with nobody to apply it now.
      if (replica.hasFailed) readers.claim(shard);
      else await readers.follow(replica, shard);
    }
  }

  async #register(record: CreateCollectionRecord, follower: ChannelFollower): Promise<CollectionReplica | undefined> {
    const { store, registry, registrar, signal, observer, selection } = this.#context;
    // Which one it is stands in the catalogue; where none is taken up it need not be asked.
    if (!selection.takesLater) return undefined;
    const asked = await retrying(() => registrar.find(record, follower.channel, signal), signal, observer);
    const found = asked === 'gone' ? await this.#fromLog(record) : asked;
    // Another shard's message may have been first, while this one asked.
    let replica = registry.get(record.collectionId);
    if (replica === undefined) {
      if (found === undefined || this.#isPassed(found, follower)) return undefined;
      // Under the name that it was born with: names in the log are in the log's order. The catalogue's comes in its turn.
      const born = { ...toStoredCollection(found), name: record.collectionName };
      if (!selection.takesUp(born) && !selection.takesUp(found)) return undefined;
      const stored = this.#unlessTaken(born) ??
        this.#unlessTaken(toStoredCollection(found)) ?? { ...born, name: temporaryName(born.id) };
      store.addCollection(stored);
      replica = this.#context.addReplica(stored);
    }
    await this.#context.addNewChannels();
    return replica;
  }

  /**
   * It has ended at the source already. Where its end is followed, nothing of it would stay: it is left alone. Where it is left
   * out, or asked about, its copy is made from what the log has of it: its schema, shards and partitions. Of its properties and its
   * consistency level the log says nothing.
   */
  async #fromLog(record: CreateCollectionRecord): Promise<CatalogCollection | undefined> {
    const { catalog, journal, signal, observer } = this.#context;
    if (journal.policyOf('dropCollection') === 'apply') return undefined;
    const database = await retrying(() => catalog.databaseOfGone(record.collectionId), signal, observer);
    return database === undefined ? undefined : asBorn(record, database);
  }

  /** A later collection was given its name after it had lost it, and stands on a channel that has been read further: it has it here by now. */
  #unlessTaken(stored: StoredCollection): StoredCollection | undefined {
    const isTaken = [...this.#context.registry.all()].some(
      (other) =>
        other.createTick > stored.createTick &&
        isSameName(other.address, { database: stored.database, collection: stored.name }),
    );
    return isTaken ? undefined : stored;
  }

  /**
   * Another of its channels has been read past its birth, when it did not belong to the selection or was left alone: its history
   * is not to be had from here on. One that the source still has is found in the catalogue.
   */
  #isPassed({ startPositions, createTick }: CatalogCollection, { channel }: ChannelFollower): boolean {
    const { wal, readers } = this.#context;
    return startPositions.some(({ pchannel, messageId }) => {
      const other = pchannel === channel ? undefined : readers.get(pchannel);
      // The log itself does not say where in other channels it begins.
      if (messageId.length === 0) return other !== undefined && other.readTick() >= createTick;
      return other?.hasRead(wal.decodeMessageId(messageId)) ?? false;
    });
  }

  /**
   * A collection can be in the catalogue so late that its birth in the log was given up (`birth-registrar.ts`). Its shards
   * are then added where their history begins, and the task starts over to read from there.
   */
  assertNotMissed(collection: CatalogCollection): void {
    const { store, wal, registry, readers } = this.#context;
    const known = registry.get(collection.id);
    const isElsewhere =
      known !== undefined && (known.hasFailed || known.isEnding || known.isBeingCopied || known.copy === 'copied');
    const isLeftOut = known === undefined && !this.#context.selection.takesUp(collection);
    if (this.#context.isDropped(collection.id) || isElsewhere || isLeftOut) return;
    const missed = shardsFromCreation(collection, wal, (channel) => readers.get(channel)?.incarnation).filter(
      ({ vchannel, channel, checkpoint }) =>
        !readers.isFollowed(vchannel) && (readers.get(channel)?.hasRead(checkpoint.resume.ordinal) ?? false),
    );
    if (missed.length === 0) return;
    if (known === undefined) store.addCollection(toStoredCollection(collection));
    for (const shard of missed) store.addShard(shard);
    throw new RestartNeeded(`${collection.database}.${collection.name} came into the catalogue late.`);
  }
}
