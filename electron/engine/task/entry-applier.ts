/** Applies what the log holds of one collection: each shard's entries in order, drops when every shard has come to them. */
import type { PartitionId } from '../../../shared/model/ids.ts';
import { ORDINAL_NONE } from '../../../shared/model/position.ts';
import type { TimeTick } from '../../../shared/time/time-tick.ts';
import type { DeleteRecord, InsertRecord, WalRecord } from '../codec/records.ts';
import type { CollectionWriter } from './collection-writer.ts';
import type { IntentMarks } from './intent-marks.ts';
import type { LogEntry } from './log-entry.ts';
import type { ShardBarriers } from './shard-barrier.ts';
import type { ShardLane } from './shard-lane.ts';
import type { TargetCopy } from './target-copy.ts';

export interface EntryApplierContext {
  readonly copy: TargetCopy;
  readonly writer: CollectionWriter;
  readonly barriers: ShardBarriers;
  readonly intents: IntentMarks;
  /** Resolves when the collection may be written on the target. */
  whenReady(lane: ShardLane): Promise<void>;
  /** The entry's content; read again from the broker where it was let go. */
  contentOf(lane: ShardLane, entry: LogEntry): Promise<WalRecord>;
  release(entry: LogEntry): void;
}

export class EntryApplier {
  readonly #context: EntryApplierContext;

  constructor(context: EntryApplierContext) {
    this.#context = context;
  }

  /** Entries of one tick. Each is released when it is done with, or when it never will be. */
  async apply(lane: ShardLane, entries: readonly LogEntry[]): Promise<void> {
    let released = 0;
    try {
      if (!this.#context.copy.isReady) await this.#context.whenReady(lane);
      for (let index = 0; index < entries.length;) {
        const end = endOfGroup(entries, index);
        const group = entries.slice(index, end);
        const [first] = group;
        if (first !== undefined) lane.reached(first.beginTick);
        await this.#applyGroup(lane, group);
        for (const entry of group) this.#context.release(entry);
        index = released = end;
      }
    } finally {
      for (const entry of entries.slice(released)) this.#context.release(entry);
    }
  }

  async #applyGroup(lane: ShardLane, group: readonly LogEntry[]): Promise<void> {
    const { copy, barriers, intents, writer } = this.#context;
    const deletes: DeleteRecord[] = [];
    const inserts: InsertRecord[] = [];
    for (const entry of group) {
      const record = await this.#context.contentOf(lane, entry);
      switch (record.kind) {
        case 'delete':
        case 'insert':
          if (copy.isPartitionDropped(record.partitionId)) break;
          await copy.ensurePartition(record.partitionName);
          if (record.kind === 'delete') deletes.push(record);
          else inserts.push(record);
          break;
        case 'createPartition':
          if (!copy.isPartitionDropped(record.partitionId)) await copy.ensurePartition(record.partitionName);
          break;
        case 'dropPartition':
          await this.#arriveAtPartitionDrop(lane, record.partitionId, record.partitionName, record.beginTick);
          break;
        case 'dropCollection':
          await lane.waitFor(
            barriers.arrive('collection', record.beginTick, lane.vchannel, () => copy.drop(record.beginTick)),
          );
          break;
        case 'createCollection':
        case 'timeTick':
        case 'operation':
        case 'unknown':
          break;
      }
    }
    if (deletes.length + inserts.length === 0) return;
    const isDoubtful = group.some((entry) => entry.ordinal <= lane.doubtfulUntil);
    const last = group.reduce((highest, { ordinal }) => (ordinal > highest ? ordinal : highest), ORDINAL_NONE);
    await intents.cover(lane, last);
    await writer.write(deletes, inserts, isDoubtful);
  }

  async #arriveAtPartitionDrop(lane: ShardLane, id: PartitionId, name: string, tick: TimeTick): Promise<void> {
    const { copy, barriers } = this.#context;
    // Dropped already, by the shards that came here before a restart: what bears the name now is another partition.
    if (copy.isPartitionDropped(id)) return;
    const drop = () => copy.dropPartition(id, name, tick);
    await lane.waitFor(barriers.arrive(`partition ${id}`, tick, lane.vchannel, drop));
  }
}

/** Data messages of one timestamp belong together; every other message stands alone. */
function endOfGroup(entries: readonly LogEntry[], start: number): number {
  const first = entries[start];
  const isData = (entry: LogEntry | undefined): boolean => entry?.kind === 'insert' || entry?.kind === 'delete';
  let end = start + 1;
  if (!isData(first)) return end;
  while (isData(entries[end]) && entries[end]?.beginTick === first?.beginTick) end += 1;
  return end;
}
