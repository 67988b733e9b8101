/**
 * Applies one shard's (vchannel's) changes in order: one batch after the other, one write in flight. The lane only
 * loops; what an entry means is its collection's business.
 */
import type { VChannel } from '../../../shared/model/ids.ts';
import type { Checkpoint, MessageOrdinal } from '../../../shared/model/position.ts';
import type { TimeTick } from '../../../shared/time/time-tick.ts';
import { orAborted } from '../runtime/waiting.ts';
import type { LogEntry } from './log-entry.ts';
import type { TickBatch } from './tick-assembler.ts';

/**
 * `working`: writes, or waits for the target; will free memory by itself. `waiting`: for another shard or collection.
 */
export type LaneActivity = 'idle' | 'working' | 'waiting' | 'stopped';

export interface LaneOwner {
  /** Applies entries of one tick in order. Rejects when the shard cannot go on. */
  applyEntries(lane: ShardLane, entries: readonly LogEntry[]): Promise<void>;
  /** The lane's progress or activity changed. */
  laneChanged(lane: ShardLane): void;
  /** All up to the checkpoint is confirmed by the target. */
  laneConfirmed(lane: ShardLane): void;
  laneFailed(lane: ShardLane, error: unknown): void;
  /** The entry's bytes are no longer needed by this lane. */
  release(entry: LogEntry): void;
}

interface QueuedBatch {
  readonly entries: readonly LogEntry[];
  checkpoint: Checkpoint;
}

export class ShardLane {
  readonly vchannel: VChannel;
  /**
   * Messages up to here may have been written by an earlier run that died before it could say so: they are written by
   * key, which repeats nothing.
   */
  readonly doubtfulUntil: MessageOrdinal;
  #intent: MessageOrdinal;
  readonly #owner: LaneOwner;
  readonly #signal: AbortSignal;
  readonly #queue: QueuedBatch[] = [];
  #confirmed: Checkpoint;
  #progress: TimeTick;
  #activity: LaneActivity = 'idle';

  constructor(
    owner: LaneOwner,
    vchannel: VChannel,
    checkpoint: Checkpoint,
    /** The stored intent mark. */
    intent: MessageOrdinal,
    signal: AbortSignal,
  ) {
    this.#owner = owner;
    this.vchannel = vchannel;
    this.#confirmed = checkpoint;
    this.#progress = checkpoint.tick;
    this.doubtfulUntil = intent;
    this.#intent = intent;
    this.#signal = signal;
  }

  get confirmed(): Checkpoint {
    return this.#confirmed;
  }

  /** The intent mark that is on disk: messages up to here may be written. */
  get intent(): MessageOrdinal {
    return this.#intent;
  }

  intentStored(intent: MessageOrdinal): void {
    if (intent > this.#intent) this.#intent = intent;
  }

  /** Every change of the shard up to this timestamp is confirmed; runs ahead of `confirmed` inside a batch. */
  get progress(): TimeTick {
    return this.#progress;
  }

  get activity(): LaneActivity {
    return this.#activity;
  }

  /** Batches must come in the order of their ticks. */
  enqueue(batch: TickBatch): void {
    if (this.#activity === 'stopped') {
      for (const entry of batch.entries) this.#owner.release(entry);
      return;
    }
    const tail = this.#queue.at(-1);
    if (batch.entries.length > 0) {
      this.#queue.push({ entries: batch.entries, checkpoint: batch.checkpoint });
    } else if (tail !== undefined) {
      // Nothing to do up to this tick: whoever confirms the last work has reached it too.
      tail.checkpoint = batch.checkpoint;
    } else if (this.#activity === 'idle') {
      this.#confirm(batch.checkpoint);
      return;
    } else {
      this.#queue.push({ entries: [], checkpoint: batch.checkpoint });
    }
    if (this.#activity === 'idle') void this.#drain();
  }

  /** All changes below `tick` are done; what follows is at `tick` or later. */
  reached(tick: TimeTick): void {
    const before = (tick - 1n) as TimeTick;
    if (before <= this.#progress) return;
    this.#progress = before;
    this.#owner.laneChanged(this);
  }

  /** Waits for something that only another shard or collection can bring about. */
  async waitFor<T>(promise: Promise<T>): Promise<T> {
    this.#setActivity('waiting');
    try {
      return await orAborted(promise, this.#signal);
    } finally {
      if (this.#activity === 'waiting') this.#setActivity('working');
    }
  }

  /** Ends the lane for good and lets its memory go; what is in flight ends with the owner's signal. */
  stop(): void {
    this.#setActivity('stopped');
    for (const batch of this.#queue.splice(0)) for (const entry of batch.entries) this.#owner.release(entry);
  }

  async #drain(): Promise<void> {
    this.#setActivity('working');
    try {
      for (let batch = this.#queue.shift(); batch !== undefined; batch = this.#queue.shift()) {
        if (batch.entries.length > 0) await this.#owner.applyEntries(this, batch.entries);
        if (this.#isStopped()) return;
        this.#confirm(batch.checkpoint);
      }
      this.#setActivity('idle');
    } catch (error) {
      if (!this.#isStopped()) this.#owner.laneFailed(this, error);
    }
  }

  #confirm(checkpoint: Checkpoint): void {
    this.#confirmed = checkpoint;
    this.#progress = checkpoint.tick;
    this.#owner.laneConfirmed(this);
    this.#owner.laneChanged(this);
  }

  #setActivity(activity: LaneActivity): void {
    if (this.#activity === activity || this.#activity === 'stopped') return;
    this.#activity = activity;
    this.#owner.laneChanged(this);
  }

  /** `stop` may be called while a batch is being applied. */
  #isStopped(): boolean {
    return this.#activity === 'stopped';
  }
}
