/**
 * The data key where the desktop's own key store keeps it: `key.wrapped` in the data folder, which only this desktop can
 * open. Without such a store, or where there is a key file already, the core uses the key file and nothing is done here.
 */
import { randomBytes } from 'crypto';
import { existsSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'fs';
import { join } from 'path';
import { DATA_KEY_BYTES, DATA_KEY_FILE, DATA_KEY_WRAPPED_FILE, STORE_FILE } from '../../shared/contract/desktop.ts';

/** What is used of Electron's `safeStorage`, which there is from 15 on; the backend is named on Linux only. */
export interface KeyStore {
  isEncryptionAvailable(): boolean;
  encryptString(text: string): Buffer;
  decryptString(encrypted: Buffer): string;
  getSelectedStorageBackend?(): string;
}

/**
 * The key in base64 to hand to the core, or `undefined` when the core shall use its key file. Makes a wrapped key for a
 * new data folder. Throws a sentence when a wrapped key is there and cannot be opened.
 */
export function openWrappedKey(directory: string, store: KeyStore | undefined): string | undefined {
  const wrappedFile = join(directory, DATA_KEY_WRAPPED_FILE);
  if (existsSync(join(directory, DATA_KEY_FILE))) return undefined;
  if (existsSync(wrappedFile)) return unwrap(wrappedFile, store);
  // Data without a key: its key was a file, which the core must ask for rather than get a new one that opens nothing.
  if (existsSync(join(directory, STORE_FILE)) || !protects(store)) return undefined;
  const key = randomBytes(DATA_KEY_BYTES).toString('base64');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(wrappedFile, `${store.encryptString(key).toString('base64')}\n`, { mode: 0o600, flag: 'wx' });
  return key;
}

export const hasWrappedKey = (directory: string): boolean => existsSync(join(directory, DATA_KEY_WRAPPED_FILE));

/** From now on the key is the key file, readable by its owner only, and serves without this desktop. Returns its path. */
export function exportKey(directory: string, store: KeyStore | undefined): string {
  const wrappedFile = join(directory, DATA_KEY_WRAPPED_FILE);
  const file = join(directory, DATA_KEY_FILE);
  const key = unwrap(wrappedFile, store);
  writeFileSync(file, `${key}\n`, { mode: 0o600, flag: 'wx' });
  unlinkSync(wrappedFile);
  return file;
}

function unwrap(file: string, store: KeyStore | undefined): string {
  const advice = 'Start Lifeline as the same user on the same desktop, or bring back a copy of the key file.';
  if (!protects(store)) {
    throw new Error(
      `The data key ${file} was locked by this desktop's key store, which is not available now. ${advice}`,
    );
  }
  try {
    return store.decryptString(Buffer.from(readFileSync(file, 'utf8'), 'base64'));
  } catch (error) {
    throw new Error(
      `The data key ${file} cannot be opened by this desktop's key store: ${(error as Error).message}. ${advice}`,
      {
        cause: error,
      },
    );
  }
}

/** Linux without a keyring offers `basic_text`, whose key is the same on every machine. */
function protects(store: KeyStore | undefined): store is KeyStore {
  if (store === undefined || !store.isEncryptionAvailable()) return false;
  if (process.platform !== 'linux') return true;
  const backend = store.getSelectedStorageBackend?.();
  return backend !== undefined && backend !== 'basic_text' && backend !== 'unknown';
}
