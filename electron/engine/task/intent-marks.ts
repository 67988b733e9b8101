/**
 * How far writes may have gone, on disk before the first byte is sent. A message that a plain Insert has written must not
 * be written so again by a later run; up to its shard's mark that run writes by key, behind it nothing has been written.
 *
 * Marks move in coarse steps: a step is one transaction of a few milliseconds, and costs at most as many needless keyed
 * writes after a crash as there are messages in it.
 */
import type { VChannel } from '../../../shared/model/ids.ts';
import { asOrdinal, type MessageOrdinal } from '../../../shared/model/position.ts';
import type { TaskStore } from '../../../shared/model/task-state.ts';
import type { ShardLane } from './shard-lane.ts';

/** In messages of the channel, ticks included: some 50 s of a quiet channel, a second or two of a busy one. */
const INTENT_STEP_MESSAGES = 256n;

export class IntentMarks {
  readonly #store: Pick<TaskStore, 'saveIntents'>;
  #due = new Map<ShardLane, MessageOrdinal>();
  #stored: Promise<void> | undefined;

  constructor(store: Pick<TaskStore, 'saveIntents'>) {
    this.#store = store;
  }

  /** Resolves when messages of the lane up to `ordinal` may be written. @throws storeFailed */
  async cover(lane: ShardLane, ordinal: MessageOrdinal): Promise<void> {
    lane.willWrite(ordinal);
    if (ordinal <= lane.intent) return;
    this.#due.set(lane, asOrdinal(ordinal + INTENT_STEP_MESSAGES));
    // Lanes that ask in one turn of the event loop share a transaction.
    this.#stored ??= new Promise<void>((resolve) => setImmediate(resolve)).then(() => this.#save());
    await this.#stored;
  }

  /**
   * At an orderly end, when nothing more will be written: the steps that were taken in advance are given back, so that the
   * next run doubts nothing but what this one has sent and not seen confirmed. @throws storeFailed
   */
  settle(lanes: Iterable<ShardLane>): void {
    const lowered = new Map<VChannel, MessageOrdinal>();
    for (const lane of lanes) if (lane.mayBeWritten < lane.intent) lowered.set(lane.vchannel, lane.mayBeWritten);
    if (lowered.size > 0) this.#store.saveIntents(lowered);
  }

  #save(): void {
    const due = this.#due;
    this.#due = new Map();
    this.#stored = undefined;
    const marks = new Map<VChannel, MessageOrdinal>();
    for (const [lane, intent] of due) marks.set(lane.vchannel, intent);
    this.#store.saveIntents(marks);
    for (const [lane, intent] of due) lane.intentStored(intent);
  }
}
