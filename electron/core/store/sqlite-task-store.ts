/** A task's durable state in SQLite. 64-bit values stand as decimal strings. */
import type { DatabaseSync, SQLInputValue, SQLOutputValue } from 'node:sqlite';
import { asCollectionId, asPartitionId, asPChannel, asVChannel } from '../../../shared/model/ids.ts';
import type { CollectionId, PartitionId, TaskId, VChannel } from '../../../shared/model/ids.ts';
import {
  asOrdinal,
  compareResumePoints,
  type Checkpoint,
  type MessageOrdinal,
} from '../../../shared/model/position.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type {
  CheckpointUpdate,
  CollectionPhase,
  CopyProgress,
  CopyState,
  FirstState,
  JoinCertificate,
  StoredChannel,
  StoredCollection,
  StoredShard,
  StoredTask,
  TaskStore,
} from '../../../shared/model/task-state.ts';
import { asTimeTick, type TimeTick } from '../../../shared/time/time-tick.ts';
import { storeError } from './database.ts';

type Row = Record<string, SQLOutputValue>;

export class SqliteTaskStore implements TaskStore {
  readonly #database: DatabaseSync;
  readonly #taskId: TaskId;

  /** The database stays the caller's, to be closed after the store is no longer used. */
  constructor(database: DatabaseSync, taskId: TaskId) {
    this.#database = database;
    this.#taskId = taskId;
  }

  load(): StoredTask | undefined {
    return this.#guarded('read', () => {
      const task = this.#all('SELECT * FROM task WHERE task_id = ?')[0];
      if (task === undefined) return undefined;
      return {
        source: {
          etcdClusterId: text(task, 'etcd_cluster_id'),
          rootPath: text(task, 'root_path'),
          walKind: text(task, 'wal_kind'),
          walIdentity: text(task, 'wal_identity'),
        },
        epoch: Number(task['epoch']),
        channels: this.#all('SELECT * FROM channel WHERE task_id = ?').map((row): StoredChannel => ({
          channel: asPChannel(text(row, 'channel')),
          checkpoint: toCheckpoint(row),
        })),
        collections: this.#all('SELECT * FROM collection WHERE task_id = ?').map(toCollection),
        shards: this.#all('SELECT * FROM shard WHERE task_id = ?').map((row): StoredShard => ({
          vchannel: asVChannel(text(row, 'vchannel')),
          collectionId: asCollectionId(BigInt(text(row, 'collection_id'))),
          channel: asPChannel(text(row, 'channel')),
          checkpoint: toCheckpoint(row),
          intent: row['intent'] === null ? undefined : asOrdinal(BigInt(text(row, 'intent'))),
        })),
        writesUntilMs: Number(task['writes_until']),
        databases: this.#all('SELECT * FROM made_database WHERE task_id = ?').map((row) => text(row, 'name')),
        droppedPartitions: this.#all('SELECT * FROM dropped_partition WHERE task_id = ?').map((row) => ({
          collectionId: asCollectionId(BigInt(text(row, 'collection_id'))),
          partitionId: asPartitionId(BigInt(text(row, 'partition_id'))),
        })),
      };
    });
  }

  begin(state: FirstState): number {
    const epoch = 1;
    this.#transaction('begin the task', () => {
      const { source } = state;
      this.#run(
        'INSERT INTO task (task_id, epoch, etcd_cluster_id, root_path, wal_kind, wal_identity) VALUES (?, ?, ?, ?, ?, ?)',
        [epoch, source.etcdClusterId, source.rootPath, source.walKind, source.walIdentity],
      );
      for (const channel of state.channels) this.#insertChannel(channel);
      for (const collection of state.collections) this.#insertCollection(collection);
      for (const shard of state.shards) this.#insertShard(shard);
    });
    return epoch;
  }

  addChannel(channel: StoredChannel): void {
    this.#guarded('add a channel', () => this.#insertChannel(channel));
  }

  addCollection(collection: StoredCollection): void {
    this.#guarded('add a collection', () => this.#insertCollection(collection));
  }

  addShard(shard: StoredShard): void {
    this.#guarded('add a shard', () => this.#insertShard(shard));
  }

  updateCollection(
    id: CollectionId,
    change: { phase: CollectionPhase; targetId?: bigint | undefined; dropTick?: TimeTick | undefined },
  ): void {
    this.#transaction('update a collection', () => {
      this.#database
        .prepare(
          `UPDATE collection SET phase = ?, target_id = coalesce(?, target_id), drop_tick = coalesce(?, drop_tick)
           WHERE task_id = ? AND collection_id = ?`,
        )
        .run(change.phase, decimal(change.targetId), decimal(change.dropTick), this.#taskId, id.toString());
      // A dropped collection is never read again: its shards no longer hold back where a channel begins.
      if (change.phase === 'dropped') {
        this.#run('DELETE FROM shard WHERE task_id = ? AND collection_id = ?', [id.toString()]);
        this.#run('DELETE FROM copy_progress WHERE task_id = ? AND collection_id = ?', [id.toString()]);
        this.#run('DELETE FROM dropped_partition WHERE task_id = ? AND collection_id = ?', [id.toString()]);
        this.#run("UPDATE collection SET schema = x'' WHERE task_id = ? AND collection_id = ?", [id.toString()]);
      }
    });
  }

  setOperationsUntil(id: CollectionId, ordinal: MessageOrdinal): void {
    this.#guarded('record an operation', () => {
      this.#database
        .prepare('UPDATE collection SET operations_until = ? WHERE task_id = ? AND collection_id = ?')
        .run(ordinal.toString(), this.#taskId, id.toString());
    });
  }

  beginCopy(id: CollectionId, shards: readonly StoredShard[]): void {
    this.#transaction('begin a copy', () => {
      for (const shard of shards) this.#insertShard(shard);
      this.#setCopy(id, 'copying');
    });
  }

  copyProgress(id: CollectionId): readonly CopyProgress[] {
    return this.#guarded('read a copy', () =>
      this.#database
        .prepare('SELECT * FROM copy_progress WHERE task_id = ? AND collection_id = ?')
        .all(this.#taskId, id.toString())
        .map(toCopyProgress),
    );
  }

  saveCopyProgress(id: CollectionId, progress: CopyProgress): void {
    const { partition, confirmedKey, intentKey, isDone, rowCount, doubledRowCount } = progress;
    this.#guarded('save a copy', () => {
      this.#run(
        `INSERT OR REPLACE INTO copy_progress (task_id, collection_id, partition, key_type, confirmed_key, intent_key,
           is_done, row_count, doubled_row_count) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        [
          id.toString(),
          partition,
          typeof (intentKey ?? confirmedKey) === 'string' ? 'varchar' : 'int64',
          confirmedKey?.toString() ?? null,
          intentKey?.toString() ?? null,
          isDone ? 1 : 0,
          rowCount.toString(),
          doubledRowCount.toString(),
        ],
      );
    });
  }

  endCopy(id: CollectionId, ends: ReadonlyMap<VChannel, MessageOrdinal>): void {
    this.#transaction('end a copy', () => {
      for (const [vchannel, end] of ends) this.#raiseIntent(vchannel, end);
      this.#setCopy(id, 'copied');
    });
  }

  recordJoin(id: CollectionId, certificate: JoinCertificate): void {
    this.#transaction('record a join', () => {
      this.#run('INSERT OR REPLACE INTO join_certificate (task_id, collection_id, certificate) VALUES (?, ?, ?)', [
        id.toString(),
        JSON.stringify(certificate),
      ]);
      this.#run('DELETE FROM copy_progress WHERE task_id = ? AND collection_id = ?', [id.toString()]);
      this.#setCopy(id, 'joined');
    });
  }

  joins(): readonly JoinCertificate[] {
    return this.#guarded('read the history', () =>
      this.#all('SELECT certificate FROM join_certificate WHERE task_id = ?').map(
        (row) => JSON.parse(text(row, 'certificate')) as JoinCertificate,
      ),
    );
  }

  saveIntents(intents: ReadonlyMap<VChannel, MessageOrdinal>): void {
    this.#transaction('save intents', () => {
      for (const [vchannel, intent] of intents) this.#raiseIntent(vchannel, intent);
    });
  }

  setWritesUntil(unixMs: number): void {
    this.#guarded('record that it runs', () => {
      this.#database.prepare('UPDATE task SET writes_until = ? WHERE task_id = ?').run(unixMs, this.#taskId);
    });
  }

  #setCopy(id: CollectionId, copy: CopyState): void {
    this.#database
      .prepare('UPDATE collection SET copy = ? WHERE task_id = ? AND collection_id = ?')
      .run(copy, this.#taskId, id.toString());
  }

  #raiseIntent(vchannel: VChannel, intent: MessageOrdinal): void {
    this.#database
      .prepare('UPDATE shard SET intent = ? WHERE task_id = ? AND vchannel = ?')
      .run(intent.toString(), this.#taskId, vchannel);
  }

  addDatabase(name: string): void {
    this.#guarded('record a database', () => {
      this.#run('INSERT OR IGNORE INTO made_database (task_id, name) VALUES (?, ?)', [name]);
    });
  }

  removeDatabase(name: string): void {
    this.#guarded('forget a database', () => {
      this.#run('DELETE FROM made_database WHERE task_id = ? AND name = ?', [name]);
    });
  }

  addDroppedPartition(collectionId: CollectionId, partitionId: PartitionId): void {
    this.#guarded('record a dropped partition', () => {
      this.#run('INSERT OR IGNORE INTO dropped_partition (task_id, collection_id, partition_id) VALUES (?, ?, ?)', [
        collectionId.toString(),
        partitionId.toString(),
      ]);
    });
  }

  saveCheckpoints(epoch: number, update: CheckpointUpdate): void {
    this.#transaction('save checkpoints', () => {
      const current = Number(this.#all('SELECT epoch FROM task WHERE task_id = ?')[0]?.['epoch'] ?? 0);
      if (epoch !== current) {
        throw new ReplicationError(
          'bug',
          'store',
          `A checkpoint of epoch ${epoch} was refused: the task is in epoch ${current}.`,
        );
      }
      for (const [vchannel, checkpoint] of update.shards)
        this.#advance('shard', 'vchannel', vchannel, epoch, checkpoint);
      for (const [channel, checkpoint] of update.channels)
        this.#advance('channel', 'channel', channel, epoch, checkpoint);
    });
  }

  rewind(update: CheckpointUpdate): number {
    return this.#transaction('rewind checkpoints', () => {
      this.#run('UPDATE task SET epoch = epoch + 1 WHERE task_id = ?', []);
      const epoch = Number(this.#all('SELECT epoch FROM task WHERE task_id = ?')[0]?.['epoch']);
      // What is not moved back goes on in the new epoch from where it is.
      for (const table of ['shard', 'channel']) {
        this.#database.prepare(`UPDATE ${table} SET epoch = ? WHERE task_id = ?`).run(epoch, this.#taskId);
      }
      for (const [vchannel, checkpoint] of update.shards) this.#write('shard', 'vchannel', vchannel, epoch, checkpoint);
      for (const [channel, checkpoint] of update.channels)
        this.#write('channel', 'channel', channel, epoch, checkpoint);
      return epoch;
    });
  }

  #advance(table: 'shard' | 'channel', key: string, name: string, epoch: number, checkpoint: Checkpoint): void {
    const row = this.#database
      .prepare(`SELECT * FROM ${table} WHERE task_id = ? AND ${key} = ?`)
      .get(this.#taskId, name);
    // A shard whose collection was dropped meanwhile has no checkpoint any more.
    if (row === undefined) return;
    const stored = toCheckpoint(row);
    const isSameLog = stored.resume.incarnation === checkpoint.resume.incarnation;
    const movesBack =
      checkpoint.tick < stored.tick || (isSameLog && compareResumePoints(checkpoint.resume, stored.resume) < 0);
    if (Number(row['epoch']) === epoch && (movesBack || !isSameLog)) {
      throw new ReplicationError(
        'bug',
        'store',
        `The checkpoint of ${name} was about to move back, which would repeat changes. It was refused.`,
        {
          context: { stored: stored.tick.toString(), offered: checkpoint.tick.toString() },
        },
      );
    }
    this.#write(table, key, name, epoch, checkpoint);
  }

  #write(table: 'shard' | 'channel', key: string, name: string, epoch: number, checkpoint: Checkpoint): void {
    const { resume, tick } = checkpoint;
    this.#database
      .prepare(
        `UPDATE ${table} SET epoch = ?, resume_kind = ?, resume_ordinal = ?, incarnation = ?, tick = ? WHERE task_id = ? AND ${key} = ?`,
      )
      .run(epoch, resume.kind, resume.ordinal.toString(), resume.incarnation, tick.toString(), this.#taskId, name);
  }

  #insertChannel(channel: StoredChannel): void {
    const { resume, tick } = channel.checkpoint;
    this.#run(
      `INSERT INTO channel (task_id, channel, epoch, resume_kind, resume_ordinal, incarnation, tick)
       VALUES (?, ?, (SELECT epoch FROM task WHERE task_id = ?1), ?, ?, ?, ?)`,
      [channel.channel, resume.kind, resume.ordinal.toString(), resume.incarnation, tick.toString()],
    );
  }

  #insertCollection(collection: StoredCollection): void {
    this.#run(
      `INSERT INTO collection (task_id, collection_id, database, name, create_tick, drop_tick, phase, target_id, schema,
         shard_count, consistency_level, properties, partition_key_count, vchannels, operations_until, copy)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [
        collection.id.toString(),
        collection.database,
        collection.name,
        collection.createTick.toString(),
        decimal(collection.dropTick),
        collection.phase,
        decimal(collection.targetId),
        collection.schema,
        collection.shardCount,
        collection.consistencyLevel,
        JSON.stringify(collection.properties),
        collection.partitionKeyCount,
        JSON.stringify(collection.vchannels),
        collection.operationsUntil.toString(),
        collection.copy,
      ],
    );
  }

  #insertShard(shard: StoredShard): void {
    const { resume, tick } = shard.checkpoint;
    this.#run(
      `INSERT INTO shard (task_id, vchannel, collection_id, channel, epoch, resume_kind, resume_ordinal, incarnation, tick, intent)
       VALUES (?, ?, ?, ?, (SELECT epoch FROM task WHERE task_id = ?1), ?, ?, ?, ?, ?)`,
      [
        shard.vchannel,
        shard.collectionId.toString(),
        shard.channel,
        resume.kind,
        resume.ordinal.toString(),
        resume.incarnation,
        tick.toString(),
        decimal(shard.intent),
      ],
    );
  }

  /** Every statement of a task begins with the task's id. */
  #run(sql: string, rest: readonly SQLInputValue[]): void {
    this.#database.prepare(sql).run(this.#taskId, ...rest);
  }

  #all(sql: string): Row[] {
    return this.#database.prepare(sql).all(this.#taskId);
  }

  #transaction<T>(what: string, body: () => T): T {
    return this.#guarded(what, () => {
      this.#database.exec('BEGIN IMMEDIATE');
      try {
        const result = body();
        this.#database.exec('COMMIT');
        return result;
      } catch (error) {
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
        throw error;
      }
    });
  }

  #guarded<T>(what: string, body: () => T): T {
    try {
      return body();
    } catch (error) {
      throw storeError(`The store could not ${what}`, error);
    }
  }
}

function decimal(value: bigint | undefined): string | null {
  return value === undefined ? null : value.toString();
}

function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') {
    throw new ReplicationError('storeFailed', 'store', `The store is damaged: column ${column} holds no text.`);
  }
  return value;
}

function toCheckpoint(row: Row): Checkpoint {
  const kind = text(row, 'resume_kind') === 'after' ? 'after' : 'at';
  const ordinal = asOrdinal(BigInt(text(row, 'resume_ordinal')));
  return {
    resume: { kind, ordinal, incarnation: text(row, 'incarnation') },
    tick: asTimeTick(BigInt(text(row, 'tick'))),
  };
}

function toCollection(row: Row): StoredCollection {
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
    schema,
    shardCount: Number(row['shard_count']),
    consistencyLevel: Number(row['consistency_level']),
    properties: JSON.parse(text(row, 'properties')) as StoredCollection['properties'],
    partitionKeyCount: Number(row['partition_key_count']),
    vchannels: JSON.parse(text(row, 'vchannels')) as VChannel[],
    operationsUntil: asOrdinal(BigInt(text(row, 'operations_until'))),
    copy: text(row, 'copy') as CopyState,
  };
}

function toCopyProgress(row: Row): CopyProgress {
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
  };
}
