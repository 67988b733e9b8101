/** The one data folder's SQLite file: how it is opened, and the steps that bring an older one up to date. */
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import { damagedError, resultCodeOf, storeError } from './store-error.ts';

/** How long one writer waits for another thread's transaction; they last milliseconds. */
const BUSY_TIMEOUT_MS = 5_000;
/** Switching a new file's mode takes another thread a few milliseconds. */
const LOCKED_PAUSE_MS = 5;

/** Each step takes the store from its index to the next version. Steps are never edited once released. */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE task (
    task_id TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL,
    etcd_cluster_id TEXT NOT NULL,
    root_path TEXT NOT NULL,
    wal_kind TEXT NOT NULL,
    wal_identity TEXT NOT NULL
  ) STRICT;
  CREATE TABLE channel (
    task_id TEXT NOT NULL, channel TEXT NOT NULL,
    epoch INTEGER NOT NULL, resume_kind TEXT NOT NULL, resume_ordinal TEXT NOT NULL, incarnation TEXT NOT NULL,
    tick TEXT NOT NULL,
    PRIMARY KEY (task_id, channel)
  ) STRICT;
  CREATE TABLE collection (
    task_id TEXT NOT NULL, collection_id TEXT NOT NULL,
    database TEXT NOT NULL, name TEXT NOT NULL, create_tick TEXT NOT NULL, drop_tick TEXT,
    phase TEXT NOT NULL, target_id TEXT, schema BLOB NOT NULL, shard_count INTEGER NOT NULL,
    consistency_level INTEGER NOT NULL, properties TEXT NOT NULL, partition_key_count INTEGER NOT NULL,
    vchannels TEXT NOT NULL, operations_until TEXT NOT NULL,
    PRIMARY KEY (task_id, collection_id)
  ) STRICT;
  CREATE TABLE shard (
    task_id TEXT NOT NULL, vchannel TEXT NOT NULL, collection_id TEXT NOT NULL, channel TEXT NOT NULL,
    epoch INTEGER NOT NULL, resume_kind TEXT NOT NULL, resume_ordinal TEXT NOT NULL, incarnation TEXT NOT NULL,
    tick TEXT NOT NULL,
    PRIMARY KEY (task_id, vchannel)
  ) STRICT;
  CREATE TABLE made_database (
    task_id TEXT NOT NULL, name TEXT NOT NULL,
    PRIMARY KEY (task_id, name)
  ) STRICT;
  CREATE TABLE dropped_partition (
    task_id TEXT NOT NULL, collection_id TEXT NOT NULL, partition_id TEXT NOT NULL,
    PRIMARY KEY (task_id, collection_id, partition_id)
  ) STRICT;
  `,
  // What the operator has set up. `protection` is what the operator asked for, `task` (above) what the engine has done.
  `
  CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE connection (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    parts TEXT NOT NULL,
    secrets BLOB NOT NULL,
    is_lab INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE protection (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    source_id TEXT NOT NULL REFERENCES connection (id),
    target_id TEXT NOT NULL REFERENCES connection (id),
    desired TEXT NOT NULL CHECK (desired IN ('running', 'paused')),
    created_at INTEGER NOT NULL,
    paused_at INTEGER,
    last_status TEXT
  ) STRICT;
  `,
  `
  ALTER TABLE task ADD COLUMN writes_until INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE shard ADD COLUMN intent TEXT;
  ALTER TABLE collection ADD COLUMN copy TEXT NOT NULL DEFAULT 'none'
    CHECK (copy IN ('none', 'due', 'copying', 'copied', 'joined'));
  CREATE TABLE copy_progress (
    task_id TEXT NOT NULL REFERENCES task (task_id) ON DELETE CASCADE,
    collection_id TEXT NOT NULL,
    partition TEXT NOT NULL,
    key_type TEXT NOT NULL CHECK (key_type IN ('int64', 'varchar')),
    confirmed_key TEXT,
    intent_key TEXT,
    is_done INTEGER NOT NULL,
    row_count TEXT NOT NULL,
    doubled_row_count TEXT NOT NULL,
    PRIMARY KEY (task_id, collection_id, partition)
  ) STRICT;
  CREATE TABLE join_certificate (
    task_id TEXT NOT NULL REFERENCES task (task_id) ON DELETE CASCADE,
    collection_id TEXT NOT NULL,
    certificate TEXT NOT NULL,
    PRIMARY KEY (task_id, collection_id)
  ) STRICT;
  `,
  `
  CREATE TABLE session (
    digest TEXT PRIMARY KEY,
    created_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL
  ) STRICT;
  ALTER TABLE protection ADD COLUMN start TEXT;
  `,
  // The run that holds the task's lease, and what is known of the target's identity, as JSON.
  `
  ALTER TABLE task ADD COLUMN run TEXT;
  ALTER TABLE task ADD COLUMN marker TEXT;
  ALTER TABLE collection ADD COLUMN target_create_tick TEXT;
  ALTER TABLE collection ADD COLUMN doubt TEXT;
  ALTER TABLE collection ADD COLUMN is_recopy INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE copy_progress ADD COLUMN deleted_row_count TEXT NOT NULL DEFAULT '0';
  CREATE TABLE copy_load (
    task_id TEXT NOT NULL REFERENCES task (task_id) ON DELETE CASCADE,
    collection_id TEXT NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('source', 'target')),
    loaded TEXT NOT NULL,
    PRIMARY KEY (task_id, collection_id, side)
  ) STRICT;
  ALTER TABLE protection ADD COLUMN on_gap TEXT CHECK (on_gap IN ('hold', 'copy'));
  ALTER TABLE protection ADD COLUMN copy_budget TEXT;
  ALTER TABLE task ADD COLUMN scope TEXT NOT NULL DEFAULT '{}';
  ALTER TABLE protection ADD COLUMN selection TEXT;
  ALTER TABLE protection ADD COLUMN mapping TEXT;
  CREATE TABLE quarantined (
    task_id TEXT NOT NULL REFERENCES task (task_id) ON DELETE CASCADE,
    record_id TEXT NOT NULL,
    collection_id TEXT NOT NULL,
    record TEXT NOT NULL,
    decision TEXT,
    bytes BLOB NOT NULL,
    PRIMARY KEY (task_id, record_id)
  ) STRICT;
  CREATE TABLE gap (
    task_id TEXT NOT NULL REFERENCES task (task_id) ON DELETE CASCADE,
    vchannel TEXT NOT NULL,
    from_ordinal TEXT NOT NULL,
    gap TEXT NOT NULL,
    PRIMARY KEY (task_id, vchannel, from_ordinal)
  ) STRICT;
  CREATE TABLE operation_event (
    task_id TEXT NOT NULL REFERENCES task (task_id) ON DELETE CASCADE,
    sequence INTEGER PRIMARY KEY,
    event_id TEXT,
    collection_id TEXT NOT NULL,
    outcome TEXT NOT NULL,
    decision TEXT CHECK (decision IN ('apply', 'skip')),
    event TEXT NOT NULL,
    UNIQUE (task_id, event_id)
  ) STRICT;
  CREATE INDEX operation_event_of_collection ON operation_event (task_id, collection_id, sequence);
  ALTER TABLE protection ADD COLUMN operations TEXT;
  ALTER TABLE collection ADD COLUMN renaming_to TEXT;
  CREATE TABLE made_alias (
    task_id TEXT NOT NULL REFERENCES task (task_id) ON DELETE CASCADE,
    database TEXT NOT NULL,
    alias TEXT NOT NULL,
    collection_id TEXT NOT NULL,
    PRIMARY KEY (task_id, database, alias)
  ) STRICT;
  CREATE TABLE known_import (
    task_id TEXT NOT NULL REFERENCES task (task_id) ON DELETE CASCADE,
    import_id TEXT NOT NULL,
    collection_id TEXT NOT NULL,
    is_left_out INTEGER NOT NULL,
    PRIMARY KEY (task_id, import_id)
  ) STRICT;
  CREATE TABLE seen_database (
    task_id TEXT NOT NULL REFERENCES task (task_id) ON DELETE CASCADE,
    source_id TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (task_id, source_id)
  ) STRICT;
  `,
];

/**
 * Opens (and makes, with its folder) the store. Readable by its owner only.
 * @throws storeFailed: cannot be opened or written, is not a store, is damaged, or was written by a newer version; such a
 *   file is left as it is. storeFull: its disk has no room.
 */
export function openDatabase(file: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const isNew = !existsSync(file);
    if (!isNew) inspect(file);
    database = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
    if (isNew) chmodSync(file, 0o600);
    useWriteAheadLog(database);
    // FULL: an intent must be on disk before the target is called, even if the machine loses power.
    database.exec('PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;');
    migrate(file, database);
    return database;
  } catch (error) {
    const failure = storeError(`The store ${file} cannot be opened`, error, file);
    database?.close();
    throw failure;
  }
}

/** A file that is being made, and whose making was cut off, has to be put right by one that may write. */
const SQLITE_READONLY_ROLLBACK = 776;

/**
 * Before anything is opened for writing, which alone can change the file: is it a store, whole, and not of a newer version?
 * Reads all of it: milliseconds for some megabytes.
 */
function inspect(file: string): void {
  using database = new DatabaseSync(file, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  try {
    assertNotNewer(file, versionOf(database));
    const found = database.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
    if (found !== 'ok') throw damagedError(file, new Error(String(found)));
  } catch (error) {
    if (resultCodeOf(error) !== SQLITE_READONLY_ROLLBACK) throw error;
  }
}

/** Told at once, whatever the timeout, while another connection is switching the file's mode. */
const SQLITE_BUSY = 5;

/**
 * The mode stays with the file. Where several threads open a new one at once, all but one of them are refused, without being
 * waited for; each then finds the mode set, or the file free.
 */
function useWriteAheadLog(database: DatabaseSync): void {
  const until = performance.now() + BUSY_TIMEOUT_MS;
  for (;;) {
    try {
      database.exec('PRAGMA journal_mode = WAL');
      return;
    } catch (error) {
      if (((resultCodeOf(error) ?? 0) & 0xff) !== SQLITE_BUSY || performance.now() > until) throw error;
      // Opening is synchronous, so is the wait.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCKED_PAUSE_MS);
    }
  }
}

const versionOf = (database: DatabaseSync): number =>
  Number(database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);

function assertNotNewer(file: string, version: number): void {
  if (version <= MIGRATIONS.length) return;
  throw new ReplicationError(
    'storeFailed',
    'store',
    `The store ${file} was written by a newer version of Lifeline (format ${version}, this version knows ${MIGRATIONS.length}). It was left untouched: start the newer version.`,
  );
}

/** The version is read again under the lock: several threads may open a new store at once. */
function migrate(file: string, database: DatabaseSync): void {
  if (versionOf(database) === MIGRATIONS.length) return;
  database.exec('BEGIN IMMEDIATE');
  try {
    const version = versionOf(database);
    assertNotNewer(file, version);
    for (const step of MIGRATIONS.slice(version)) database.exec(step);
    database.exec(`PRAGMA user_version = ${MIGRATIONS.length}; COMMIT;`);
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}
