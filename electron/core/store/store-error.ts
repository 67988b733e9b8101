/** What SQLite and the file system say of the store, as sentences: the file, the cause, the next step. */
import { accessSync, constants, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { ReplicationError } from '../../../shared/model/replication-error.ts';

/** Result codes of SQLite, https://sqlite.org/rescode.html: the low byte, without what the higher ones add. */
const PRIMARY_CODE = 0xff;
const SQLITE_BUSY = 5;
const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;

/** With less than this the log beside the file cannot grow by a transaction, which is also called an input/output error. */
const ROOM_BYTES_MIN = 1 << 17;

const READ_ONLY = 'it, or its folder, may only be read';
const MAKE_WRITABLE =
  'Mount its disk for writing, or give file and folder back to the user that Lifeline runs as, then resume.';

/**
 * @param what What was about to be done, as the beginning of a sentence.
 * @param where The store's file, or the open store.
 */
export function storeError(what: string, error: unknown, where?: string | DatabaseSync): ReplicationError {
  if (error instanceof ReplicationError) return error;
  const file = fileOf(where);
  // A value that cannot be read as what it is.
  if (error instanceof SyntaxError) return damagedError(file, error);
  const text = error instanceof Error ? error.message : String(error);
  const failed = (cause: string, nextStep: string): ReplicationError =>
    new ReplicationError('storeFailed', 'store', `${naming(what, file)}: ${cause}. ${nextStep}`, { cause: error });
  switch ((resultCodeOf(error) ?? 0) & PRIMARY_CODE) {
    case SQLITE_FULL:
      return fullError(what, file, error);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
      if (mayOnlyBeRead(file)) return failed(READ_ONLY, MAKE_WRITABLE);
      if (hasNoRoom(file)) return fullError(what, file, error);
      return failed(text, 'Check its disk, and the rights of the file and its folder, then resume.');
    case SQLITE_READONLY:
      return failed(READ_ONLY, MAKE_WRITABLE);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return damagedError(file, error);
    case SQLITE_BUSY:
      return failed('another program keeps it locked', 'End whatever else has the file open, then resume.');
    default:
      if (codeOf(error) === 'ENOSPC') return fullError(what, file, error);
      if (codeOf(error) === 'EROFS' || codeOf(error) === 'EACCES') return failed(READ_ONLY, MAKE_WRITABLE);
      return failed(text, 'Check that its disk has room and that the folder may be written.');
  }
}

/** What it held may be half there: nothing of it is used, and nothing more is written into it. */
export function damagedError(file: string | undefined, cause: unknown): ReplicationError {
  const text = cause instanceof Error ? cause.message.split('\n', 1)[0] : String(cause);
  return new ReplicationError(
    'storeFailed',
    'store',
    `The store${file === undefined ? '' : ` ${file}`} is damaged (${text}). It was left as it is: check the disk, and bring back the newest copy of the file, or move the data folder away and begin anew, which copies everything again.`,
    { cause },
  );
}

function fullError(what: string, file: string | undefined, cause: unknown): ReplicationError {
  return new ReplicationError(
    'storeFull',
    'store',
    `${naming(what, file)}: its disk is full. Make room there; it goes on by itself, at its last checkpoint.`,
    { cause },
  );
}

const naming = (what: string, file: string | undefined): string =>
  file === undefined || what.includes(file) ? what : `${what} in ${file}`;

function fileOf(where: string | DatabaseSync | undefined): string | undefined {
  if (where === undefined || typeof where === 'string') return where;
  return where.isOpen ? (where.location() ?? undefined) : undefined;
}

/** SQLite's own number of what went wrong, with all that its higher bytes add; `undefined` of other errors. */
export function resultCodeOf(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : undefined;
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException | undefined)?.code;

function mayOnlyBeRead(file: string | undefined): boolean {
  if (file === undefined) return false;
  try {
    accessSync(dirname(file), constants.W_OK);
    return false;
  } catch (error) {
    return codeOf(error) === 'EROFS' || codeOf(error) === 'EACCES';
  }
}

function hasNoRoom(file: string | undefined): boolean {
  if (file === undefined) return false;
  try {
    const { bavail, bsize } = statfsSync(dirname(file));
    return bavail * bsize < ROOM_BYTES_MIN;
  } catch {
    // The folder itself is out of reach: whatever failed before says more.
    return false;
  }
}
