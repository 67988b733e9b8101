/** Writes one collection's rows to the target: the data messages of one timestamp at a time, each confirmed or thrown. */
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import { timeTickToMs, type TimeTick } from '../../../shared/time/time-tick.ts';
import { hasPartitionKey, type CollectionSchema } from '../codec/collection-schema.ts';
import { readKeyColumn } from '../codec/primary-keys.ts';
import type { DeleteRecord, InsertRecord, PrimaryKeys } from '../codec/records.ts';
import { outcomeOf } from '../errors/policy.ts';
import type { CollectionAddress, Target } from '../target/target.ts';
import { planWrites, type WriteStep } from './write-plan.ts';

/** Repeats a call on the target after the policy; `previous` is the failure of the attempt before. */
export type OnTarget = <T>(
  name: string,
  call: (signal: AbortSignal, previous: ReplicationError | undefined) => Promise<T>,
) => Promise<T>;

export interface WriteCounters {
  rowsWritten: number;
  rowsDeleted: number;
}

export interface CollectionWriterOptions {
  readonly target: Target;
  readonly address: CollectionAddress;
  readonly schema: CollectionSchema;
  readonly onTarget: OnTarget;
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
    const steps = planWrites({
      deletes,
      inserts,
      keysOf: (record) => this.#keysOf(record),
      hasPartitionKey: this.#hasPartitionKey,
    });
    for (const step of steps) await this.#run(step, isDoubtful);
  }

  async #run(step: WriteStep, isDoubtful: boolean): Promise<void> {
    const { target, address, schema, onTarget, confirmed } = this.#options;
    const partition = this.#hasPartitionKey ? '' : step.record.partitionName;
    if (step.kind === 'delete') {
      const { keys } = step;
      const write = { ...address, partition, keyField: schema.keyField.name, keys };
      await onTarget('delete', (signal) => target.delete(write, signal));
      this.counters.rowsDeleted += keys.values.length;
    } else {
      const { rowCount, fields } = step.record;
      const write = { ...address, partition, rowCount, fields };
      let isKeyed = isDoubtful || step.kind === 'upsert';
      await onTarget(isKeyed ? 'upsert' : 'insert', (signal, previous) => {
        // An answer that was lost leaves open whether the rows are there: every repetition from then on replaces them.
        isKeyed ||= mayHaveHappened(previous);
        return isKeyed ? target.upsert(write, signal) : target.insert(write, signal);
      });
      this.counters.rowsWritten += rowCount;
    }
    confirmed(step.record.beginTick);
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
