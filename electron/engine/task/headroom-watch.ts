/**
 * Watches how long the log still keeps what each channel is to be resumed from, and finds positions that are lost before a
 * reader comes to them. Slowly, and faster where little is left; asks nothing unless it is polled.
 */
import type { PChannel, VChannel } from '../../../shared/model/ids.ts';
import {
  asOrdinal,
  compareResumePoints,
  firstOrdinal,
  type Checkpoint,
  type MessageOrdinal,
} from '../../../shared/model/position.ts';
import { ReplicationError, toReplicationError } from '../../../shared/model/replication-error.ts';
import type { ChannelHeadroom } from '../../../shared/model/task-status.ts';
import { TIME_TICK_ZERO, timeTickToMs } from '../../../shared/time/time-tick.ts';
import { isRetriedAutomatically } from '../errors/policy.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { oldestWithin, type OldestKept } from '../source/wal/oldest-kept.ts';
import type { ChannelBounds, ChannelRetention, Wal } from '../source/wal/wal.ts';
import { HeadroomMeter } from './headroom.ts';

const ROUND_MS = 30_000;
/** While little is left, and for the second look, which shows the speed. */
const QUICK_ROUND_MS = 5_000;
/** Limits are settings: they change when somebody changes them. */
const RETENTION_MS = 5 * 60_000;

/** What must be kept: of a shard, or of a channel's own news. */
export interface NeededPosition {
  readonly channel: PChannel;
  /** `undefined`: the channel's own. */
  readonly vchannel: VChannel | undefined;
  /** `database.name`. */
  readonly collection: string | undefined;
  readonly checkpoint: Checkpoint;
  /**
   * The next message that its reader reads; `undefined`: nobody reads it now (a copy is under way, or it is held). What has
   * been read is not lost with the log while the task runs.
   */
  readonly next: MessageOrdinal | undefined;
}

export interface LostPosition {
  readonly position: NeededPosition;
  readonly bounds: ChannelBounds;
  readonly oldest: OldestKept | undefined;
  /** `positionLost`. */
  readonly error: ReplicationError;
}

export interface HeadroomWatchParts {
  readonly wal: Pick<Wal, 'bounds' | 'retention' | 'readAt' | 'assertKept'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Now; each shard and channel once. */
  readonly positions: () => Iterable<NeededPosition>;
  /** Called once for each position as long as it stays where it is. */
  readonly lost: (lost: LostPosition) => void;
}

interface Watched {
  readonly meter: HeadroomMeter;
  retention: ChannelRetention | undefined;
  retentionReadMs: number | undefined;
  rounds: number;
  oldest: OldestKept | undefined;
  shown: ChannelHeadroom | undefined;
}

export class HeadroomWatch {
  readonly #parts: HeadroomWatchParts;
  readonly #channels = new Map<PChannel, Watched>();
  /** Told already, with where they stood. */
  readonly #told = new Map<string, bigint>();
  #dueMs = Number.NEGATIVE_INFINITY;
  #round: Promise<void> | undefined;

  constructor(parts: HeadroomWatchParts) {
    this.#parts = parts;
  }

  /** To be called several times a second: begins a round where one is due. Resolves when none is under way; never rejects. */
  poll(): Promise<void> {
    const { clock, signal } = this.#parts;
    if (this.#round === undefined && !signal.aborted && clock.now() >= this.#dueMs) {
      this.#round = this.#look().finally(() => (this.#round = undefined));
    }
    return this.#round ?? Promise.resolve();
  }

  /** Of the channels that were looked at; `undefined`: none was yet. */
  status(): readonly ChannelHeadroom[] | undefined {
    const shown = [...this.#channels.values()].flatMap(({ shown: one }) => (one === undefined ? [] : [one]));
    return shown.length === 0 ? undefined : shown;
  }

  async #look(): Promise<void> {
    const { clock, positions } = this.#parts;
    try {
      const byChannel = Map.groupBy(positions(), ({ channel }) => channel);
      for (const channel of this.#channels.keys()) if (!byChannel.has(channel)) this.#channels.delete(channel);
      for (const [channel, some] of byChannel) await this.#lookAt(channel, some).catch(this.#say);
    } catch (error) {
      this.#say(error);
    }
    const isUrgent = [...this.#channels.values()].some(
      ({ rounds, shown }) => rounds < 2 || (shown !== undefined && shown.level !== 'ok'),
    );
    this.#dueMs = clock.now() + (isUrgent ? QUICK_ROUND_MS : ROUND_MS);
  }

  /** Whoever reads the log or writes into the store meets the same trouble, and shows it. */
  readonly #say = (thrown: unknown): void => {
    const { logger, signal } = this.#parts;
    if (signal.aborted) return;
    const error = toReplicationError(thrown);
    const say = isRetriedAutomatically(error) ? 'debug' : 'warn';
    logger[say]({ code: error.code }, `How long the log keeps is not known: ${error.message}`);
  };

  async #lookAt(channel: PChannel, positions: readonly NeededPosition[]): Promise<void> {
    const { wal, clock, signal } = this.#parts;
    signal.throwIfAborted();
    const watched = this.#watched(channel);
    await this.#readRetention(channel, watched);
    const bounds = await wal.bounds(channel);
    if (watched.oldest?.ordinal !== bounds.earliest) watched.oldest = await this.#oldest(channel, bounds, signal);
    const { oldest } = watched;
    for (const position of positions) await this.#assertKept(position, bounds, oldest);
    watched.rounds += 1;
    const furthestBehind = this.#furthestBehind(positions);
    if (furthestBehind === undefined) {
      watched.shown = undefined;
      return;
    }
    const { checkpoint, collection } = furthestBehind;
    const { tick, resume } = checkpoint;
    const needed = firstOrdinal(resume);
    const forecast = watched.meter.measure({
      at: clock.now(),
      bounds,
      retention: watched.retention,
      // Below all messages means the beginning, wherever it is.
      needed: resume.kind === 'after' && resume.ordinal < 0n ? bounds.earliest : needed,
      neededMs: tick === TIME_TICK_ZERO ? undefined : timeTickToMs(tick),
    });
    watched.shown = {
      channel,
      ...forecast,
      ...(oldest === undefined || oldest.tick === TIME_TICK_ZERO ? {} : { keptFromMs: timeTickToMs(oldest.tick) }),
      ...(collection === undefined ? {} : { collection }),
    };
  }

  /** Of those that are not lost. */
  #furthestBehind(positions: readonly NeededPosition[]): NeededPosition | undefined {
    let least: NeededPosition | undefined;
    for (const position of positions) {
      if (this.#isTold(position)) continue;
      const { resume } = position.checkpoint;
      if (least === undefined || compareResumePoints(resume, least.checkpoint.resume) < 0) least = position;
    }
    return least;
  }

  #isTold({ vchannel, channel, checkpoint }: NeededPosition): boolean {
    return this.#told.get(vchannel ?? channel) === checkpoint.resume.ordinal;
  }

  async #readRetention(channel: PChannel, watched: Watched): Promise<void> {
    const now = this.#parts.clock.now();
    const readMs = watched.retentionReadMs;
    if (readMs !== undefined && now >= readMs && now - readMs < RETENTION_MS) return;
    watched.retention = await this.#parts.wal.retention(channel);
    watched.retentionReadMs = now;
  }

  /** Only the time of what is shown: it may have been removed by now, and is looked for in the next round. */
  async #oldest(channel: PChannel, bounds: ChannelBounds, signal: AbortSignal): Promise<OldestKept | undefined> {
    try {
      return await oldestWithin(this.#parts.wal, channel, bounds, signal);
    } catch (error) {
      if (error instanceof ReplicationError && error.code === 'positionLost') return undefined;
      throw error;
    }
  }

  async #assertKept(position: NeededPosition, bounds: ChannelBounds, oldest: OldestKept | undefined): Promise<void> {
    const { wal, lost } = this.#parts;
    const { channel, vchannel, checkpoint, next } = position;
    const { resume } = checkpoint;
    const isRead = next !== undefined && next >= bounds.earliest && resume.incarnation === bounds.incarnation;
    if (isRead) return;
    if (this.#isTold(position)) return;
    try {
      // The log's own proof; ours is only a reason to ask for it.
      await wal.assertKept(
        channel,
        next === undefined ? resume : { ...resume, kind: 'after', ordinal: asOrdinal(next - 1n) },
      );
    } catch (error) {
      if (!(error instanceof ReplicationError) || error.code !== 'positionLost') throw error;
      this.#told.set(vchannel ?? channel, resume.ordinal);
      lost({ position, bounds, oldest, error });
    }
  }

  #watched(channel: PChannel): Watched {
    const found = this.#channels.get(channel);
    if (found !== undefined) return found;
    const made: Watched = {
      meter: new HeadroomMeter(),
      retention: undefined,
      retentionReadMs: undefined,
      rounds: 0,
      oldest: undefined,
      shown: undefined,
    };
    this.#channels.set(channel, made);
    return made;
  }
}
