/** Writes one collection's rows to the target: the data messages of one timestamp at a time, each confirmed or thrown. */
import { ReplicationError, toReplicationError } from '../../../shared/model/replication-error.ts';
import { timeTickToMs, type TimeTick } from '../../../shared/time/time-tick.ts';
import { hasPartitionKey, type CollectionSchema } from '../codec/collection-schema.ts';
import { readKeyColumn } from '../codec/primary-keys.ts';
import type { DeleteRecord, FieldSlice, InsertRecord, PrimaryKeys } from '../codec/records.ts';
import { outcomeOf } from '../errors/policy.ts';
import type { Target } from '../target/target.ts';
import type { CollectionAddress } from '../milvus/collection-address.ts';
import type { Clock } from '../runtime/clock.ts';
import { pause } from '../runtime/waiting.ts';
import { planWrites, type WriteStep } from './write-plan.ts';
import { WRITE_LANDS_WITHIN_MS, type WriteLease } from './write-lease.ts';

/** Repeats a call on the target after the policy; `previous` is the failure of the attempt before. */
export type OnTarget = <T>(
  name: string,
  call: (signal: AbortSignal, previous: ReplicationError | undefined) => Promise<T>,
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
  readonly address: CollectionAddress;
  readonly schema: CollectionSchema;
  readonly onTarget: OnTarget;
  readonly lease: Pick<WriteLease, 'cover' | 'leftOpen' | 'whenSettled'>;
  readonly clock: Clock;
  /** Ends waits. */
  readonly signal: AbortSignal;
  /** A write of rows that the source stamped with `tick` was confirmed. */
  readonly confirmed: (tick: TimeTick) => void;
}

export class CollectionWriter {
  readonly counters: WriteCounters = { rowsWritten: 0, rowsDeleted: 0 };
  readonly #options: CollectionWriterOptions;
  readonly #hasPartitionKey: boolean;

  constructor(options: CollectionWriterOptions) {
    this.#options = options;
    this.#hasPartitionKey = hasPartitionKey(options.schema);
  }

  /**
   * Messages of one timestamp and shard. `isDoubtful`: they may have been written before by a run that is dead, so rows
   * are replaced by key instead of added.
   */
  async write(deletes: readonly DeleteRecord[], inserts: readonly InsertRecord[], isDoubtful: boolean): Promise<void> {
    if (isDoubtful) await this.#options.lease.whenSettled(this.#options.signal);
    const steps = planWrites({
      deletes,
      inserts,
      keysOf: (record) => this.#keysOf(record),
      hasPartitionKey: this.#hasPartitionKey,
    });
    for (const step of steps) await this.#run(step, isDoubtful);
  }

  async #run(step: WriteStep, isDoubtful: boolean): Promise<void> {
    const { target, address, schema, confirmed } = this.#options;
    const partition = this.#hasPartitionKey ? '' : step.record.partitionName;
    if (step.kind === 'delete') {
      const { keys } = step;
      const write = { ...address, partition, keyField: schema.keyField.name, keys };
      await this.#attempts('delete', (signal) => target.delete(write, signal));
      this.counters.rowsDeleted += keys.values.length;
    } else {
      await this.#put(partition, step.record, isDoubtful || step.kind === 'upsert');
    }
    confirmed(step.record.beginTick);
  }

  /** Rows that a copy has read. `isDoubtful`: an earlier run may have written some of them. */
  async writeCopied(partition: string, rows: Rows, isDoubtful: boolean): Promise<void> {
    if (isDoubtful) await this.#options.lease.whenSettled(this.#options.signal);
    await this.#put(this.#hasPartitionKey ? '' : partition, rows, isDoubtful);
  }

  async #put(partition: string, { rowCount, fields }: Rows, isKeyedFromStart: boolean): Promise<void> {
    const { target, address } = this.#options;
    const write = { ...address, partition, rowCount, fields };
    let isKeyed = isKeyedFromStart;
    await this.#attempts(isKeyed ? 'upsert' : 'insert', (signal, mayBeThere) => {
      // Every repetition from then on replaces the rows.
      isKeyed ||= mayBeThere;
      return isKeyed ? target.upsert(write, signal) : target.insert(write, signal);
    });
    this.counters.rowsWritten += rowCount;
  }

  /**
   * One write, repeated after the policy. An answer that was lost leaves open whether the write has had its effect, or will
   * have it yet: it is repeated only when the attempt before can no longer land.
   */
  #attempts(name: string, call: (signal: AbortSignal, mayHaveHappened: boolean) => Promise<void>): Promise<void> {
    const { onTarget, lease, clock, signal: ended } = this.#options;
    let landsUntilMs = 0;
    return onTarget(name, async (signal, previous) => {
      const isOpen = mayHaveHappened(previous);
      const leftMs = landsUntilMs - clock.now();
      if (isOpen && leftMs > 0) await pause(leftMs, ended);
      landsUntilMs = clock.now() + WRITE_LANDS_WITHIN_MS;
      lease.cover();
      try {
        await call(signal, isOpen);
      } catch (error) {
        if (outcomeOf(toReplicationError(error)) === 'unknown') lease.leftOpen(landsUntilMs);
        throw error;
      }
    });
  }

  #keysOf(record: InsertRecord): PrimaryKeys {
    const { keyField } = this.#options.schema;
    const column = record.fields.find((field) => field.fieldId === keyField.id);
    if (column === undefined) throw malformed(record, `the key column ${keyField.name} is missing`);
    const keys = readKeyColumn(column);
    if ('kind' in keys) throw malformed(record, keys.what);
    return keys;
  }
}

function mayHaveHappened(previous: ReplicationError | undefined): boolean {
  return previous !== undefined && outcomeOf(previous) === 'unknown';
}

function malformed(record: InsertRecord, what: string): ReplicationError {
  return new ReplicationError(
    'malformedMessage',
    'wal',
    `An insert into ${record.database}.${record.collectionName} in the source's log cannot be read: ${what}. The collection stops before it; report this message.`,
    { context: { vchannel: record.vchannel, tick: timeTickToMs(record.beginTick) } },
  );
}
