/** Applies what the log holds of one collection: each shard's entries in order, drops when every shard has come to them. */
import type { PartitionId } from '../../../shared/model/ids.ts';
import type { OperationDecision } from '../../../shared/model/operation-event.ts';
import { ReplicationError, toReplicationError } from '../../../shared/model/replication-error.ts';
import type { TimeTick } from '../../../shared/time/time-tick.ts';
import type { DeleteRecord, DropPartitionRecord, InsertRecord, WalRecord } from '../codec/records.ts';
import type { CollectionWriter } from './collection-writer.ts';
import type { IntentMarks } from './intent-marks.ts';
import type { DoubtfulKeys } from './doubtful-keys.ts';
import { JoinedWrite } from './joined-write.ts';
import type { LogEntry } from './log-entry.ts';
import type { ShardEntry } from './quarantine.ts';
import type { ShardBarriers } from './shard-barrier.ts';
import type { ShardLane } from './shard-lane.ts';
import type { TargetCopy } from './target-copy.ts';
import type { WritePiece } from './write-piece.ts';

export interface DropQuestion {
  readonly operation: 'dropCollection' | 'dropPartition';
  readonly tick: TimeTick;
  readonly partitionId?: PartitionId;
  /** Of the partition. */
  readonly object?: string;
}

export interface EntryApplierContext {
  readonly copy: TargetCopy;
  readonly writer: CollectionWriter;
  readonly barriers: ShardBarriers;
  readonly intents: IntentMarks;
  /** Where it is asked about, resolves when a person has decided. */
  readonly decide: (drop: DropQuestion) => Promise<OperationDecision>;
  readonly dropped: (drop: DropQuestion, decision: OperationDecision) => void;
  /** Resolves when the collection may be written on the target. */
  whenReady(lane: ShardLane): Promise<void>;
  /** Resolves when the copy has every field that the rows have a column of, or is to do without. */
  whenHasFields(lane: ShardLane, record: InsertRecord): Promise<void>;
  /** A person has decided that it is left out. */
  isSkipped(lane: ShardLane, entry: LogEntry): boolean;
  /** The target will never take it as it is. Resolves when that is recorded. */
  refused(message: ShardEntry, error: ReplicationError): Promise<void>;
  /** The entry's content; read again from the broker where it was let go. */
  contentOf(lane: ShardLane, entry: LogEntry): Promise<WalRecord>;
  release(entry: LogEntry): void;
}

export class EntryApplier {
  readonly #context: EntryApplierContext;

  constructor(context: EntryApplierContext) {
    this.#context = context;
  }

  /**
   * Entries of one tick: resolves when each is done with, or stands in the lane's window. Each is released when it is done
   * with, or when it never will be.
   */
  async apply(lane: ShardLane, entries: readonly LogEntry[]): Promise<void> {
    let takenOver = 0;
    try {
      if (!this.#context.copy.isReady) await this.#context.whenReady(lane);
      for (let index = 0; index < entries.length;) {
        const end = endOfGroup(entries, index);
        const group = entries.slice(index, end);
        const [first] = group;
        if (first !== undefined) lane.reached(first.beginTick);
        index = takenOver = end;
        if (isData(first)) await this.#write(lane, group);
        else for (const entry of group) await this.#define(lane, entry);
      }
    } finally {
      for (const entry of entries.slice(takenOver)) this.#context.release(entry);
    }
  }

  /** Data messages of one timestamp become writes. */
  async #write(lane: ShardLane, group: readonly LogEntry[]): Promise<void> {
    const { copy, writer } = this.#context;
    const left = new Set(group);
    try {
      const data = new Map<DeleteRecord | InsertRecord, LogEntry>();
      for (const entry of group) {
        if (this.#context.isSkipped(lane, entry)) continue;
        const record = await this.#context.contentOf(lane, entry);
        if (record.kind !== 'delete' && record.kind !== 'insert') continue;
        if (copy.isPartitionDropped(record.partitionId)) continue;
        if (record.kind === 'delete' && record.isByExpression === true)
          await this.#refuseExpression(lane, record, entry);
        await copy.ensurePartition(record.partitionName);
        if (record.kind === 'insert') await this.#context.whenHasFields(lane, record);
        data.set(record, entry);
      }
      const { doubt } = lane;
      await this.#assertReadable(lane, data);
      for (const piece of writer.plan(data, doubt !== undefined)) {
        if (doubt !== undefined) this.#noteDoubtful(doubt, piece);
        await lane.write(new JoinedWrite(piece), (write) => this.#send(lane, write));
        left.delete(piece.entry);
      }
    } finally {
      for (const entry of left) this.#context.release(entry);
    }
  }

  async #refuseExpression(lane: ShardLane, record: DeleteRecord, entry: LogEntry): Promise<never> {
    const error = new ReplicationError(
      'unsupported',
      'wal',
      `The log holds a delete by condition of ${record.database}.${record.collectionName}, whose rows it does not name. Delete the same rows on the target by hand and then leave the message out, or copy the collection again.`,
      { context: { outcome: 'refused' } },
    );
    await this.#context.refused({ vchannel: lane.vchannel, entry }, error);
    throw error;
  }

  /** Keys are read where deletes stand beside inserts, and in a doubtful window. */
  async #assertReadable(lane: ShardLane, data: ReadonlyMap<DeleteRecord | InsertRecord, LogEntry>): Promise<void> {
    const { writer } = this.#context;
    if (lane.doubt === undefined && ![...data.keys()].some(({ kind }) => kind === 'delete')) return;
    for (const [record, entry] of data) {
      if (record.kind !== 'insert') continue;
      try {
        writer.keysOf(record);
      } catch (error) {
        await this.#context.refused({ vchannel: lane.vchannel, entry }, toReplicationError(error));
        throw error;
      }
    }
  }

  #noteDoubtful(doubt: DoubtfulKeys, piece: WritePiece): void {
    if (piece.call === 'delete') doubt.deleted(piece.partition, piece.keys);
    else doubt.written(piece.partition, this.#context.writer.keysOf(piece.record));
  }

  async #send(lane: ShardLane, write: JoinedWrite): Promise<void> {
    const { intents, writer } = this.#context;
    await intents.cover(lane, write.lastOrdinal);
    const { vchannel } = lane;
    await writer.write(write, (entry, error) => this.#context.refused({ vchannel, entry }, error));
  }

  /** Everything but rows stands alone. What removes rows waits until every write before it is confirmed. */
  async #define(lane: ShardLane, entry: LogEntry): Promise<void> {
    const { copy, barriers } = this.#context;
    try {
      if (this.#context.isSkipped(lane, entry)) return;
      const record = await this.#context.contentOf(lane, entry);
      switch (record.kind) {
        case 'createPartition':
          if (!copy.isPartitionDropped(record.partitionId)) await copy.ensurePartition(record.partitionName);
          break;
        case 'dropPartition':
          await this.#atBarrier(lane, record.beginTick);
          await this.#arriveAtPartitionDrop(lane, record, lane.doubt !== undefined);
          break;
        case 'dropCollection':
          await this.#atBarrier(lane, record.beginTick);
          await lane.waitFor(
            barriers.arrive('collection', record.beginTick, lane.vchannel, () =>
              this.#dropCollection(record.beginTick),
            ),
          );
          break;
        case 'delete':
        case 'insert':
        case 'createCollection':
        case 'timeTick':
        case 'operation':
        case 'unknown':
          break;
      }
    } finally {
      this.#context.release(entry);
    }
  }

  /** The shard stands at `tick` with nothing under way. */
  async #atBarrier(lane: ShardLane, tick: TimeTick): Promise<void> {
    await lane.whenWritten();
    lane.reached(tick);
  }

  /** At the barrier, so that every shard waits there as long as it is asked about. */
  async #dropCollection(tick: TimeTick): Promise<void> {
    const { copy, decide, dropped } = this.#context;
    const question = { operation: 'dropCollection', tick } as const;
    const decision = await decide(question);
    if (decision === 'apply') return copy.drop(tick);
    dropped(question, decision);
    await copy.leave(tick);
  }

  async #dropPartition(record: DropPartitionRecord, isRepeated: boolean): Promise<void> {
    const { copy, decide, dropped } = this.#context;
    const { beginTick: tick, partitionId, partitionName: object } = record;
    const question = { operation: 'dropPartition', tick, partitionId, object } as const;
    const decision = await decide(question);
    const note = () => dropped(question, decision);
    if (decision === 'apply') await copy.dropPartition(record, isRepeated, note);
    else await copy.leavePartition(record, note);
  }

  async #arriveAtPartitionDrop(lane: ShardLane, record: DropPartitionRecord, isRepeated: boolean): Promise<void> {
    const { copy, barriers } = this.#context;
    // Dropped already, by the shards that came here before a restart: what bears the name now is another partition.
    if (copy.isPartitionDropped(record.partitionId)) return;
    lane.doubt?.partitionDropped(record.partitionName);
    const drop = () => this.#dropPartition(record, isRepeated);
    await lane.waitFor(barriers.arrive(`partition ${record.partitionId}`, record.beginTick, lane.vchannel, drop));
  }
}

const isData = (entry: LogEntry | undefined): boolean => entry?.kind === 'insert' || entry?.kind === 'delete';

/** Data messages of one timestamp belong together; every other message stands alone. */
function endOfGroup(entries: readonly LogEntry[], start: number): number {
  const first = entries[start];
  let end = start + 1;
  if (!isData(first)) return end;
  while (isData(entries[end]) && entries[end]?.beginTick === first?.beginTick) end += 1;
  return end;
}
