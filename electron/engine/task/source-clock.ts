/**
 * What the source's time ticks tell of it: how far its clock is ahead of ours, whether it is idle, whether a channel has gone
 * silent. Only the ticks and kinds of messages are looked at, once per message.
 */
import type { PChannel } from '../../../shared/model/ids.ts';
import type { SourceStatus } from '../../../shared/model/task-status.ts';
import { timeTickToMs, type TimeTick } from '../../../shared/time/time-tick.ts';
import type { WalRecord } from '../codec/records.ts';
import type { Clock } from '../runtime/clock.ts';

/** Ticks come every 0.2 s on a channel in use; a source that restarts is away for some seconds. */
export const SILENT_AFTER_MS = 10_000;
/** After so long without a change a source is called idle. */
const IDLE_AFTER_MS = 20_000;
/** Below this a difference of clocks is not worth a word: Milvus' own timestamps move in steps of 50 ms. */
export const CLOCK_AHEAD_MS_MIN = 1_000;
/** How far the clock is ahead is the most that was seen in this span and the one before, so that it may also fall. */
const AHEAD_SPAN_MS = 60_000;

/** A channel that is being read, at one moment. */
export interface ChannelReading {
  readonly channel: PChannel;
  /** Shards are followed on it: Milvus then writes ticks into it. */
  readonly isInUse: boolean;
  /** Its reader waits for memory, not for the log. */
  readonly waitsForMemory: boolean;
}

export class SourceClock {
  readonly #clock: Clock;
  /** When the channel last gave a sign; at first: when it was first looked at in use. */
  readonly #lastSignMs = new Map<PChannel, number>();
  #lastTickSeen = false;
  #lastChangeMs: number | undefined;
  #spanBeganMs = 0;
  #aheadMs = 0;
  #aheadBeforeMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** By the reader of the channel itself; one that reads older messages for a single shard says nothing of the source. */
  messageRead(channel: PChannel, { kind, endTick }: Pick<WalRecord, 'kind' | 'endTick'>): void {
    if (kind !== 'timeTick') {
      this.changed(channel);
      return;
    }
    const now = this.#clock.now();
    this.#lastSignMs.set(channel, now);
    this.#tickRead(endTick, now);
  }

  /** A message that is no tick. */
  changed(channel: PChannel): void {
    const now = this.#clock.now();
    this.#lastSignMs.set(channel, now);
    this.#lastChangeMs = now;
  }

  #tickRead(tick: TimeTick, now: number): void {
    this.#lastTickSeen = true;
    if (now - this.#spanBeganMs >= AHEAD_SPAN_MS || now < this.#spanBeganMs) {
      this.#spanBeganMs = now;
      this.#aheadBeforeMs = this.#aheadMs;
      this.#aheadMs = 0;
    }
    const aheadMs = timeTickToMs(tick) - now;
    if (aheadMs > this.#aheadMs) this.#aheadMs = aheadMs;
  }

  /**
   * How far the source's clock is ahead of ours at least, 0 where it is not known to be. Stays as it is while no tick comes, so
   * that what is counted with it grows by the clock alone.
   */
  get aheadMs(): number {
    return Math.max(this.#aheadMs, this.#aheadBeforeMs);
  }

  /** Age of a source time, by the source's clock as far as it is known; never negative. */
  ageMs(sourceMs: number): number {
    return Math.max(0, this.#clock.now() + this.aheadMs - sourceMs);
  }

  status(channels: readonly ChannelReading[]): SourceStatus {
    const now = this.#clock.now();
    const clock = this.aheadMs >= CLOCK_AHEAD_MS_MIN ? { clockAheadMs: Math.round(this.aheadMs) } : {};
    const silent = channels.filter((reading) => this.#isSilent(reading, now));
    if (silent.length > 0) {
      const sinceMs = Math.min(...silent.map(({ channel }) => this.#lastSignMs.get(channel) ?? now));
      return { activity: 'silent', sinceMs, silentChannels: silent.map(({ channel }) => channel), ...clock };
    }
    if (!this.#lastTickSeen) return { activity: 'unknown', ...clock };
    const sinceMs = this.#lastChangeMs;
    // Nothing in this run: since when is not known until it has lasted long enough.
    if (sinceMs !== undefined && now - sinceMs < IDLE_AFTER_MS) return { activity: 'changing', ...clock };
    return { activity: 'idle', ...(sinceMs === undefined ? {} : { sinceMs }), ...clock };
  }

  #isSilent({ channel, isInUse, waitsForMemory }: ChannelReading, now: number): boolean {
    const last = this.#lastSignMs.get(channel);
    if (last === undefined || !isInUse || waitsForMemory) {
      // It could give no sign, so its silence is counted from now.
      this.#lastSignMs.set(channel, now);
      return false;
    }
    return now - last >= SILENT_AFTER_MS;
  }
}
