/** A task's durable state in SQLite, fenced: see `TaskStore.takeLease`. */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { asCollectionId, asPartitionId, asPChannel, asVChannel } from '../../../shared/model/ids.ts';
import type { CollectionId, PartitionId, TaskId, VChannel } from '../../../shared/model/ids.ts';
import type { KeyValue } from '../../../shared/model/key-value.ts';
import {
  asOrdinal,
  compareResumePoints,
  type Checkpoint,
  type MessageOrdinal,
} from '../../../shared/model/position.ts';
import {
  LASTING_OPERATIONS,
  OPERATION_EVENTS_MAX,
  type OperationDecision,
  type OperationEvent,
} from '../../../shared/model/operation-event.ts';
import type { QuarantinedRecord } from '../../../shared/model/quarantine.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { Gap } from '../../../shared/model/task-history.ts';
import type {
  CheckpointUpdate,
  CopyDoubt,
  CopyProgress,
  CopyState,
  FirstState,
  JoinCertificate,
  KnownImport,
  LoadedForCopy,
  LoadedPart,
  RunLease,
  SeenDatabase,
  SelectionChange,
  StoredAlias,
  StoredChannel,
  StoredCollection,
  StoredMarker,
  StoredName,
  StoredShard,
  StoredTask,
  TaskRun,
  TaskScope,
  TaskStore,
} from '../../../shared/model/task-state.ts';
import { storeError } from './store-error.ts';
import {
  decimal,
  markerText,
  text,
  toCheckpoint,
  toCollection,
  toCopyProgress,
  toMarker,
  toRun,
  type Row,
} from './task-rows.ts';

/** What is kept of a collection beside its shards: gone when it is no longer the task's. */
const COLLECTION_TABLES = [
  'copy_progress',
  'join_certificate',
  'copy_load',
  'dropped_partition',
  'known_import',
] as const;
/** Of a task in all: collections come and go. */
const OPERATION_EVENTS_OF_TASK_MAX = 20_000;
/** So rarely is the whole counted. */
const OPERATION_EVENTS_COUNTED_EVERY = 256;

/** Names of the product's own, which need no escaping. */
const LASTING = LASTING_OPERATIONS.map((operation) => `'${operation}'`).join();

export class SqliteTaskStore implements TaskStore {
  readonly #database: DatabaseSync;
  readonly #taskId: TaskId;
  /** The lease that this object holds, or held. */
  #lease: { readonly epoch: number; readonly run: TaskRun } | undefined;

  /** The database stays the caller's, to be closed after the store is no longer used. */
  constructor(database: DatabaseSync, taskId: TaskId) {
    this.#database = database;
    this.#taskId = taskId;
  }

  load(): StoredTask | undefined {
    return this.#guarded('read the task', () => {
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
        run: toRun(task),
        marker: toMarker(task),
        scope: JSON.parse(text(task, 'scope')) as TaskScope,
        databases: this.#all('SELECT * FROM made_database WHERE task_id = ?').map((row) => text(row, 'name')),
        seenDatabases: this.#all('SELECT * FROM seen_database WHERE task_id = ?').map((row) => ({
          id: BigInt(text(row, 'source_id')),
          name: text(row, 'name'),
        })),
        aliases: this.#all('SELECT * FROM made_alias WHERE task_id = ?').map((row): StoredAlias => ({
          database: text(row, 'database'),
          alias: text(row, 'alias'),
          collectionId: asCollectionId(BigInt(text(row, 'collection_id'))),
        })),
        imports: this.#all('SELECT * FROM known_import WHERE task_id = ?').map((row): KnownImport => ({
          id: BigInt(text(row, 'import_id')),
          collectionId: asCollectionId(BigInt(text(row, 'collection_id'))),
          isLeftOut: row['is_left_out'] === 1,
        })),
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
        `INSERT INTO task (task_id, epoch, etcd_cluster_id, root_path, wal_kind, wal_identity, scope)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
        [epoch, source.etcdClusterId, source.rootPath, source.walKind, source.walIdentity, JSON.stringify(state.scope)],
      );
      for (const channel of state.channels) this.#insertChannel(channel);
      for (const collection of state.collections) this.#insertCollection(collection);
      for (const shard of state.shards) this.#insertShard(shard);
      for (const known of state.imports) this.#putImport(known);
    });
    return epoch;
  }

  takeLease(run: TaskRun): RunLease | undefined {
    const taken = this.#transaction('take the lease of the task', () => {
      const before = this.load();
      if (before === undefined) return undefined;
      const epoch = before.epoch + 1;
      this.#openEpoch(epoch);
      this.#database.prepare('UPDATE task SET run = ? WHERE task_id = ?').run(JSON.stringify(run), this.#taskId);
      return { task: { ...before, epoch, run }, previousRun: before.run };
    });
    if (taken !== undefined) this.#lease = { epoch: taken.task.epoch, run };
    return taken;
  }

  addChannel(channel: StoredChannel): void {
    this.#write('add a channel', () => this.#insertChannel(channel));
  }

  addCollection(collection: StoredCollection): void {
    this.#write('add a collection', () => this.#insertCollection(collection));
  }

  addShard(shard: StoredShard): void {
    this.#write('add a shard', () => this.#insertShard(shard));
  }

  applySelection({ selection, removed, added, shards }: SelectionChange): void {
    this.#write('change the selection', () => {
      const [task] = this.#all('SELECT scope FROM task WHERE task_id = ?');
      const scope = task === undefined ? {} : (JSON.parse(text(task, 'scope')) as TaskScope);
      this.#database
        .prepare('UPDATE task SET scope = ? WHERE task_id = ?')
        .run(JSON.stringify({ ...scope, selection }), this.#taskId);
      for (const id of removed) {
        for (const table of ['shard', 'made_alias', ...COLLECTION_TABLES, 'collection']) {
          this.#run(`DELETE FROM ${table} WHERE task_id = ? AND collection_id = ?`, [id.toString()]);
        }
      }
      for (const id of removed) {
        this.#run('DELETE FROM quarantined WHERE task_id = ? AND collection_id = ? AND decision IS NULL', [
          id.toString(),
        ]);
      }
      for (const collection of added) this.#insertCollection(collection);
      for (const shard of shards) this.#insertShard(shard);
    });
  }

  updateCollection(id: CollectionId, change: Parameters<TaskStore['updateCollection']>[1]): void {
    this.#write('update a collection', () => {
      this.#database
        .prepare(
          `UPDATE collection SET phase = ?, target_id = coalesce(?, target_id),
             target_create_tick = coalesce(?, target_create_tick), drop_tick = coalesce(?, drop_tick)
           WHERE task_id = ? AND collection_id = ?`,
        )
        .run(
          change.phase,
          decimal(change.targetId),
          decimal(change.targetCreateTick),
          decimal(change.dropTick),
          this.#taskId,
          id.toString(),
        );
      // A dropped collection is never read again: its shards no longer hold back where a channel begins.
      if (change.phase === 'dropped') {
        this.#run('DELETE FROM shard WHERE task_id = ? AND collection_id = ?', [id.toString()]);
        this.#run('DELETE FROM copy_progress WHERE task_id = ? AND collection_id = ?', [id.toString()]);
        this.#run('DELETE FROM copy_load WHERE task_id = ? AND collection_id = ?', [id.toString()]);
        this.#run('DELETE FROM dropped_partition WHERE task_id = ? AND collection_id = ?', [id.toString()]);
        this.#run('DELETE FROM known_import WHERE task_id = ? AND collection_id = ?', [id.toString()]);
        this.#run("UPDATE collection SET schema = x'' WHERE task_id = ? AND collection_id = ?", [id.toString()]);
      }
    });
  }

  beginRename(id: CollectionId, to: StoredName): void {
    this.#write('record a rename', () => {
      this.#database
        .prepare('UPDATE collection SET renaming_to = ? WHERE task_id = ? AND collection_id = ?')
        .run(JSON.stringify(to), this.#taskId, id.toString());
    });
  }

  endRename(id: CollectionId, { database, name }: StoredName): void {
    this.#write('record a new name', () => {
      this.#database
        .prepare(
          'UPDATE collection SET database = ?, name = ?, renaming_to = NULL WHERE task_id = ? AND collection_id = ?',
        )
        .run(database, name, this.#taskId, id.toString());
    });
  }

  setProperties(id: CollectionId, properties: readonly KeyValue[]): void {
    this.#write('record properties', () => {
      this.#database
        .prepare('UPDATE collection SET properties = ? WHERE task_id = ? AND collection_id = ?')
        .run(JSON.stringify(properties), this.#taskId, id.toString());
    });
  }

  setSchema(id: CollectionId, schema: Uint8Array): void {
    this.#write('record a schema', () => {
      this.#database
        .prepare('UPDATE collection SET schema = ? WHERE task_id = ? AND collection_id = ?')
        .run(schema, this.#taskId, id.toString());
    });
  }

  saveAlias({ database, alias, collectionId }: StoredAlias): void {
    this.#write('record an alias', () => {
      this.#run('INSERT OR REPLACE INTO made_alias (task_id, database, alias, collection_id) VALUES (?, ?, ?, ?)', [
        database,
        alias,
        collectionId.toString(),
      ]);
    });
  }

  removeAlias({ database, alias }: Pick<StoredAlias, 'alias' | 'database'>): void {
    this.#write('forget an alias', () => {
      this.#run('DELETE FROM made_alias WHERE task_id = ? AND database = ? AND alias = ?', [database, alias]);
    });
  }

  setOperationsUntil(id: CollectionId, ordinal: MessageOrdinal): void {
    this.#write('record an operation', () => {
      this.#database
        .prepare('UPDATE collection SET operations_until = ? WHERE task_id = ? AND collection_id = ?')
        .run(ordinal.toString(), this.#taskId, id.toString());
    });
  }

  beginRecopy(id: CollectionId, phase: 'pending' | 'creating' | 'created'): void {
    this.#write('begin a copy afresh', () => {
      for (const table of ['shard', 'copy_progress', 'join_certificate']) {
        this.#run(`DELETE FROM ${table} WHERE task_id = ? AND collection_id = ?`, [id.toString()]);
      }
      this.#database
        .prepare(
          `UPDATE collection SET copy = 'due', is_recopy = 1, doubt = NULL, phase = ?1,
             target_id = CASE ?1 WHEN 'created' THEN target_id END,
             target_create_tick = CASE ?1 WHEN 'created' THEN target_create_tick END
           WHERE task_id = ?2 AND collection_id = ?3`,
        )
        .run(phase, this.#taskId, id.toString());
    });
  }

  loadedForCopy(id: CollectionId): LoadedForCopy {
    return this.#guarded('read what was loaded', () =>
      Object.fromEntries(
        this.#database
          .prepare('SELECT side, loaded FROM copy_load WHERE task_id = ? AND collection_id = ?')
          .all(this.#taskId, id.toString())
          .map((row) => [text(row, 'side'), JSON.parse(text(row, 'loaded')) as LoadedPart]),
      ),
    );
  }

  setLoadedForCopy(id: CollectionId, side: keyof LoadedForCopy, loaded: LoadedPart | undefined): void {
    this.#write('record what is loaded', () => {
      if (loaded === undefined) {
        this.#run('DELETE FROM copy_load WHERE task_id = ? AND collection_id = ? AND side = ?', [id.toString(), side]);
      } else {
        this.#run('INSERT OR REPLACE INTO copy_load (task_id, collection_id, side, loaded) VALUES (?, ?, ?, ?)', [
          id.toString(),
          side,
          JSON.stringify(loaded),
        ]);
      }
    });
  }

  beginCopy(id: CollectionId, shards: readonly StoredShard[], imports: readonly bigint[] = []): void {
    this.#write('begin a copy', () => {
      for (const shard of shards) this.#insertShard(shard);
      this.#run('UPDATE known_import SET is_left_out = 0 WHERE task_id = ? AND collection_id = ?', [id.toString()]);
      for (const one of imports) this.#putImport({ id: one, collectionId: id, isLeftOut: false });
      this.#run('UPDATE collection SET doubt = NULL WHERE task_id = ? AND collection_id = ?', [id.toString()]);
      this.#setCopy(id, 'copying');
    });
  }

  addImport(known: KnownImport): void {
    this.#write('record an import', () => this.#putImport(known));
  }

  forgetImports(ids: readonly bigint[]): void {
    this.#write('forget imports', () => {
      for (const id of ids) {
        this.#run('DELETE FROM known_import WHERE task_id = ? AND import_id = ?', [id.toString()]);
      }
    });
  }

  #putImport({ id, collectionId, isLeftOut }: KnownImport): void {
    this.#run(
      'INSERT OR REPLACE INTO known_import (task_id, import_id, collection_id, is_left_out) VALUES (?, ?, ?, ?)',
      [id.toString(), collectionId.toString(), isLeftOut ? 1 : 0],
    );
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
    const { partition, confirmedKey, intentKey, isDone, rowCount, doubledRowCount, deletedRowCount } = progress;
    this.#write('save a copy', () => {
      this.#run(
        `INSERT OR REPLACE INTO copy_progress (task_id, collection_id, partition, key_type, confirmed_key, intent_key,
           is_done, row_count, doubled_row_count, deleted_row_count) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        [
          id.toString(),
          partition,
          typeof (intentKey ?? confirmedKey) === 'string' ? 'varchar' : 'int64',
          confirmedKey?.toString() ?? null,
          intentKey?.toString() ?? null,
          isDone ? 1 : 0,
          rowCount.toString(),
          doubledRowCount.toString(),
          deletedRowCount.toString(),
        ],
      );
    });
  }

  endCopy(id: CollectionId, ends: ReadonlyMap<VChannel, MessageOrdinal>): void {
    this.#write('end a copy', () => {
      for (const [vchannel, end] of ends) this.#raiseIntent(vchannel, end);
      this.#setCopy(id, 'copied');
    });
  }

  recordJoin(id: CollectionId, certificate: JoinCertificate): void {
    this.#write('record a join', () => {
      this.#run('INSERT OR REPLACE INTO join_certificate (task_id, collection_id, certificate) VALUES (?, ?, ?)', [
        id.toString(),
        JSON.stringify(certificate),
      ]);
      this.#run('DELETE FROM copy_progress WHERE task_id = ? AND collection_id = ?', [id.toString()]);
      this.#setCopy(id, 'joined');
      this.#run('UPDATE collection SET is_recopy = 0 WHERE task_id = ? AND collection_id = ?', [id.toString()]);
    });
  }

  joins(): readonly JoinCertificate[] {
    return this.#guarded('read the history', () =>
      this.#all('SELECT certificate FROM join_certificate WHERE task_id = ?').map(
        (row) => JSON.parse(text(row, 'certificate')) as JoinCertificate,
      ),
    );
  }

  recordGap(gap: Gap): void {
    this.#write('record a gap', () => {
      this.#run('INSERT OR IGNORE INTO gap (task_id, vchannel, from_ordinal, gap) VALUES (?, ?, ?, ?)', [
        gap.vchannel,
        gap.from.ordinal,
        JSON.stringify(gap),
      ]);
    });
  }

  gaps(): readonly Gap[] {
    return this.#guarded('read the history', () =>
      this.#all('SELECT gap FROM gap WHERE task_id = ? ORDER BY rowid').map(
        (row) => JSON.parse(text(row, 'gap')) as Gap,
      ),
    );
  }

  saveIntents(intents: ReadonlyMap<VChannel, MessageOrdinal>): void {
    this.#write('save intents', () => {
      for (const [vchannel, intent] of intents) this.#raiseIntent(vchannel, intent);
    });
  }

  setWritesUntil(unixMs: number): void {
    this.#write('record that it runs', () => {
      this.#database.prepare('UPDATE task SET writes_until = ? WHERE task_id = ?').run(unixMs, this.#taskId);
    });
  }

  saveMarker(marker: StoredMarker): void {
    this.#write('record what is known of the target', () => {
      this.#database.prepare('UPDATE task SET marker = ? WHERE task_id = ?').run(markerText(marker), this.#taskId);
    });
  }

  doubtCopies(doubt: CopyDoubt): void {
    this.#write('record a doubt', () => {
      this.#database
        .prepare(
          "UPDATE collection SET doubt = ? WHERE task_id = ? AND phase IN ('creating', 'created') AND copy <> 'due'",
        )
        .run(JSON.stringify(doubt), this.#taskId);
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

  quarantine(): readonly QuarantinedRecord[] {
    return this.#guarded('read the quarantine', () =>
      this.#all('SELECT record, decision FROM quarantined WHERE task_id = ? ORDER BY rowid').map((row) => ({
        ...(JSON.parse(text(row, 'record')) as QuarantinedRecord),
        ...(row['decision'] === null
          ? {}
          : { decision: JSON.parse(text(row, 'decision')) as QuarantinedRecord['decision'] }),
      })),
    );
  }

  addQuarantined(record: QuarantinedRecord, bytes: Uint8Array): void {
    this.#write('quarantine a message', () => {
      this.#run(
        `INSERT INTO quarantined (task_id, record_id, collection_id, record, bytes) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET record = excluded.record, bytes = excluded.bytes WHERE decision IS NULL`,
        [record.id, record.collectionId, JSON.stringify(record), bytes],
      );
    });
  }

  quarantinedBytes(id: string): Uint8Array | undefined {
    return this.#guarded('read a quarantined message', () => {
      const row = this.#database
        .prepare('SELECT bytes FROM quarantined WHERE task_id = ? AND record_id = ?')
        .get(this.#taskId, id);
      return row?.['bytes'] as Uint8Array | undefined;
    });
  }

  decideQuarantined(id: string, decision: NonNullable<QuarantinedRecord['decision']>): void {
    this.#write('record a decision', () => {
      this.#database
        .prepare('UPDATE quarantined SET decision = ? WHERE task_id = ? AND record_id = ?')
        .run(JSON.stringify(decision), this.#taskId, id);
    });
  }

  clearQuarantined(id: CollectionId): void {
    this.#write('clear the quarantine of a collection', () => {
      this.#run('DELETE FROM quarantined WHERE task_id = ? AND collection_id = ? AND decision IS NULL', [
        id.toString(),
      ]);
    });
  }

  recordOperation(event: OperationEvent): void {
    const object = event.collection?.id ?? '';
    this.#write('record an operation', () => {
      const { lastInsertRowid } = this.#database
        .prepare(
          `INSERT INTO operation_event (task_id, event_id, collection_id, outcome, event) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT (task_id, event_id) DO UPDATE SET outcome = excluded.outcome, event = excluded.event`,
        )
        .run(this.#taskId, event.id ?? null, object, event.outcome, JSON.stringify(event));
      this.#forgetOperations('AND collection_id = ?', [object], OPERATION_EVENTS_MAX);
      if (Number(lastInsertRowid) % OPERATION_EVENTS_COUNTED_EVERY === 0) {
        this.#forgetOperations('', [], OPERATION_EVENTS_OF_TASK_MAX);
        this.#forgetSuperseded();
      }
    });
  }

  /** But the last `keep`; what waits for a person stays, and what is asked of the history for good (`LASTING_OPERATIONS`). */
  #forgetOperations(scope: string, values: readonly string[], keep: number): void {
    this.#database
      .prepare(
        `DELETE FROM operation_event WHERE task_id = ? ${scope} AND outcome <> 'waiting'
         AND event ->> '$.operation' NOT IN (${LASTING}) AND sequence <=
           (SELECT sequence FROM operation_event WHERE task_id = ? ${scope} ORDER BY sequence DESC LIMIT 1 OFFSET ?)`,
      )
      .run(this.#taskId, ...values, this.#taskId, ...values, keep);
  }

  /** Of what is asked of the history for good, the last of its kind is enough in the end: a role may be made and dropped for years. */
  #forgetSuperseded(): void {
    this.#database
      .prepare(
        `DELETE FROM operation_event AS older WHERE task_id = ? AND outcome <> 'waiting' AND sequence <=
           (SELECT sequence FROM operation_event WHERE task_id = ? ORDER BY sequence DESC LIMIT 1 OFFSET ?)
         AND event ->> '$.operation' IN (${LASTING}) AND EXISTS (
           SELECT 1 FROM operation_event AS newer
           WHERE newer.task_id = older.task_id AND newer.collection_id = older.collection_id
             AND newer.sequence > older.sequence AND newer.outcome = older.outcome
             AND newer.event ->> '$.operation' = older.event ->> '$.operation'
             AND newer.event ->> '$.source' = older.event ->> '$.source'
             AND newer.event ->> '$.database' = older.event ->> '$.database'
             AND newer.event ->> '$.object' IS older.event ->> '$.object')`,
      )
      .run(this.#taskId, this.#taskId, OPERATION_EVENTS_MAX);
  }

  operations(of?: { readonly collection: CollectionId | undefined }): readonly OperationEvent[] {
    const about = of === undefined ? undefined : (of.collection?.toString() ?? '');
    return this.#guarded('read the operations', () =>
      this.#database
        .prepare(
          `SELECT event FROM operation_event WHERE task_id = ? ${about === undefined ? '' : 'AND collection_id = ?'}
           ORDER BY sequence DESC`,
        )
        .all(this.#taskId, ...(about === undefined ? [] : [about]))
        .map((row) => JSON.parse(text(row, 'event')) as OperationEvent),
    );
  }

  decideOperation(id: string, decision: OperationDecision): void {
    this.#write('record a decision', () => {
      this.#database
        .prepare('UPDATE operation_event SET decision = ? WHERE task_id = ? AND event_id = ?')
        .run(decision, this.#taskId, id);
    });
  }

  operationDecisions(): ReadonlyMap<string, OperationDecision> {
    return this.#guarded('read the operations', () => {
      const decided = this.#all(
        'SELECT event_id, decision FROM operation_event WHERE task_id = ? AND decision IS NOT NULL',
      );
      return new Map(
        decided.map((row) => [text(row, 'event_id'), text(row, 'decision') === 'apply' ? 'apply' : 'skip'] as const),
      );
    });
  }

  addDatabase(name: string): void {
    this.#write('record a database', () => {
      this.#run('INSERT OR IGNORE INTO made_database (task_id, name) VALUES (?, ?)', [name]);
    });
  }

  removeDatabase(name: string): void {
    this.#write('forget a database', () => {
      this.#run('DELETE FROM made_database WHERE task_id = ? AND name = ?', [name]);
    });
  }

  addSeenDatabase({ id, name }: SeenDatabase): void {
    this.#write('record a database of the source', () => {
      this.#run('INSERT OR REPLACE INTO seen_database (task_id, source_id, name) VALUES (?, ?, ?)', [
        id.toString(),
        name,
      ]);
    });
  }

  removeSeenDatabase(id: bigint): void {
    this.#write('forget a database of the source', () => {
      this.#run('DELETE FROM seen_database WHERE task_id = ? AND source_id = ?', [id.toString()]);
    });
  }

  addDroppedPartition(collectionId: CollectionId, partitionId: PartitionId): void {
    this.#write('record a dropped partition', () => {
      this.#run('INSERT OR IGNORE INTO dropped_partition (task_id, collection_id, partition_id) VALUES (?, ?, ?)', [
        collectionId.toString(),
        partitionId.toString(),
      ]);
    });
  }

  saveCheckpoints(epoch: number, update: CheckpointUpdate): void {
    this.#write('save checkpoints', () => {
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
    const opened = this.#write('rewind checkpoints', () => {
      const epoch = Number(this.#all('SELECT epoch FROM task WHERE task_id = ?')[0]?.['epoch'] ?? 0) + 1;
      this.#openEpoch(epoch);
      for (const [vchannel, checkpoint] of update.shards) this.#put('shard', 'vchannel', vchannel, epoch, checkpoint);
      for (const [channel, checkpoint] of update.channels) this.#put('channel', 'channel', channel, epoch, checkpoint);
      return epoch;
    });
    if (this.#lease !== undefined) this.#lease = { ...this.#lease, epoch: opened };
    return opened;
  }

  /** What is not moved back goes on in the new epoch from where it is. */
  #openEpoch(epoch: number): void {
    for (const table of ['task', 'shard', 'channel']) {
      this.#database.prepare(`UPDATE ${table} SET epoch = ? WHERE task_id = ?`).run(epoch, this.#taskId);
    }
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
    this.#put(table, key, name, epoch, checkpoint);
  }

  #put(table: 'shard' | 'channel', key: string, name: string, epoch: number, checkpoint: Checkpoint): void {
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
         shard_count, consistency_level, properties, partition_key_count, vchannels, operations_until, copy,
         target_create_tick, is_recopy)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
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
        decimal(collection.targetCreateTick),
        collection.isRecopy ? 1 : 0,
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

  /** A change of the task's state: refused, and undone, when this object's lease is not the task's last one. */
  #write<T>(what: string, body: () => T): T {
    return this.#transaction(what, () => {
      this.#assertLease();
      return body();
    });
  }

  #assertLease(): void {
    const row = this.#all('SELECT epoch, run FROM task WHERE task_id = ?')[0];
    if (row === undefined) return;
    const holder = toRun(row);
    const isOurs =
      this.#lease === undefined
        ? holder === undefined
        : holder?.id === this.#lease.run.id && Number(row['epoch']) === this.#lease.epoch;
    if (isOurs) return;
    throw new ReplicationError(
      'leaseLost',
      'store',
      `Another run of the task ${this.#taskId} has taken it over${holder === undefined ? '' : ` (process ${holder.pid} on ${holder.host}, ${new Date(holder.began).toISOString()})`}. This one ends, and nothing more of it is stored.`,
      { context: { taskId: this.#taskId, epoch: Number(row['epoch']), ownEpoch: this.#lease?.epoch ?? 0 } },
    );
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
      throw storeError(`The store could not ${what}`, error, this.#database);
    }
  }
}
