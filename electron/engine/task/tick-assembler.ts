/**
 * Puts one physical channel's messages into the order in which they happened.
 *
 * Between two time ticks messages stand in the log unsorted; a tick T promises that no message with a timestamp up to T
 * follows. So messages wait for the first tick at or above their timestamp and leave sorted by timestamp, deletes before
 * inserts. A tick names no shard: it counts for every shard of the channel (Milvus 2.3 `TimeTickMsg`).
 *
 * With the batch of a tick goes the checkpoint that is reached once the batch is confirmed. It is fixed here, when the
 * tick is read: resume at the oldest message of the shard that was read before the tick and stays behind it, or at the
 * tick itself when there is none. The tick's own position alone would lose what stays behind.
 *
 * Pure: no I/O, no clock.
 */
import type { VChannel } from '../../../shared/model/ids.ts';
import type { Checkpoint, MessageOrdinal } from '../../../shared/model/position.ts';
import { TIME_TICK_ZERO, type TimeTick } from '../../../shared/time/time-tick.ts';
import type { WalRecord } from '../codec/records.ts';
import type { LogEntry } from './log-entry.ts';

export interface TickBatch {
  readonly vchannel: VChannel;
  /** In order. Empty when the shard had nothing up to the tick. */
  readonly entries: readonly LogEntry[];
  /** Reached when all entries, and those of every earlier batch of the shard, are confirmed. */
  readonly checkpoint: Checkpoint;
}

/** A shard on its way from one assembler of a channel to another. */
export interface ShardInTransit {
  readonly appliedTick: TimeTick;
  readonly isPastCheckpoint: boolean;
  readonly pending: readonly LogEntry[];
}

interface Shard {
  /** Changes up to here are confirmed already, or on their way. */
  appliedTick: TimeTick;
  /**
   * Whether reading has come to the tick that the checkpoint stands at. Before it, changes up to `appliedTick` are read a
   * second time and must not be applied again. After it, one that comes late all the same is news, and leaves with the
   * next tick, as it does in Milvus itself.
   */
  isPastCheckpoint: boolean;
  /** Messages before it belong to others of the channel, or were applied. */
  readonly from: MessageOrdinal;
  pending: LogEntry[];
}

/** Order within one timestamp. Only deletes before inserts ever meet there; the rest is for totality. */
const KIND_RANK: Record<WalRecord['kind'], number> = {
  createCollection: 0,
  createPartition: 1,
  delete: 2,
  insert: 3,
  unknown: 4,
  operation: 4,
  timeTick: 4,
  dropPartition: 5,
  dropCollection: 6,
};

function inLogOrder(a: LogEntry, b: LogEntry): number {
  if (a.beginTick !== b.beginTick) return a.beginTick < b.beginTick ? -1 : 1;
  const rank = KIND_RANK[a.kind] - KIND_RANK[b.kind];
  if (rank !== 0) return rank;
  if (a.ordinal === b.ordinal) return 0;
  return a.ordinal < b.ordinal ? -1 : 1;
}

export class TickAssembler {
  readonly #incarnation: string;
  readonly #shards = new Map<VChannel, Shard>();
  #lastTick: TimeTick = TIME_TICK_ZERO;

  /** `incarnation`: of the log that the ordinals count in. */
  constructor(incarnation: string) {
    this.#incarnation = incarnation;
  }

  /** The last tick read. */
  get lastTick(): TimeTick {
    return this.#lastTick;
  }

  /** From now on messages of the shard are taken: those from `from` on whose timestamp is above `appliedTick`. */
  join(vchannel: VChannel, from: MessageOrdinal, appliedTick: TimeTick): void {
    if (this.#shards.has(vchannel)) return;
    this.#shards.set(vchannel, { appliedTick, isPastCheckpoint: false, from, pending: [] });
  }

  /** Takes a shard out with all that waits for its tick, for `attach` elsewhere. */
  detach(vchannel: VChannel): ShardInTransit {
    const shard = this.#shards.get(vchannel);
    this.#shards.delete(vchannel);
    return shard ?? { appliedTick: TIME_TICK_ZERO, isPastCheckpoint: false, pending: [] };
  }

  /** Goes on with a shard that has been read up to, not including, `from`. */
  attach(vchannel: VChannel, shard: ShardInTransit, from: MessageOrdinal): void {
    this.#shards.set(vchannel, { ...shard, pending: [...shard.pending], from });
  }

  has(vchannel: VChannel): boolean {
    return this.#shards.has(vchannel);
  }

  /** The shard has ended, or is followed elsewhere. Returns what was waiting, for its memory to be freed. */
  leave(vchannel: VChannel): readonly LogEntry[] {
    const shard = this.#shards.get(vchannel);
    this.#shards.delete(vchannel);
    return shard?.pending ?? [];
  }

  /** Takes a message for a shard; returns whether it is wanted (not before its start, not applied before). */
  push(vchannel: VChannel, entry: LogEntry): boolean {
    const shard = this.#shards.get(vchannel);
    if (shard === undefined || entry.ordinal < shard.from) return false;
    if (!shard.isPastCheckpoint && entry.endTick <= shard.appliedTick) return false;
    shard.pending.push(entry);
    return true;
  }

  /**
   * A tick was read: one batch for every shard that it moves forward, and the repeated messages that were dropped.
   * Ticks at or below an earlier one (a log read again) move nothing.
   */
  tick(ordinal: MessageOrdinal, tick: TimeTick): { batches: TickBatch[]; repeated: LogEntry[] } {
    if (tick > this.#lastTick) this.#lastTick = tick;
    const batches: TickBatch[] = [];
    const repeated: LogEntry[] = [];
    for (const [vchannel, shard] of this.#shards) {
      if (ordinal < shard.from) continue;
      if (tick >= shard.appliedTick) shard.isPastCheckpoint = true;
      if (tick <= shard.appliedTick) continue;
      shard.appliedTick = tick;
      let entries: LogEntry[] = [];
      if (shard.pending.length > 0) {
        const due: LogEntry[] = [];
        const behind: LogEntry[] = [];
        for (const entry of shard.pending) (entry.endTick <= tick ? due : behind).push(entry);
        shard.pending = behind;
        entries = withoutRepeats(due.sort(inLogOrder), repeated);
      }
      const oldestBehind = shard.pending[0]?.ordinal;
      const resume = { kind: 'at', ordinal: oldestBehind ?? ordinal, incarnation: this.#incarnation } as const;
      batches.push({ vchannel, entries, checkpoint: { resume, tick } });
    }
    return { batches, repeated };
  }
}

/** Milvus drops data messages whose id repeats inside one tick (`MqTtMsgStream`, 2.3): a producer sent them twice. */
function withoutRepeats(sorted: LogEntry[], repeated: LogEntry[]): LogEntry[] {
  const seen = { insert: new Set<bigint>(), delete: new Set<bigint>() };
  return sorted.filter((entry) => {
    if ((entry.kind !== 'insert' && entry.kind !== 'delete') || entry.messageId === 0n) return true;
    if (!seen[entry.kind].has(entry.messageId)) {
      seen[entry.kind].add(entry.messageId);
      return true;
    }
    repeated.push(entry);
    return false;
  });
}
