/** Rows of a task's tables as the model has them. 64-bit values stand as decimal strings. */
import type { SQLOutputValue } from 'node:sqlite';
import { asCollectionId, type VChannel } from '../../../shared/model/ids.ts';
import { asOrdinal, type Checkpoint } from '../../../shared/model/position.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type {
  CollectionPhase,
  CopyDoubt,
  CopyProgress,
  CopyState,
  StoredCollection,
  StoredMarker,
  StoredName,
  TaskRun,
} from '../../../shared/model/task-state.ts';
import { asTimeTick } from '../../../shared/time/time-tick.ts';

export type Row = Record<string, SQLOutputValue>;

export function decimal(value: bigint | undefined): string | null {
  return value === undefined ? null : value.toString();
}

export function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') {
    throw new ReplicationError('storeFailed', 'store', `The store is damaged: column ${column} holds no text.`);
  }
  return value;
}

export function toCheckpoint(row: Row): Checkpoint {
  const kind = text(row, 'resume_kind') === 'after' ? 'after' : 'at';
  const ordinal = asOrdinal(BigInt(text(row, 'resume_ordinal')));
  return {
    resume: { kind, ordinal, incarnation: text(row, 'incarnation') },
    tick: asTimeTick(BigInt(text(row, 'tick'))),
  };
}

export function toCollection(row: Row): StoredCollection {
  const schema = row['schema'];
  if (!(schema instanceof Uint8Array)) {
    throw new ReplicationError('storeFailed', 'store', 'The store is damaged: a collection has no schema.');
  }
  return {
    id: asCollectionId(BigInt(text(row, 'collection_id'))),
    database: text(row, 'database'),
    name: text(row, 'name'),
    createTick: asTimeTick(BigInt(text(row, 'create_tick'))),
    dropTick: row['drop_tick'] === null ? undefined : asTimeTick(BigInt(text(row, 'drop_tick'))),
    phase: text(row, 'phase') as CollectionPhase,
    targetId: row['target_id'] === null ? undefined : BigInt(text(row, 'target_id')),
    targetCreateTick:
      row['target_create_tick'] === null ? undefined : asTimeTick(BigInt(text(row, 'target_create_tick'))),
    doubt: row['doubt'] === null ? undefined : (JSON.parse(text(row, 'doubt')) as CopyDoubt),
    schema,
    shardCount: Number(row['shard_count']),
    consistencyLevel: Number(row['consistency_level']),
    properties: JSON.parse(text(row, 'properties')) as StoredCollection['properties'],
    partitionKeyCount: Number(row['partition_key_count']),
    vchannels: JSON.parse(text(row, 'vchannels')) as VChannel[],
    operationsUntil: asOrdinal(BigInt(text(row, 'operations_until'))),
    copy: text(row, 'copy') as CopyState,
    isRecopy: row['is_recopy'] === 1,
    ...(row['renaming_to'] === null ? {} : { renamingTo: JSON.parse(text(row, 'renaming_to')) as StoredName }),
  };
}

export function toCopyProgress(row: Row): CopyProgress {
  const key = (column: string): bigint | string | undefined => {
    if (row[column] === null) return undefined;
    return text(row, 'key_type') === 'int64' ? BigInt(text(row, column)) : text(row, column);
  };
  return {
    partition: text(row, 'partition'),
    confirmedKey: key('confirmed_key'),
    intentKey: key('intent_key'),
    isDone: row['is_done'] === 1,
    rowCount: BigInt(text(row, 'row_count')),
    doubledRowCount: BigInt(text(row, 'doubled_row_count')),
    deletedRowCount: BigInt(text(row, 'deleted_row_count')),
  };
}

export const toRun = (row: Row): TaskRun | undefined =>
  row['run'] === null ? undefined : (JSON.parse(text(row, 'run')) as TaskRun);

type JsonMarker = Readonly<Record<Exclude<keyof StoredMarker, 'runIds'>, string>> & Pick<StoredMarker, 'runIds'>;

export function markerText({ id, createTick, sent, confirmed, runIds }: StoredMarker): string {
  const json: JsonMarker = {
    id: id.toString(),
    createTick: createTick.toString(),
    sent: sent.toString(),
    confirmed: confirmed.toString(),
    runIds,
  };
  return JSON.stringify(json);
}

export function toMarker(row: Row): StoredMarker | undefined {
  if (row['marker'] === null) return undefined;
  const { id, createTick, sent, confirmed, runIds } = JSON.parse(text(row, 'marker')) as JsonMarker;
  return {
    id: BigInt(id),
    createTick: asTimeTick(BigInt(createTick)),
    sent: BigInt(sent),
    confirmed: BigInt(confirmed),
    runIds,
  };
}
