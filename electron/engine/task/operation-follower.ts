/**
 * Reads the operation channel and brings each operation to its place among the data.
 *
 * The operation channel has no ticks, so an operation's place is found from the other side: it is due when every data
 * channel has been read up to its timestamp, or, where a channel is quiet, up to what stood in it when the operation
 * was read. By then every collection that it can mean is known. Its collection runs it when all earlier changes are in.
 *
 * Operations of different collections do not wait for each other. The channel's checkpoint is the unbroken run of
 * finished ones; a crash repeats the rest, which is why each must be harmless to repeat.
 */
import type { PChannel } from '../../../shared/model/ids.ts';
import { asOrdinal, type MessageOrdinal, type ResumePoint } from '../../../shared/model/position.ts';
import { ReplicationError, toReplicationError } from '../../../shared/model/replication-error.ts';
import type { StoredChannel } from '../../../shared/model/task-state.ts';
import type { TimeTick } from '../../../shared/time/time-tick.ts';
import { decodeRecord } from '../codec/decode.ts';
import type { OperationRecord, WalRecord } from '../codec/records.ts';
import { isRetriedAutomatically } from '../errors/policy.ts';
import { retrying, type RetryObserver } from '../runtime/retry.ts';
import { Conditions } from '../runtime/waiting.ts';
import type { Wal, WalMessage, WalReader } from '../source/wal/wal.ts';

/** Operations are small and rare; this only keeps a burst from piling up. */
const PENDING_OPERATIONS_MAX = 1_000;
const READ_BYTES_MAX = 256 * 1024;

export interface OperationContext {
  readonly wal: Wal;
  readonly observer: RetryObserver;
  readonly signal: AbortSignal;
  /** Resolves when every data channel has been read up to the operation's place. */
  whenDue(tick: TimeTick): Promise<void>;
  /** Starts the operation where it belongs. The promise settles when it has had its effect, or was deliberately skipped. */
  execute(record: OperationRecord, ordinal: MessageOrdinal): Promise<void>;
  channelConfirmed(channel: PChannel, resume: ResumePoint, tick: TimeTick): void;
  messageRead(record: WalRecord, bytes: number): void;
}

interface Pending {
  readonly ordinal: MessageOrdinal;
  readonly tick: TimeTick;
  isDone: boolean;
}

export class OperationFollower {
  readonly channel: PChannel;
  readonly #context: OperationContext;
  readonly #pending: Pending[] = [];
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
  }

  get pendingCount(): number {
    return this.#pending.length;
  }

  whenConfirmed(ordinal: MessageOrdinal, signal: AbortSignal): Promise<void> {
    return this.#conditions.until(() => this.#confirmedOrdinal >= ordinal, signal);
  }

  /** Reads until the signal aborts. Rejects when the channel cannot go on. */
  async run(): Promise<void> {
    const { signal, observer } = this.#context;
    for (;;) {
      // Kept here: an abort right after it was opened must not leave it behind.
      let opened: WalReader | undefined;
      try {
        const reader = await retrying(
          async () => (opened = await this.#context.wal.open(this.channel, this.#start, signal)),
          signal,
          observer,
        );
        observer.unblocked();
        await this.#readOn(reader);
      } catch (error) {
        signal.throwIfAborted();
        const failure = toReplicationError(error);
        if (!isRetriedAutomatically(failure)) throw failure;
        observer.blocked(failure, 0);
      } finally {
        await opened?.close();
      }
    }
  }

  async #readOn(reader: WalReader): Promise<never> {
    const { signal } = this.#context;
    for (;;) {
      await this.#conditions.until(() => this.#pending.length < PENDING_OPERATIONS_MAX, signal);
      for (const message of await reader.read(READ_BYTES_MAX, signal)) {
        await this.#take(message);
        this.#start = { kind: 'after', ordinal: message.ordinal, incarnation: this.#start.incarnation };
      }
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
    const pending = { ordinal: message.ordinal, tick: record.endTick, isDone: false };
    this.#pending.push(pending);
    if (record.kind !== 'operation') {
      this.#finish(pending);
      return;
    }
    await this.#context.whenDue(record.endTick);
    this.#context.execute(record, message.ordinal).then(
      () => this.#finish(pending),
      // It stays pending: its collection shows why it failed, and a restart repeats it.
      () => undefined,
    );
  }

  #finish(pending: Pending): void {
    pending.isDone = true;
    let last: Pending | undefined;
    while (this.#pending[0]?.isDone === true) last = this.#pending.shift();
    if (last === undefined) return;
    this.#confirmedOrdinal = last.ordinal;
    if (last.tick > this.#confirmedTick) this.#confirmedTick = last.tick;
    const resume = { kind: 'after', ordinal: last.ordinal, incarnation: this.#start.incarnation } as const;
    this.#context.channelConfirmed(this.channel, resume, this.#confirmedTick);
    this.#conditions.changed();
  }
}
