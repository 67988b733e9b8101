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
  CREATE TABLE dropped_partition (
    task_id TEXT NOT NULL, collection_id TEXT NOT NULL, partition_id TEXT NOT NULL,
    PRIMARY KEY (task_id, collection_id, partition_id)
  ) STRICT;
  `,
];

/**
 * Opens (and makes, with its folder) the store. Readable by its owner only.
 * @throws storeFailed: cannot be opened or written, is not a store, or was written by a newer version, which is left
 *   untouched.
 */
export function openDatabase(file: string): DatabaseSync {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const isNew = !existsSync(file);
    const database = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
    if (isNew) chmodSync(file, 0o600);
    const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
    if (version > MIGRATIONS.length) {
      database.close();
      throw new ReplicationError(
        'storeFailed',
        'store',
        `The store ${file} was written by a newer version of Lifeline (format ${version}, this version knows ${MIGRATIONS.length}). It was left untouched: start the newer version.`,
      );
    }
    // FULL: an intent must be on disk before the target is called, even if the machine loses power.
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;');
    for (const [index, step] of MIGRATIONS.entries()) {
      if (index < version) continue;
      database.exec(`BEGIN IMMEDIATE; ${step} PRAGMA user_version = ${index + 1}; COMMIT;`);
    }
    return database;
  } catch (error) {
    throw storeError(`The store ${file} cannot be opened`, error);
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
