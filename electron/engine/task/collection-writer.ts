/** Writes one collection's rows to the target: what a message asks for becomes a call, and is confirmed or thrown. */
import { ReplicationError, toReplicationError } from '../../../shared/model/replication-error.ts';
import { timeTickToMs, type TimeTick } from '../../../shared/time/time-tick.ts';
import { hasPartitionKey, type CollectionSchema } from '../codec/collection-schema.ts';
import { toInsertOf, type ToInsert } from '../codec/insert-columns.ts';
import { readKeyColumn } from '../codec/primary-keys.ts';
import type { DeleteRecord, FieldSlice, InsertRecord, PrimaryKeys } from '../codec/records.ts';
import { isRefused, isRetriedAutomatically, outcomeOf } from '../errors/policy.ts';
import type { Target } from '../target/target.ts';
import type { CollectionAddress } from '../milvus/collection-address.ts';
import type { Clock } from '../runtime/clock.ts';
import { JoinedWrite } from './joined-write.ts';
import type { LogEntry } from './log-entry.ts';
import { planWrites } from './write-plan.ts';
import { keysByteCount, toPiece, type WritePiece } from './write-piece.ts';
import { WriteSlots } from './write-slots.ts';
import { WRITE_DEADLINE_MS } from '../target/timeouts.ts';
import type { WriteLease } from './write-lease.ts';

/**
 * Repeats a call on the target after the policy; `previous` is the failure of the attempt before. `object`: what a
 * definition is about, the collection unless given.
 */
export type OnTarget = <T>(
  name: string,
  call: (signal: AbortSignal, previous: ReplicationError | undefined) => Promise<T>,
  object?: string,
) => Promise<T>;

/** Columns of so many rows, as they stand in the log or come from the source. */
export interface Rows {
  readonly rowCount: number;
  readonly fields: readonly FieldSlice[];
}

export interface WriteCounters {
  rowsWritten: number;
  rowsDeleted: number;
}

export interface CollectionWriterOptions {
  readonly target: Target;
  /** Its name may change between two calls. */
  readonly address: CollectionAddress;
  readonly schema: CollectionSchema;
  readonly onTarget: OnTarget;
  readonly lease: Pick<WriteLease, 'cover' | 'leftOpen' | 'whenLanded' | 'whenSettled'>;
  readonly clock: Clock;
  /** Shared by all that write to the target; its own unless given. */
  readonly slots?: WriteSlots;
  /** Ends waits. */
  readonly signal: AbortSignal;
  /** Rows were refused. @returns whether the copy has another schema than that by now, with which they may be taken. */
  readonly schemaRefused?: (sentWith: CollectionSchema) => Promise<boolean>;
  /** A write of rows that the source stamped with `tick` was confirmed. */
  readonly confirmed: (tick: TimeTick) => void;
}

export type Refused = (entry: LogEntry, error: ReplicationError) => Promise<void>;

export class CollectionWriter {
  readonly counters: WriteCounters = { rowsWritten: 0, rowsDeleted: 0 };
  readonly #options: CollectionWriterOptions;
  readonly #hasPartitionKey: boolean;
  #schema: CollectionSchema;
  #toInsert: ToInsert;
  #fields: ReadonlySet<bigint>;
  /** Their columns are left out of every write. */
  readonly #fieldsLeftOut = new Set<bigint>();
  readonly #slots: WriteSlots;

  constructor(options: CollectionWriterOptions) {
    this.#options = options;
    this.#slots = options.slots ?? new WriteSlots();
    this.#hasPartitionKey = hasPartitionKey(options.schema);
    this.#schema = options.schema;
    this.#toInsert = toInsertOf(options.schema);
    this.#fields = idsOf(options.schema);
  }

  /** The copy has fields more, or others. */
  schemaChanged(schema: CollectionSchema): void {
    this.#schema = schema;
    this.#toInsert = toInsertOf(schema);
    this.#fields = idsOf(schema);
  }

  leaveOutField(id: bigint): void {
    this.#fieldsLeftOut.add(id);
  }

  leavesOutField(id: bigint): boolean {
    return this.#fieldsLeftOut.has(id);
  }

  /** Columns of fields that the copy does not have, and which are not left out. One look-up for each column of a message. */
  unknownColumns({ fields }: Pick<InsertRecord, 'fields'>): readonly FieldSlice[] {
    return fields.filter(({ fieldId }) => !this.#fields.has(fieldId) && !this.#fieldsLeftOut.has(fieldId));
  }

  /**
   * What messages of one timestamp and shard ask for, in an order that ends as the source did. `isDoubtful`: they may have
   * been written before by a run that is dead, so rows are replaced by key instead of added.
   */
  plan(data: ReadonlyMap<DeleteRecord | InsertRecord, LogEntry>, isDoubtful: boolean): WritePiece[] {
    const records = [...data.keys()];
    const steps = planWrites({
      deletes: records.filter((record) => record.kind === 'delete'),
      inserts: records.filter((record) => record.kind === 'insert'),
      keysOf: (record) => this.keysOf(record),
      hasPartitionKey: this.#hasPartitionKey,
    });
    const keyFieldId = this.#options.schema.keyField.id;
    return steps.flatMap((step) => {
      const entry = data.get(step.record);
      const partition = this.#hasPartitionKey ? '' : step.record.partitionName;
      return entry === undefined ? [] : [toPiece(step, entry, { partition, isDoubtful, keyFieldId })];
    });
  }

  /** Resolves when it is confirmed. `refused` hears of the one message that the target will never take, before it rejects. */
  async write(write: JoinedWrite, refused: Refused): Promise<void> {
    if (write.isDoubtful) await this.#options.lease.whenSettled(this.#options.signal);
    const sentWith = this.#schema;
    try {
      await this.#call(write);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const [first, ...others] = write.pieces;
      // A limit of a field may have been raised at the source, and the catalogue not been read since.
      if (others.length === 0 && (await this.#options.schemaRefused?.(sentWith)) === true)
        return this.write(write, refused);
      if (first !== undefined && others.length === 0) await refused(first.entry, error);
      if (others.length === 0) throw error;
      // Nothing of it has happened. What is wrong with one message must not be laid at the others' door.
      for (const piece of write.pieces) await this.write(new JoinedWrite(piece), refused);
    }
  }

  async #call(write: JoinedWrite): Promise<void> {
    const { target, address, schema, confirmed } = this.#options;
    const { call, partition, rowCount } = write;
    if (call === 'delete') {
      const toDelete = { partition, keyField: schema.keyField.name, keys: write.deletedKeys() };
      await this.#attempts('delete', write.byteCount, (signal) => target.delete({ ...address, ...toDelete }, signal));
      this.counters.rowsDeleted += rowCount;
    } else {
      await this.#put(partition, { rowCount, fields: write.fields() }, call === 'upsert');
    }
    for (const { entry } of write.pieces) confirmed(entry.beginTick);
  }

  /** Rows that a copy has read. `isDoubtful`: an earlier run may have written some of them. */
  async writeCopied(partition: string, rows: Rows, isDoubtful: boolean): Promise<void> {
    if (isDoubtful) await this.#options.lease.whenSettled(this.#options.signal);
    const put = () => this.#put(this.#hasPartitionKey ? '' : partition, rows, isDoubtful);
    const sentWith = this.#schema;
    try {
      await put();
    } catch (error) {
      // As of the log's rows.
      if (!isRefusal(error) || (await this.#options.schemaRefused?.(sentWith)) !== true) throw error;
      await put();
    }
  }

  /** Keys of a filled copy that the source no longer has. */
  async deleteKeys(partition: string, keys: PrimaryKeys): Promise<void> {
    const { target, address, schema } = this.#options;
    await this.whenSettled();
    const write = {
      partition: this.#hasPartitionKey ? '' : partition,
      keyField: schema.keyField.name,
      keys,
    };
    await this.#attempts('delete', keysByteCount(keys), (signal) => target.delete({ ...address, ...write }, signal));
    this.counters.rowsDeleted += keys.values.length;
  }

  /** Resolves when no write of an earlier run, nor one whose answer was lost, can land any more. */
  whenSettled(): Promise<void> {
    return this.#options.lease.whenSettled(this.#options.signal);
  }

  async #put(partition: string, { rowCount, fields: columns }: Rows, isKeyedFromStart: boolean): Promise<void> {
    const { target, address } = this.#options;
    const left = this.#fieldsLeftOut;
    const kept = left.size === 0 ? columns : columns.filter(({ fieldId }) => !left.has(fieldId));
    const fields = this.#toInsert(kept, rowCount);
    if ('kind' in fields) throw malformedColumn(address, fields.what);
    let isKeyed = isKeyedFromStart;
    const byteCount = fields.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
    await this.#attempts(isKeyed ? 'upsert' : 'insert', byteCount, (signal, mayBeThere) => {
      // Every repetition from then on replaces the rows.
      isKeyed ||= mayBeThere;
      // The name that it bears at this attempt.
      const write = { ...address, partition, rowCount, fields };
      return isKeyed ? target.upsert(write, signal) : target.insert(write, signal);
    });
    this.counters.rowsWritten += rowCount;
  }

  /**
   * One write, repeated after the policy. An answer that was lost leaves open whether the write has had its effect, or will
   * have it yet: it is repeated only when the attempt before can no longer land.
   */
  #attempts(
    name: string,
    byteCount: number,
    call: (signal: AbortSignal, mayHaveHappened: boolean) => Promise<void>,
  ): Promise<void> {
    const { onTarget, lease, clock, signal: ended } = this.#options;
    let deadlineMs = 0;
    return onTarget(name, async (signal, previous) => {
      const isOpen = mayHaveHappened(previous);
      if (isOpen) await lease.whenLanded(deadlineMs, ended);
      const release = await this.#slots.take(byteCount, ended);
      try {
        deadlineMs = clock.now() + WRITE_DEADLINE_MS;
        lease.cover();
        await call(signal, isOpen);
      } catch (error) {
        if (outcomeOf(toReplicationError(error)) === 'unknown') lease.leftOpen(deadlineMs);
        throw error;
      } finally {
        release();
      }
    });
  }

  /** @throws malformedMessage: they cannot be read. */
  keysOf(record: InsertRecord): PrimaryKeys {
    const { keyField } = this.#options.schema;
    const column = record.fields.find((field) => field.fieldId === keyField.id);
    if (column === undefined) throw malformed(record, `the key column ${keyField.name} is missing`);
    const keys = readKeyColumn(column);
    if ('kind' in keys) throw malformed(record, keys.what);
    return keys;
  }
}

const idsOf = ({ fields }: CollectionSchema): ReadonlySet<bigint> => new Set(fields.map(({ id }) => id));

/** It was refused for good, and is as if it had never been sent. */
const isRefusal = (error: unknown): error is ReplicationError => isRefused(error) && !isRetriedAutomatically(error);

function mayHaveHappened(previous: ReplicationError | undefined): boolean {
  return previous !== undefined && outcomeOf(previous) === 'unknown';
}

function malformedColumn({ database, collection }: CollectionAddress, what: string): ReplicationError {
  return new ReplicationError(
    'malformedMessage',
    'source',
    `Rows of ${database}.${collection} came from the source with ${what}. Nothing of them was written; report this with the version of the source.`,
    { context: { database, collection } },
  );
}

function malformed(record: InsertRecord, what: string): ReplicationError {
  return new ReplicationError(
    'malformedMessage',
    'wal',
    `An insert into ${record.database}.${record.collectionName} in the source's log cannot be read: ${what}. The collection stops before it; report this message.`,
    { context: { vchannel: record.vchannel, tick: timeTickToMs(record.beginTick) } },
  );
}
