/**
 * Who reads which channel of the source's log, and which reader has which shard: the channel's own follower, or, for a
 * shard that is behind, a reader apart until it is level.
 */
import type { PChannel, VChannel } from '../../../shared/model/ids.ts';
import { firstOrdinal, ORDINAL_NONE, type MessageOrdinal } from '../../../shared/model/position.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { StoredChannel, StoredShard, TaskStore } from '../../../shared/model/task-state.ts';
import type { TimeTick } from '../../../shared/time/time-tick.ts';
import { decodeRecord } from '../codec/decode.ts';
import type { WalRecord } from '../codec/records.ts';
import type { ReadBudget } from '../runtime/read-budget.ts';
import { retrying, type RetryObserver } from '../runtime/retry.ts';
import { orAborted } from '../runtime/waiting.ts';
import type { ChannelBounds, Wal } from '../source/wal/wal.ts';
import { newChannel } from './begin-task.ts';
import { catchUp } from './catch-up.ts';
import { ChannelFollower, type FollowerContext } from './channel-follower.ts';
import type { CollectionReplica } from './collection-replica.ts';
import type { LogEntry } from './log-entry.ts';
import { isPositionLost } from './log-watch.ts';
import { ShardLane } from './shard-lane.ts';
import type { ChannelReading } from './source-clock.ts';

/**
 * A shard that is further behind its channel's news than this many messages gets a reader of its own at the start too: the
 * channel's other shards would wait while everything is read again for one. Some 13 minutes of a quiet channel.
 */
const FAR_BEHIND_MESSAGES = 4_096n;

export interface LogReadersContext extends Pick<FollowerContext, 'registry' | 'collectionBorn' | 'channelConfirmed'> {
  messageRead(record: WalRecord, bytes: number, channel: PChannel): void;
  rowsPassed(bytes: number, channel: PChannel): void;
  readonly wal: Wal;
  readonly store: Pick<TaskStore, 'addChannel'>;
  readonly budget: ReadBudget;
  readonly signal: AbortSignal;
  readonly observer: (place: string) => RetryObserver;
  /** Awaited at the end; `failed` hears of an end before that. */
  track(work: Promise<unknown>, failed: (error: ReplicationError) => void): void;
  channelFailed(error: ReplicationError): void;
  /** What the channel was to be read on from is gone. */
  channelLost(channel: PChannel): void;
}

export class LogReaders {
  readonly #context: LogReadersContext;
  readonly #followers = new Map<PChannel, ChannelFollower>();
  readonly #followerOf = new Map<VChannel, ChannelFollower>();
  /** Shards that are read apart from their channels; settled when they no longer are. */
  readonly #catchUps = new Set<Promise<void>>();

  constructor(context: LogReadersContext) {
    this.#context = context;
  }

  all(): Iterable<ChannelFollower> {
    return this.#followers.values();
  }

  get(channel: PChannel): ChannelFollower | undefined {
    return this.#followers.get(channel);
  }

  has(channel: PChannel): boolean {
    return this.#followers.has(channel);
  }

  isFollowed(vchannel: VChannel): boolean {
    return this.#followerOf.has(vchannel);
  }

  /** Not read before `run`. */
  addChannel(stored: StoredChannel): ChannelFollower {
    const follower = new ChannelFollower(this.#followerContext(stored.channel), stored);
    this.#followers.set(stored.channel, follower);
    return follower;
  }

  run(follower: ChannelFollower): void {
    this.#context.track(follower.run(), (error) => {
      if (isPositionLost(error)) {
        this.#context.channelLost(follower.channel);
        return;
      }
      this.#context.channelFailed(error);
      for (const [vchannel, other] of this.#followerOf) {
        if (other === follower) this.#context.registry.ofShard(vchannel)?.fail(error);
      }
    });
  }

  async addNewChannels(): Promise<void> {
    const { wal, store } = this.#context;
    for (const channel of await wal.listDataChannels()) {
      if (this.#followers.has(channel)) continue;
      const bounds = await wal.bounds(channel);
      // Another may have added it while this one asked; from here on nothing is awaited.
      if (this.#followers.has(channel)) continue;
      const stored = newChannel(channel, bounds);
      store.addChannel(stored);
      this.run(this.addChannel(stored));
    }
  }

  /** The next message that the shard's reader reads; `undefined`: nobody reads it. */
  nextOf(vchannel: VChannel): MessageOrdinal | undefined {
    const follower = this.#followerOf.get(vchannel);
    return follower?.hasLane(vchannel) === true ? firstOrdinal(follower.start) : undefined;
  }

  channelOf(vchannel: VChannel): PChannel | undefined {
    return this.#followerOf.get(vchannel)?.channel;
  }

  /** For the status. */
  readings(): ChannelReading[] {
    return [...this.#followers.values()].map((follower) => ({
      channel: follower.channel,
      isInUse: follower.hasLanes,
      waitsForMemory: this.#context.budget.isWaiting(follower),
    }));
  }

  /** Whose shard it is, also where nobody applies it now. */
  claim(shard: Pick<StoredShard, 'vchannel' | 'channel'>): void {
    const follower = this.#followers.get(shard.channel);
    if (follower !== undefined) this.#followerOf.set(shard.vchannel, follower);
  }

  /** Whether the shard is so far behind its channel's news that it is read apart. Before the channel runs. */
  isFarBehind({ channel, checkpoint }: StoredShard): boolean {
    const start = this.#followers.get(channel)?.start;
    return start !== undefined && firstOrdinal(start) - firstOrdinal(checkpoint.resume) > FAR_BEHIND_MESSAGES;
  }

  /**
   * The shard's lane is fed from its checkpoint on. Resolves when its channel's own follower feeds it; rejects as a reader
   * of its own does. `logEnd`: nothing behind it can have been written by an earlier run.
   */
  follow(replica: CollectionReplica, shard: StoredShard, logEnd?: MessageOrdinal): Promise<void> {
    const { vchannel, channel, checkpoint, intent } = shard;
    const main = this.#followers.get(channel);
    if (main === undefined) return Promise.reject(channelGone(channel));
    const mark = intent ?? ORDINAL_NONE;
    const doubtfulUntil = logEnd !== undefined && logEnd < mark ? logEnd : mark;
    const lane = new ShardLane(replica, vchannel, checkpoint, mark, replica.signal, doubtfulUntil);
    replica.addLane(lane);
    const caughtUp = catchUp({
      context: this.#followerContext(channel),
      lane,
      signal: replica.signal,
      main,
      followed: (by) => this.#followerOf.set(vchannel, by),
    });
    // Should what follows throw first, its own failure is no reason to end the process.
    const settled = caughtUp.catch(() => undefined);
    this.#catchUps.add(settled);
    void settled.finally(() => this.#catchUps.delete(settled));
    return caughtUp;
  }

  /** @throws positionLost, channelsNotFound */
  async assertKept({ channel, checkpoint }: StoredShard): Promise<void> {
    const { wal, signal, observer } = this.#context;
    if (!this.#followers.has(channel)) throw channelGone(channel);
    await retrying(() => wal.assertKept(channel, checkpoint.resume), signal, observer(channel));
  }

  forget(replica: CollectionReplica): void {
    for (const vchannel of replica.vchannels) this.#followerOf.delete(vchannel);
  }

  laneChanged(lane: ShardLane): void {
    const follower = this.#followerOf.get(lane.vchannel);
    if (lane.activity === 'stopped') follower?.removeLane(lane);
    follower?.laneChanged();
    this.#context.budget.changed();
  }

  /** The last message that stands in the channel now. */
  async latest(channel: PChannel): Promise<MessageOrdinal> {
    const { wal, signal, observer } = this.#context;
    const read = (): Promise<ChannelBounds> => wal.bounds(channel);
    const { earliest, latest } = await retrying(read, signal, observer(`end of ${channel}`));
    // Brokers number an empty log differently; below all messages is what it means.
    return earliest > latest ? ORDINAL_NONE : latest;
  }

  /** Every change up to `tick` has been read on every channel; on a quiet one, all that stands there now. */
  async whenAllRead(tick: TimeTick): Promise<void> {
    await Promise.all(
      [...this.#followers.values()].map(async (follower) => {
        if (follower.readTick() >= tick) return;
        await follower.whenRead(await this.latest(follower.channel), tick, this.#context.signal);
      }),
    );
  }

  /** What every channel holds now. @returns a wait for the target's confirmation of it. */
  async ends(): Promise<{ whenConfirmed(signal: AbortSignal): Promise<unknown> }> {
    const ends = await Promise.all(
      [...this.#followers.values()].map(async (follower) => ({ follower, end: await this.latest(follower.channel) })),
    );
    return {
      whenConfirmed: (signal) => Promise.all(ends.map(({ follower, end }) => follower.whenConfirmed(end, signal))),
    };
  }

  /**
   * What every data channel holds now, for the stamp of a reading of the catalogue. @returns a wait for a collection to be
   * confirmed past it; false: it has ended or stopped.
   */
  async stamp(): Promise<(replica: CollectionReplica) => Promise<boolean>> {
    const followers = [...this.#followers.values()];
    const ends = new Map(
      await Promise.all(followers.map(async ({ channel }) => [channel, await this.latest(channel)] as const)),
    );
    const { signal } = this.#context;
    const isPast = (vchannel: VChannel, next: MessageOrdinal): boolean => {
      const channel = this.channelOf(vchannel);
      const end = channel === undefined ? undefined : ends.get(channel);
      // A channel that came into being after the reading holds nothing from before it.
      if (channel === undefined || end === undefined) return channel !== undefined;
      // Whoever reads for the shard knows first that a tick stands there, and the shard says when it has applied it.
      return end === ORDINAL_NONE || (this.#followerOf.get(vchannel)?.isPast(next, end) ?? false);
    };
    return async (replica) => {
      const channels = new Set(replica.vchannels.map((vchannel) => this.channelOf(vchannel)));
      const read = [...channels].map(async (channel) => {
        const end = channel === undefined ? undefined : ends.get(channel);
        if (channel !== undefined && end !== undefined) {
          await this.#followers.get(channel)?.whenRead(end, undefined, signal);
        }
      });
      await Promise.all(read);
      return replica.whenConfirmedPast(isPast, signal);
    };
  }

  /** No shard is read apart from its channel any more. */
  whenTogether(signal: AbortSignal): Promise<unknown> {
    return orAborted(Promise.all(this.#catchUps), signal);
  }

  async contentOf(lane: ShardLane, entry: LogEntry): Promise<WalRecord> {
    if (entry.content !== undefined) return entry.content;
    const { wal, signal, observer } = this.#context;
    const follower = this.#followerOf.get(lane.vchannel);
    if (follower === undefined)
      throw new ReplicationError('bug', 'internal', `No channel is known for ${lane.vchannel}.`);
    const { channel } = follower;
    const message = await retrying(() => wal.readAt(channel, entry.ordinal, signal), signal, observer(channel));
    const record = decodeRecord(message.payload);
    if (record.kind === 'malformed') {
      throw new ReplicationError(
        'malformedMessage',
        'wal',
        `Message ${entry.ordinal} of ${channel} reads differently the second time: ${record.what}. Report this.`,
      );
    }
    return record;
  }

  release(entry: LogEntry): void {
    entry.uses -= 1;
    if (entry.uses > 0) return;
    entry.content = undefined;
    if (entry.holder !== undefined) this.#context.budget.release(entry.holder, entry.heldBytes, entry.rowCount);
    entry.heldBytes = 0;
  }

  #followerContext(channel: PChannel): FollowerContext {
    return {
      ...this.#context,
      observer: this.#context.observer(channel),
      messageRead: (record, bytes) => this.#context.messageRead(record, bytes, channel),
      rowsPassed: (bytes) => this.#context.rowsPassed(bytes, channel),
      release: (entry) => this.release(entry),
    };
  }
}

function channelGone(channel: PChannel): ReplicationError {
  return new ReplicationError(
    'channelsNotFound',
    'wal',
    `The channel ${channel} is no longer followed. Check the source's log.`,
  );
}
