/**
 * Reads the operation channel and brings each operation to its place among the data.
 *
 * The operation channel has no ticks, so an operation's place is found from the other side: it is due when every data
 * channel has been read up to its timestamp, or, where a channel is quiet, up to what stood in it when the operation
 * was read. By then every collection that it can mean is known. Its collection runs it when all earlier changes are in.
 *
 * Operations of different collections do not wait for each other. The channel's checkpoint is the unbroken run of
 * finished ones; a crash repeats the rest, of which each collection knows what it has had.
 */
import type { PChannel } from '../../../shared/model/ids.ts';
import { asOrdinal, type MessageOrdinal, type ResumePoint } from '../../../shared/model/position.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { StoredChannel } from '../../../shared/model/task-state.ts';
import type { TimeTick } from '../../../shared/time/time-tick.ts';
import { decodeRecord } from '../codec/decode.ts';
import { MSG_REPLICATE } from '../codec/message-types.ts';
import type { OperationRecord, UnknownRecord, WalRecord } from '../codec/records.ts';
import type { RetryObserver } from '../runtime/retry.ts';
import { Conditions } from '../runtime/waiting.ts';
import type { Wal, WalMessage, WalReader } from '../source/wal/wal.ts';
import { keepReading } from './keep-reading.ts';
import type { Park } from './operation-journal.ts';

/** Operations are small and rare; this only keeps a burst from piling up. */
const PENDING_OPERATIONS_MAX = 1_000;
/** Operations of collections that have stopped, kept for when these are taken up again. */
const PARKED_OPERATIONS_MAX = 1_000;
const READ_BYTES_MAX = 256 * 1024;

export interface OperationContext {
  readonly wal: Wal;
  readonly observer: RetryObserver;
  readonly signal: AbortSignal;
  /** Resolves when every data channel has been read up to the operation's place. */
  whenDue(tick: TimeTick): Promise<void>;
  /** Starts the operation where it belongs. The promise settles when it has had its effect, or was deliberately skipped. */
  execute(record: OperationRecord | UnknownRecord, ordinal: MessageOrdinal, park: Park): Promise<void>;
  channelConfirmed(channel: PChannel, resume: ResumePoint, tick: TimeTick): void;
  messageRead(record: WalRecord, bytes: number): void;
}

interface Pending {
  readonly ordinal: MessageOrdinal;
}

export class OperationFollower {
  readonly channel: PChannel;
  readonly #context: OperationContext;
  /** Read and not finished, in the order of the log. */
  readonly #pending = new Set<Pending>();
  /** Of these, the ones that wait for a person: they must not stop the others. */
  #parkedCount = 0;
  /** The first that failed: the checkpoint must not pass it, so that a later start runs it. */
  #firstFailed: MessageOrdinal | undefined;
  #lastRead: MessageOrdinal;
  /** Handed on to whom it concerns. */
  #lastTaken: MessageOrdinal;
  readonly #conditions = new Conditions();
  #start: ResumePoint;
  #confirmedTick: TimeTick;
  #confirmedOrdinal: MessageOrdinal;

  constructor(context: OperationContext, stored: StoredChannel) {
    const { resume, tick } = stored.checkpoint;
    this.#context = context;
    this.channel = stored.channel;
    this.#start = resume;
    this.#confirmedTick = tick;
    this.#confirmedOrdinal = resume.kind === 'after' ? resume.ordinal : asOrdinal(resume.ordinal - 1n);
    this.#lastRead = this.#confirmedOrdinal;
    this.#lastTaken = this.#confirmedOrdinal;
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  /** Some failed that only a new start runs again. */
  get hasGivenUp(): boolean {
    return this.#firstFailed !== undefined;
  }

  /** Resolves when every operation up to there stands in the line of whom it concerns. */
  whenTaken(ordinal: MessageOrdinal, signal: AbortSignal): Promise<void> {
    return this.#conditions.until(() => this.#lastTaken >= ordinal, signal);
  }

  whenConfirmed(ordinal: MessageOrdinal, signal: AbortSignal): Promise<void> {
    return this.#conditions.until(() => this.#confirmedOrdinal >= ordinal, signal);
  }

  /** Reads until the signal aborts. Rejects when the channel cannot go on. */
  run(): Promise<void> {
    const { wal, signal, observer } = this.#context;
    return keepReading({
      open: () => wal.open(this.channel, this.#start, signal),
      readOnce: (reader) => this.#readOnce(reader),
      signal,
      observer,
    });
  }

  async #readOnce(reader: WalReader): Promise<void> {
    const { signal } = this.#context;
    await this.#conditions.until(() => this.#pending.size - this.#parkedCount < PENDING_OPERATIONS_MAX, signal);
    for (const message of await reader.read(READ_BYTES_MAX, signal)) {
      await this.#take(message);
      this.#start = { kind: 'after', ordinal: message.ordinal, incarnation: this.#start.incarnation };
    }
  }

  async #take(message: WalMessage): Promise<void> {
    const record = decodeRecord(message.payload);
    if (record.kind === 'malformed') {
      throw new ReplicationError(
        'malformedMessage',
        'wal',
        `An operation in the source's log cannot be read (${record.what}, byte ${record.offset} of message ${message.ordinal} in ${this.channel}). Operations stop before it; report this message.`,
        { context: { channel: this.channel, ordinal: message.ordinal.toString(), offset: record.offset } },
      );
    }
    this.#context.messageRead(record, message.payload.length);
    const pending = { ordinal: message.ordinal };
    this.#pending.add(pending);
    this.#lastRead = message.ordinal;
    if (record.endTick > this.#confirmedTick) this.#confirmedTick = record.endTick;
    if (record.kind !== 'operation' && !isUnknownOperation(record)) {
      this.#lastTaken = message.ordinal;
      this.#finish(pending);
      return;
    }
    await this.#context.whenDue(record.endTick);
    this.#context
      .execute(record, message.ordinal, () => this.#park())
      .then(
        () => this.#finish(pending),
        () => {
          // Whoever failed shows why. It no longer counts as under way, or a thousand of them would stop all others.
          if (this.#firstFailed === undefined || pending.ordinal < this.#firstFailed)
            this.#firstFailed = pending.ordinal;
          this.#finish(pending);
        },
      );
    this.#lastTaken = message.ordinal;
    this.#conditions.changed();
  }

  #park(): Disposable | undefined {
    if (this.#parkedCount >= PARKED_OPERATIONS_MAX) return undefined;
    this.#parkedCount += 1;
    this.#conditions.changed();
    return {
      [Symbol.dispose]: () => {
        this.#parkedCount -= 1;
      },
    };
  }

  #finish(pending: Pending): void {
    this.#pending.delete(pending);
    const [oldest] = this.#pending;
    const limits = [oldest?.ordinal, this.#firstFailed].filter((ordinal) => ordinal !== undefined);
    const confirmed = limits.reduce<bigint>(
      (least, ordinal) => (ordinal - 1n < least ? ordinal - 1n : least),
      this.#lastRead,
    );
    if (confirmed <= this.#confirmedOrdinal) {
      this.#conditions.changed();
      return;
    }
    this.#confirmedOrdinal = asOrdinal(confirmed);
    const resume = { kind: 'after', ordinal: this.#confirmedOrdinal, incarnation: this.#start.incarnation } as const;
    this.#context.channelConfirmed(this.channel, resume, this.#confirmedTick);
    this.#conditions.changed();
  }
}

/** What a later server writes there: nobody may pass it over unseen. */
const isUnknownOperation = (record: WalRecord): record is UnknownRecord =>
  record.kind === 'unknown' && record.messageType !== MSG_REPLICATE;
