/**
 * One core per data folder. The lock is the system's own lock on a SQLite file, held by an open transaction: it ends
 * with the process, however that ends, so a lock that is left behind is no lock. Who holds it stands in a file beside it.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import { storeError } from './store-error.ts';

const LOCK_FILE = 'core.lock';
const HOLDER_FILE = 'core.pid';

export interface CoreLock extends Disposable {
  /** May be called twice. */
  release(): void;
}

/** @throws storeFailed: another process serves the folder (the sentence names it), or the folder cannot be written. */
export function lockDataFolder(directory: string): CoreLock {
  const holderFile = join(directory, HOLDER_FILE);
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(join(directory, LOCK_FILE), { timeout: 0 });
    // Nothing is ever written into it.
    database.exec('PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE');
    writeFileSync(holderFile, `${process.pid}\n`, { mode: 0o600 });
  } catch (error) {
    if (database?.isOpen === true) database.close();
    if (isBusy(error)) throw inUse(directory, holderFile, error);
    throw storeError(`The data folder ${directory} cannot be used`, error, join(directory, LOCK_FILE));
  }
  const held = database;
  const release = (): void => {
    if (!held.isOpen) return;
    rmSync(holderFile, { force: true });
    held.close();
  };
  return { release, [Symbol.dispose]: release };
}

/** SQLITE_BUSY. */
const isBusy = (error: unknown): boolean => error instanceof Error && 'errcode' in error && error.errcode === 5;

function inUse(directory: string, holderFile: string, cause: unknown): ReplicationError {
  let holder = 'another process';
  try {
    holder = `process ${Number.parseInt(readFileSync(holderFile, 'utf8'), 10)}`;
  } catch {
    // It holds the lock and has not written its number yet: the sentence does without.
  }
  return new ReplicationError(
    'storeFailed',
    'store',
    `The data folder ${directory} is served by ${holder} already. Use that one, or stop it first; another folder can be named with --data-dir.`,
    { cause },
  );
}
