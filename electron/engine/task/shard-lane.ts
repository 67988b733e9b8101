/**
 * Applies one shard's (vchannel's) changes: hands them to its collection in order, batch by batch, and sends the writes that
 * come of them through its window. What an entry means is its collection's business, in which order writes may be sent is
 * the window's; the lane knows how far everything is confirmed.
 */
import type { VChannel } from '../../../shared/model/ids.ts';
import { firstOrdinal, ORDINAL_NONE, type Checkpoint, type MessageOrdinal } from '../../../shared/model/position.ts';
import type { TimeTick } from '../../../shared/time/time-tick.ts';
import { orAborted } from '../runtime/waiting.ts';
import { DoubtfulKeys } from './doubtful-keys.ts';
import type { JoinedWrite } from './joined-write.ts';
import type { LogEntry } from './log-entry.ts';
import type { TickBatch } from './tick-assembler.ts';
import { WriteWindow, type SendWrite } from './write-window.ts';

/**
 * `working`: writes, or waits for the target; will free memory by itself. `waiting`: for another shard or collection.
 */
export type LaneActivity = 'idle' | 'working' | 'waiting' | 'stopped';

export interface LaneOwner {
  /**
   * Takes entries of one tick, in order: resolves when each is done with, or stands in the lane's window. Rejects when the
   * shard cannot go on.
   */
  applyEntries(lane: ShardLane, entries: readonly LogEntry[]): Promise<void>;
  /** The lane's progress or activity changed. */
  laneChanged(lane: ShardLane): void;
  /** The lane's doubtful window is confirmed. Rejects when what it holds is not what it must be. */
  checkDoubtful(keys: DoubtfulKeys): Promise<void>;
  /** All up to the checkpoint is confirmed by the target. */
  laneConfirmed(lane: ShardLane): void;
  /** `write`: the one that failed, where it was one. */
  laneFailed(lane: ShardLane, error: unknown, write?: JoinedWrite): void;
  /** The entry's bytes are no longer needed by this lane. */
  release(entry: LogEntry): void;
}

interface QueuedBatch {
  readonly entries: readonly LogEntry[];
  checkpoint: Checkpoint;
}

export class ShardLane {
  readonly vchannel: VChannel;
  /** Messages up to here may have been written by an earlier run that died before it could say so. */
  readonly #doubtfulUntil: MessageOrdinal;
  /**
   * What the doubtful window touches; `undefined` behind it. In it everything is written by key, which repeats nothing, and
   * its checkpoint is not given out before the keys have been counted.
   */
  #doubt: DoubtfulKeys | undefined;
  #intent: MessageOrdinal;
  #sentUntil: MessageOrdinal = ORDINAL_NONE;
  readonly #owner: LaneOwner;
  readonly #signal: AbortSignal;
  readonly #queue: QueuedBatch[] = [];
  readonly #window: WriteWindow;
  #confirmed: Checkpoint;
  /** Reached inside the doubtful window. */
  #held: Checkpoint | undefined;
  #progress: TimeTick;
  #activity: LaneActivity = 'idle';
  /** The collection is being handed entries. */
  #isHandingOn = false;
  #hasFailed = false;

  constructor(
    owner: LaneOwner,
    vchannel: VChannel,
    checkpoint: Checkpoint,
    /** The stored intent mark. */
    intent: MessageOrdinal,
    signal: AbortSignal,
    doubtfulUntil = intent,
  ) {
    this.#owner = owner;
    this.vchannel = vchannel;
    this.#confirmed = checkpoint;
    this.#progress = checkpoint.tick;
    this.#doubtfulUntil = doubtfulUntil;
    this.#doubt = this.#isBehind(checkpoint) ? undefined : new DoubtfulKeys();
    this.#intent = intent;
    this.#signal = signal;
    this.#window = new WriteWindow(
      {
        release: ({ pieces }) => {
          for (const { entry } of pieces) owner.release(entry);
        },
        reached: (tick) => this.#advance(tick),
        confirmed: (reached) => this.#confirm(reached),
        emptied: () => this.#rest(),
        failed: (error, write) => this.#fail(error, write),
      },
      signal,
    );
  }

  get confirmed(): Checkpoint {
    return this.#confirmed;
  }

  /** Of the doubtful window; `undefined` behind it. */
  get doubt(): DoubtfulKeys | undefined {
    return this.#doubt;
  }

  /** The intent mark that is on disk: messages up to here may be written. */
  get intent(): MessageOrdinal {
    return this.#intent;
  }

  /** Messages up to here may have been written, by this run or, where it is in doubt, by an earlier one. */
  get mayBeWritten(): MessageOrdinal {
    return this.#doubt === undefined || this.#sentUntil > this.#doubtfulUntil ? this.#sentUntil : this.#doubtfulUntil;
  }

  /** Messages up to `ordinal` are about to be written. */
  willWrite(ordinal: MessageOrdinal): void {
    if (ordinal > this.#sentUntil) this.#sentUntil = ordinal;
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
    } else if (this.#isHandingOn || this.#doubt !== undefined) {
      this.#queue.push({ entries: [], checkpoint: batch.checkpoint });
    } else {
      this.#window.mark(batch.checkpoint);
      return;
    }
    if (!this.#isHandingOn) void this.#handOn();
  }

  /**
   * The write stands in the window from then on, which sends it with `send` when its turn has come; before that its entries
   * are the caller's. In the order of the log.
   */
  write(write: JoinedWrite, send: SendWrite): Promise<void> {
    return this.#window.take(write, send);
  }

  /** Resolves when every write so far is confirmed. */
  whenWritten(): Promise<void> {
    return this.#window.whenEmpty();
  }

  /** All changes below `tick` have been taken; what follows is at `tick` or later. */
  reached(tick: TimeTick): void {
    if (this.#window.isEmpty) this.#advance(tick);
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
    this.#window.end(new Error('The shard has stopped.'));
  }

  async #handOn(): Promise<void> {
    this.#isHandingOn = true;
    this.#setActivity('working');
    try {
      for (let batch = this.#queue.shift(); batch !== undefined; batch = this.#queue.shift()) {
        if (batch.entries.length > 0) await this.#owner.applyEntries(this, batch.entries);
        if (this.#isStopped()) return;
        this.#window.mark(batch.checkpoint);
        if (this.#doubt !== undefined && this.#isBehind(batch.checkpoint)) await this.#endDoubt(this.#doubt);
      }
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#isHandingOn = false;
    this.#rest();
  }

  /** Whether a shard that resumes there has the doubtful window behind it. */
  #isBehind({ resume }: Checkpoint): boolean {
    return firstOrdinal(resume) > this.#doubtfulUntil;
  }

  async #endDoubt(keys: DoubtfulKeys): Promise<void> {
    await this.#window.whenEmpty();
    await this.#owner.checkDoubtful(keys);
    this.#doubt = undefined;
    if (this.#held !== undefined && !this.#isStopped()) this.#confirm(this.#held);
  }

  /** Nothing to hand on, nothing in flight. */
  #rest(): void {
    if (!this.#isHandingOn && this.#window.isEmpty) this.#setActivity('idle');
  }

  #fail(error: unknown, write?: JoinedWrite): void {
    // Whoever waited for a write that failed hears of it as well.
    if (this.#hasFailed || this.#isStopped()) return;
    this.#hasFailed = true;
    this.#owner.laneFailed(this, error, write);
  }

  #advance(tick: TimeTick): void {
    const before = (tick - 1n) as TimeTick;
    if (before <= this.#progress) return;
    this.#progress = before;
    this.#owner.laneChanged(this);
  }

  #confirm(checkpoint: Checkpoint): void {
    this.#progress = checkpoint.tick;
    if (this.#doubt === undefined) {
      this.#confirmed = checkpoint;
      this.#owner.laneConfirmed(this);
    } else {
      this.#held = checkpoint;
    }
    this.#owner.laneChanged(this);
  }

  #setActivity(activity: LaneActivity): void {
    if (this.#activity === activity || this.#activity === 'stopped') return;
    this.#activity = activity;
    this.#owner.laneChanged(this);
  }

  /** `stop` may be called while a batch is being handed on. */
  #isStopped(): boolean {
    return this.#activity === 'stopped';
  }
}
