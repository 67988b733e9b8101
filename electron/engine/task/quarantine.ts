/**
 * Messages that the target will never take as they are. Each is kept with its bytes, its place and the reason, and its
 * collection stops before it: nothing later can overtake it. A person decides: try again, or leave it out for a reason.
 */
import { asOrdinal, type MessageOrdinal } from '../../../shared/model/position.ts';
import type { CollectionId, PChannel, VChannel } from '../../../shared/model/ids.ts';
import type { QuarantinedRecord } from '../../../shared/model/quarantine.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { TaskStore } from '../../../shared/model/task-state.ts';
import { timeTickToMs } from '../../../shared/time/time-tick.ts';
import type { CollectionAddress } from '../milvus/collection-address.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Wal } from '../source/wal/wal.ts';
import type { LogEntry } from './log-entry.ts';

/** Repeating cannot help, and it is this message that is refused, not the collection or the target as such. */
const OF_ONE_MESSAGE: ReadonlySet<string> = new Set([
  'invalidRequest',
  'messageTooLarge',
  'malformedMessage',
  'unsupported',
]);

export interface QuarantineContext {
  readonly store: Pick<TaskStore, 'quarantine' | 'addQuarantined' | 'quarantinedBytes' | 'decideQuarantined'>;
  readonly wal: Pick<Wal, 'readAt'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** A message as one shard meets it. */
export interface ShardEntry {
  readonly vchannel: VChannel;
  readonly entry: LogEntry;
}

interface RefusedMessage extends ShardEntry {
  readonly id: CollectionId;
  readonly address: CollectionAddress;
  readonly channel: PChannel;
}

export class Quarantine {
  readonly #context: QuarantineContext;
  /** Left out, by shard. */
  readonly #skipped = new Map<VChannel, Set<MessageOrdinal>>();

  constructor(context: QuarantineContext) {
    this.#context = context;
  }

  /** What was decided in earlier runs. */
  takeUp(): void {
    for (const record of this.#context.store.quarantine()) if (record.decision !== undefined) this.#leaveOut(record);
  }

  isSkipped(vchannel: VChannel, ordinal: MessageOrdinal): boolean {
    return this.#skipped.get(vchannel)?.has(ordinal) ?? false;
  }

  /** Keeps the message, if `error` says that it is the message's own fault. The collection is stopped by the caller. */
  async keep({ id, address, channel, vchannel, entry }: RefusedMessage, error: ReplicationError): Promise<void> {
    if (!OF_ONE_MESSAGE.has(error.code)) return;
    const { store, wal, clock, logger, signal } = this.#context;
    try {
      const { payload } = await wal.readAt(channel, entry.ordinal, signal);
      store.addQuarantined(
        {
          id: `${vchannel}@${entry.ordinal}`,
          collectionId: id.toString(),
          ...address,
          vchannel,
          channel,
          ordinal: entry.ordinal.toString(),
          tickMs: timeTickToMs(entry.beginTick),
          kind: error.code === 'malformedMessage' ? 'malformed' : entry.kind === 'timeTick' ? 'unknown' : entry.kind,
          byteCount: payload.byteLength,
          rowCount: entry.rowCount,
          cause: error.toData(),
          since: clock.now(),
        },
        payload,
      );
    } catch (failure) {
      if (signal.aborted) return;
      // The collection stops before the message all the same, and it is kept when it is met the next time.
      logger.warn(
        { err: failure, vchannel, ordinal: entry.ordinal.toString() },
        'A refused message could not be kept.',
      );
    }
  }

  list(): readonly QuarantinedRecord[] {
    return this.#context.store.quarantine();
  }

  /** @throws notFound */
  bytesOf(id: string): Uint8Array {
    const bytes = this.#context.store.quarantinedBytes(id);
    if (bytes === undefined) throw notThere(id);
    return bytes;
  }

  /** The message is left out for good; its bytes stay, with the reason. @throws notFound @returns whose it was. */
  skip(id: string, reason: string): QuarantinedRecord {
    const { store, clock } = this.#context;
    const record = store.quarantine().find((one) => one.id === id);
    if (record === undefined) throw notThere(id);
    if (record.decision === undefined) store.decideQuarantined(id, { kind: 'skip', reason, at: clock.now() });
    this.#leaveOut(record);
    return record;
  }

  #leaveOut({ vchannel, ordinal }: QuarantinedRecord): void {
    const shard = vchannel as VChannel;
    const ordinals = this.#skipped.get(shard) ?? new Set();
    ordinals.add(asOrdinal(BigInt(ordinal)));
    this.#skipped.set(shard, ordinals);
  }
}

const notThere = (id: string): ReplicationError =>
  new ReplicationError(
    'notFound',
    'internal',
    `There is no quarantined message "${id}" any more. It was decided on, or its collection is gone.`,
  );
