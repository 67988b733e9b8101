/** Small files that hold a secret: readable and writable by their owner only, and refused when they are not. */
import { closeSync, constants, fstatSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { ReplicationError } from '../../../shared/model/replication-error.ts';

/** Any right of the group or of others. */
const RIGHTS_OF_OTHERS = 0o077;

/**
 * The file's text, or `undefined` when there is none.
 * @param what Names the file in sentences, such as "key file".
 * @throws storeFailed: it belongs to somebody else, others may use it, or it cannot be read.
 */
export function readPrivateFile(file: string, what: string): string | undefined {
  let descriptor: number;
  try {
    // A link could lead to somebody else's file that happens to have fitting rights.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw refused(`The ${what} ${file} cannot be read: ${(error as Error).message}. Give it back to its owner.`, error);
  }
  try {
    const { uid, mode } = fstatSync(descriptor);
    // Windows has neither; there the folder lies in the user's own profile.
    const own = process.getuid?.();
    if (own !== undefined && uid !== own) {
      throw refused(
        `The ${what} ${file} belongs to another user (${uid}), who could read or replace it. It was not used. Make yourself its owner: chown ${own} ${file}`,
      );
    }
    if (own !== undefined && (mode & RIGHTS_OF_OTHERS) !== 0) {
      throw refused(`The ${what} ${file} may be used by others. It was not used. Close it: chmod 600 ${file}`);
    }
    return readFileSync(descriptor, 'utf8').trim();
  } finally {
    closeSync(descriptor);
  }
}

/** On disk when it returns. @throws storeFailed: it is there already, or cannot be written. */
export function createPrivateFile(file: string, text: string, what: string): void {
  try {
    const descriptor = openSync(file, 'wx', 0o600);
    try {
      writeSync(descriptor, `${text}\n`);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    const cause = (error as Error).message;
    throw refused(`The ${what} ${file} cannot be made: ${cause}. Check the rights of its folder.`, error);
  }
}

function refused(message: string, cause?: unknown): ReplicationError {
  return new ReplicationError('storeFailed', 'store', message, { cause });
}
