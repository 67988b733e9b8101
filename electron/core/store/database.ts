/** The one data folder's SQLite file: how it is opened, and the steps that bring an older one up to date. */
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ReplicationError } from '../../../shared/model/replication-error.ts';

/** How long one writer waits for another thread's transaction; they last milliseconds. */
const BUSY_TIMEOUT_MS = 5_000;

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
];

/**
 * Opens (and makes, with its folder) the store. Readable by its owner only.
 * @throws storeFailed: cannot be opened or written, is not a store, or was written by a newer version, which is left
 *   untouched.
 */
export function openDatabase(file: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const isNew = !existsSync(file);
    database = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
    if (isNew) chmodSync(file, 0o600);
    assertNotNewer(file, versionOf(database));
    // FULL: an intent must be on disk before the target is called, even if the machine loses power.
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;');
    migrate(database);
    return database;
  } catch (error) {
    database?.close();
    throw storeError(`The store ${file} cannot be opened`, error);
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
function migrate(database: DatabaseSync): void {
  if (versionOf(database) === MIGRATIONS.length) return;
  database.exec('BEGIN IMMEDIATE');
  try {
    for (const step of MIGRATIONS.slice(versionOf(database))) database.exec(step);
    database.exec(`PRAGMA user_version = ${MIGRATIONS.length}; COMMIT;`);
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

export function storeError(what: string, error: unknown): ReplicationError {
  if (error instanceof ReplicationError) return error;
  const cause = error instanceof Error ? error.message : String(error);
  return new ReplicationError(
    'storeFailed',
    'store',
    `${what}: ${cause}. Check that its disk has room and that the folder may be written.`,
    { cause: error },
  );
}
