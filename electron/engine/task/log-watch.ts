/**
 * What the log keeps, watched while the task runs: how long each position is still to be had, and which are gone. Lost ones
 * of a shard hold its collection; a lost one of a channel's own news makes the task start over behind the loss, where the
 * catalogue tells what was born meanwhile.
 */
import type { CollectionId, PChannel } from '../../../shared/model/ids.ts';
import { asOrdinal, firstOrdinal } from '../../../shared/model/position.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { StoredShard, TaskStore } from '../../../shared/model/task-state.ts';
import type { ChannelHeadroom, GapStatus } from '../../../shared/model/task-status.ts';
import { TIME_TICK_ZERO } from '../../../shared/time/time-tick.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Wal } from '../source/wal/wal.ts';
import type { CollectionRegistry } from './collection-registry.ts';
import type { CollectionReplica } from './collection-replica.ts';
import type { LostShard } from './gap.ts';
import { GapKeeper } from './gap-keeper.ts';
import { HeadroomWatch, type LostPosition, type NeededPosition } from './headroom-watch.ts';
import type { LogReaders } from './log-readers.ts';
import { RestartNeeded } from './restart-needed.ts';

export interface LogWatchContext {
  readonly wal: Wal;
  readonly store: TaskStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly registry: CollectionRegistry;
  readonly readers: LogReaders;
  /** Stores the checkpoints of now. @throws storeFailed */
  readonly flush: () => void;
  /** The store has opened another epoch. */
  readonly epochOpened: (epoch: number) => void;
  readonly restart: (reason: RestartNeeded) => void;
}

export class LogWatch {
  readonly #context: LogWatchContext;
  readonly #headroom: HeadroomWatch;
  readonly #gaps: GapKeeper;

  constructor(context: LogWatchContext) {
    this.#context = context;
    this.#gaps = new GapKeeper(context);
    this.#headroom = new HeadroomWatch({
      ...context,
      positions: () => this.#neededPositions(),
      lost: (lost) => this.#lost(lost),
    });
  }

  /** To be called several times a second. */
  poll(): void {
    void this.#headroom.poll();
  }

  status(): { headroom?: readonly ChannelHeadroom[]; gaps?: readonly GapStatus[] } {
    const headroom = this.#headroom.status();
    const gaps = this.#gaps.status();
    return { ...(headroom === undefined ? {} : { headroom }), ...(gaps === undefined ? {} : { gaps }) };
  }

  /** The shard's collection stops; where its place in the log is gone, with the gap that this leaves. */
  async shardFailed(replica: CollectionReplica, shard: Omit<StoredShard, 'intent'>, error: unknown): Promise<void> {
    const { signal } = this.#context;
    // What ended with it is no news, least of all for the one that has taken its place.
    if (replica.hasFailed) return;
    if (!isPositionLost(error)) {
      replica.fail(error);
      return;
    }
    const kept = await this.#gaps.kept(shard.channel, signal);
    replica.fail(this.#gaps.declare(lostShard(replica, shard), kept, error));
  }

  /** The channel's own news are lost. @throws what the log says. */
  async channelLost(channel: PChannel): Promise<void> {
    const { wal, store, flush, epochOpened, restart } = this.#context;
    const { earliest, incarnation } = await wal.bounds(channel);
    const resume = { kind: 'after', ordinal: asOrdinal(earliest - 1n), incarnation } as const;
    flush();
    epochOpened(store.rewind({ shards: new Map(), channels: new Map([[channel, { resume, tick: TIME_TICK_ZERO }]]) }));
    restart(new RestartNeeded(`The log no longer holds what ${channel} was read to. It is read from what it holds.`));
  }

  /** Copied anew, or gone. */
  closed(id: CollectionId): void {
    this.#gaps.closed(id);
  }

  *#neededPositions(): Iterable<NeededPosition> {
    const { store, registry, readers } = this.#context;
    for (const follower of readers.all()) {
      yield {
        channel: follower.channel,
        vchannel: undefined,
        collection: undefined,
        checkpoint: { resume: follower.start, tick: follower.readTick() },
        next: firstOrdinal(follower.start),
      };
    }
    for (const { vchannel, channel, collectionId, checkpoint } of store.load()?.shards ?? []) {
      const replica = registry.get(collectionId);
      if (replica === undefined || replica.isEnding) continue;
      const { database, collection } = replica.address;
      const next = readers.nextOf(vchannel);
      yield { channel, vchannel, collection: `${database}.${collection}`, checkpoint, next };
    }
  }

  #lost({ position, bounds, oldest, error }: LostPosition): void {
    const { channel, vchannel, checkpoint } = position;
    // Its reader comes to it itself, and says so.
    if (vchannel === undefined) return;
    const { registry, store } = this.#context;
    const replica = registry.ofShard(vchannel);
    if (replica === undefined || replica.hasFailed) return;
    // While the log was asked it was copied anew: what is needed now is another place.
    const isNeeded = store
      .load()
      ?.shards.some((shard) => shard.vchannel === vchannel && isSamePlace(shard, checkpoint));
    if (isNeeded !== true) return;
    const lost = lostShard(replica, { channel, vchannel, checkpoint });
    replica.fail(this.#gaps.declare(lost, { bounds, oldest }, error));
  }
}

const isSamePlace = ({ checkpoint: { resume } }: StoredShard, { resume: asked }: StoredShard['checkpoint']): boolean =>
  resume.ordinal === asked.ordinal && resume.incarnation === asked.incarnation;

function lostShard(
  { id, address: { database, collection: name } }: CollectionReplica,
  { channel, vchannel, checkpoint }: Pick<StoredShard, 'channel' | 'vchannel' | 'checkpoint'>,
): LostShard {
  return { channel, vchannel, checkpoint, collection: { id, database, name } };
}

export const isPositionLost = (error: unknown): error is ReplicationError =>
  error instanceof ReplicationError && error.code === 'positionLost';
