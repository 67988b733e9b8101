/**
 * The one random key that all secrets are encrypted with, and where it is kept.
 *
 * - `<data>/key`: the key file, for its owner only. Made at the first start where nobody hands a key over.
 * - `<data>/key.wrapped`: the key, encrypted by the desktop's own key store. Only the desktop's shell can open it; it
 *   hands the key over at the start. Without the desktop this folder can be served after an export into a key file.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DATA_KEY_BYTES, DATA_KEY_FILE, DATA_KEY_WRAPPED_FILE } from '../../../shared/contract/desktop.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import { createPrivateFile, readPrivateFile } from './private-file.ts';

const WHAT = 'key file';

export interface DataKey {
  readonly key: Buffer;
  readonly kept: 'keyFile' | 'wrapped';
}

export interface DataKeyOptions {
  /** The unwrapped key in base64, from the shell. */
  readonly handedOver?: string | undefined;
  /** Whether secrets are stored that only the key they were encrypted with can open. */
  readonly hasSecrets: boolean;
}

/** @throws storeFailed: the key is out of reach, lost, or its file is not private. */
export function openDataKey(directory: string, { handedOver, hasSecrets }: DataKeyOptions): DataKey {
  if (handedOver !== undefined) {
    return { key: parseKey(handedOver, 'The data key that the window handed over'), kept: 'wrapped' };
  }
  const file = join(directory, DATA_KEY_FILE);
  const text = readPrivateFile(file, WHAT);
  if (text !== undefined) return { key: parseKey(text, `The ${WHAT} ${file}`), kept: 'keyFile' };
  if (existsSync(join(directory, DATA_KEY_WRAPPED_FILE))) {
    throw new ReplicationError(
      'storeFailed',
      'store',
      `The data key of ${directory} is kept by the desktop's key store, which only the window can open. Open Lifeline's window once, choose File › Export Data Key… and save it as ${file}, then start again.`,
    );
  }
  if (hasSecrets) {
    throw new ReplicationError(
      'storeFailed',
      'store',
      `The ${WHAT} ${file} is missing, and the stored passwords cannot be read without it. Bring it back from a copy, or move the folder ${directory} away to begin anew.`,
    );
  }
  const key = randomBytes(DATA_KEY_BYTES);
  createPrivateFile(file, key.toString('base64'), WHAT);
  return { key, kept: 'keyFile' };
}

function parseKey(text: string, what: string): Buffer {
  const key = Buffer.from(text, 'base64');
  if (key.length === DATA_KEY_BYTES) return key;
  throw new ReplicationError(
    'storeFailed',
    'store',
    `${what} holds no key of ${DATA_KEY_BYTES} bytes in base64. Bring it back from a copy.`,
  );
}
