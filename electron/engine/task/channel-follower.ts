/**
 * Reads one physical channel: asks the budget, reads, decodes, hands every message to the shards that it is for, and at
 * every tick passes each shard's batch on to its lane. Only the loop; order is the assembler's, effects are the lanes'.
 */
import { asVChannel, type PChannel, type VChannel } from '../../../shared/model/ids.ts';
import {
  asOrdinal,
  firstOrdinal,
  compareResumePoints,
  ORDINAL_NONE,
  type MessageOrdinal,
  type ResumePoint,
} from '../../../shared/model/position.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { StoredChannel } from '../../../shared/model/task-state.ts';
import type { TimeTick } from '../../../shared/time/time-tick.ts';
import { decodeRecord } from '../codec/decode.ts';
import { shardOfRows } from '../codec/passing-rows.ts';
import type { CreateCollectionRecord, WalRecord } from '../codec/records.ts';
import type { BudgetMember, ReadBudget } from '../runtime/read-budget.ts';
import type { RetryObserver } from '../runtime/retry.ts';
import { Conditions } from '../runtime/waiting.ts';
import type { Wal, WalMessage, WalReader } from '../source/wal/wal.ts';
import type { CollectionRegistry } from './collection-registry.ts';
import { keepReading } from './keep-reading.ts';
import { toLogEntry, type LogEntry } from './log-entry.ts';
import type { ShardLane } from './shard-lane.ts';
import { TickAssembler } from './tick-assembler.ts';

export interface FollowerContext {
  readonly wal: Wal;
  readonly budget: ReadBudget;
  readonly registry: CollectionRegistry;
  readonly observer: RetryObserver;
  readonly signal: AbortSignal;
  /** A collection unknown so far was created by the log. When this resolves it is registered durably, or ignored. */
  collectionBorn(record: CreateCollectionRecord, channel: ChannelFollower, ordinal: MessageOrdinal): Promise<void>;
  /** The channel's own news up to the tick are taken up. */
  channelConfirmed(channel: PChannel, resume: ResumePoint, tick: TimeTick): void;
  /** A message was read: for counters and for reporting unknown types. */
  messageRead(record: WalRecord, bytes: number): void;
  /** Rows of a shard that is not followed here were passed over. */
  rowsPassed(bytes: number): void;
  release(entry: LogEntry): void;
  /** After each message. */
  taken?(follower: ChannelFollower): void;
}

export class ChannelFollower implements BudgetMember {
  readonly channel: PChannel;
  readonly #context: FollowerContext;
  readonly #assembler: TickAssembler;
  readonly #lanes = new Map<VChannel, ShardLane>();
  readonly #conditions = new Conditions();
  #newsTick: TimeTick;
  readonly #newsFrom: MessageOrdinal;
  #start: ResumePoint;
  #lastOrdinal: MessageOrdinal = ORDINAL_NONE;
  #lastTickOrdinal: MessageOrdinal = ORDINAL_NONE;
  #isRunning = false;
  #hasEnded = false;

  constructor(context: FollowerContext, stored: StoredChannel) {
    this.#context = context;
    this.channel = stored.channel;
    this.#start = stored.checkpoint.resume;
    this.#newsTick = stored.checkpoint.tick;
    this.#newsFrom = stored.checkpoint.resume.ordinal;
    this.#assembler = new TickAssembler(stored.checkpoint.resume.incarnation);
  }

  /** Where reading begins, or goes on. */
  get start(): ResumePoint {
    return this.#start;
  }

  get incarnation(): string {
    return this.#start.incarnation;
  }

  /** Before `run`: a shard that may begin earlier than the channel's own news. While running: one that begins now. */
  addLane(lane: ShardLane): void {
    const { resume, tick } = lane.confirmed;
    this.#lanes.set(lane.vchannel, lane);
    const from = firstOrdinal(resume);
    this.#assembler.join(lane.vchannel, from, tick);
    if (!this.#isRunning && compareResumePoints(resume, this.#start) < 0) this.#start = resume;
  }

  /**
   * The shard is followed by `other` from now on, which reads the same channel and has not read further than this one:
   * what it reads a second time is passed over.
   */
  handOver(vchannel: VChannel, other: ChannelFollower): void {
    const lane = this.#lanes.get(vchannel);
    if (lane === undefined) return;
    this.#lanes.delete(vchannel);
    other.#lanes.set(vchannel, lane);
    // The other one's reading may have begun behind the tick at which the shard stands.
    if (this.#lastTickOrdinal > other.#lastTickOrdinal) other.#lastTickOrdinal = this.#lastTickOrdinal;
    other.#assembler.attach(vchannel, this.#assembler.detach(vchannel), asOrdinal(this.#lastOrdinal + 1n));
    other.#conditions.changed();
  }

  /** Whether all that `other` has read of the channel has been read here too. */
  isLevelWith(other: ChannelFollower): boolean {
    return other.#isRunning && this.#lastOrdinal >= other.#lastOrdinal;
  }

  hasLane(vchannel: VChannel): boolean {
    return this.#lanes.has(vchannel);
  }

  get hasLanes(): boolean {
    return this.#lanes.size > 0;
  }

  removeLane(lane: ShardLane): void {
    // A later lane of the shard may be in its place by now.
    if (this.#lanes.get(lane.vchannel) !== lane) return;
    this.#lanes.delete(lane.vchannel);
    for (const entry of this.#assembler.leave(lane.vchannel)) this.#context.release(entry);
  }

  readTick(): TimeTick {
    return this.#assembler.lastTick;
  }

  hasWork(): boolean {
    for (const lane of this.#lanes.values()) if (lane.activity === 'working') return true;
    return false;
  }

  /** Every message up to `ordinal`, or every change up to `tick`, has been read and handed on; or nothing more will be. */
  whenRead(ordinal: MessageOrdinal, tick: TimeTick | undefined, signal: AbortSignal): Promise<void> {
    return this.#conditions.until(
      () => this.#hasEnded || this.#lastOrdinal >= ordinal || (tick !== undefined && this.readTick() >= tick),
      signal,
    );
  }

  /** Whether a shard that resumes there would miss what this one has read already. */
  hasReadPast(resume: ResumePoint): boolean {
    return this.#isRunning && this.#lastOrdinal >= firstOrdinal(resume);
  }

  /** Whether a shard that resumes at `next` has all up to message `ordinal` confirmed. */
  isPast(next: MessageOrdinal, ordinal: MessageOrdinal): boolean {
    // A shard that resumes at the message itself has applied it if it is a tick, and has it still before it otherwise.
    return next > ordinal || (next === ordinal && this.#lastTickOrdinal === ordinal);
  }

  hasRead(ordinal: MessageOrdinal): boolean {
    return this.#isRunning && this.#lastOrdinal >= ordinal;
  }

  /** Every change up to message `ordinal` is confirmed by the target, in every shard of the channel. */
  whenConfirmed(ordinal: MessageOrdinal, signal: AbortSignal): Promise<void> {
    const isLevel = (lane: ShardLane): boolean => this.isPast(firstOrdinal(lane.confirmed.resume), ordinal);
    return this.#conditions.until(
      () => this.#lastOrdinal >= ordinal && [...this.#lanes.values()].every(isLevel),
      signal,
    );
  }

  laneChanged(): void {
    this.#conditions.changed();
  }

  /** Reads until the signal aborts. Rejects when the channel cannot go on; what was read stays with its lanes. */
  async run(): Promise<void> {
    const { budget, wal, signal, observer } = this.#context;
    this.#isRunning = true;
    this.#lastOrdinal = asOrdinal(firstOrdinal(this.#start) - 1n);
    budget.join(this);
    try {
      await keepReading({
        open: () => wal.open(this.channel, this.#start, signal),
        readOnce: (reader) => this.#readOnce(reader),
        signal,
        observer,
      });
    } finally {
      this.#hasEnded = true;
      this.#conditions.changed();
      budget.leave(this);
    }
  }

  async #readOnce(reader: WalReader): Promise<void> {
    const { budget, signal } = this.#context;
    const admission = await budget.admit(this, signal);
    try {
      for (const message of await reader.read(admission.bytesMax, signal)) {
        await this.#take(message, admission.outlineOnly);
        this.#context.taken?.(this);
      }
    } finally {
      budget.finished(this, admission);
    }
    this.#conditions.changed();
  }

  async #take(message: WalMessage, outlineOnly: boolean): Promise<void> {
    const passing = shardOfRows(message.payload);
    if (passing !== undefined && !this.#lanes.has(asVChannel(passing))) {
      this.#context.rowsPassed(message.payload.length);
      this.#hasRead(message);
      return;
    }
    const record = decodeRecord(message.payload);
    if (record.kind === 'malformed') throw this.#malformed(message, record.what, record.offset);
    this.#context.messageRead(record, message.payload.length);
    if (record.kind === 'createCollection' && record.endTick > this.#newsTick) {
      await this.#context.collectionBorn(record, this, message.ordinal);
    }
    // In one go with its handing on: a shard that joins in between would miss the message.
    this.#hasRead(message);
    switch (record.kind) {
      case 'timeTick':
        this.#tick(message.ordinal, record.beginTick);
        return;
      case 'operation':
      case 'unknown':
        return;
      default:
        break;
    }
    this.#handOn(record, message, outlineOnly);
  }

  #hasRead({ ordinal }: WalMessage): void {
    this.#lastOrdinal = ordinal;
    this.#start = { kind: 'after', ordinal, incarnation: this.#start.incarnation };
  }

  #handOn(record: WalRecord, message: WalMessage, outlineOnly: boolean): void {
    const entry = toLogEntry(message.ordinal, record, message.payload.length);
    for (const vchannel of this.#shardsOf(record)) if (this.#assembler.push(vchannel, entry)) entry.uses += 1;
    if (entry.uses === 0) return;
    if (outlineOnly) {
      entry.content = undefined;
      entry.heldBytes = 0;
    }
    entry.holder = this;
    this.#context.budget.hold(this, entry.heldBytes, entry.rowCount);
  }

  /** Data messages name their shard; the others are for every shard of their collection on this channel. */
  #shardsOf(record: WalRecord): VChannel[] {
    if (record.kind === 'insert' || record.kind === 'delete') return [record.vchannel];
    if (!('collectionId' in record)) return [];
    const shards = this.#context.registry.get(record.collectionId)?.vchannels ?? [];
    return shards.filter((vchannel) => this.#lanes.has(vchannel));
  }

  #tick(ordinal: MessageOrdinal, tick: TimeTick): void {
    this.#lastTickOrdinal = ordinal;
    const { batches, repeated } = this.#assembler.tick(ordinal, tick);
    for (const entry of repeated) this.#context.release(entry);
    for (const batch of batches) this.#lanes.get(batch.vchannel)?.enqueue(batch);
    if (tick <= this.#newsTick || ordinal <= this.#newsFrom) return;
    this.#newsTick = tick;
    // Nothing of the channel's own stands before its tick: the tick itself may be removed from the log.
    this.#context.channelConfirmed(this.channel, { kind: 'after', ordinal, incarnation: this.incarnation }, tick);
  }

  #malformed(message: WalMessage, what: string, offset: number): ReplicationError {
    return new ReplicationError(
      'malformedMessage',
      'wal',
      `A message of the source's log cannot be read (${what}, byte ${offset} of message ${message.ordinal} in ${this.channel}). Reading of this channel stops before it; report this message.`,
      {
        context: { channel: this.channel, ordinal: message.ordinal.toString(), offset, bytes: message.payload.length },
      },
    );
  }
}
