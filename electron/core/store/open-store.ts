/** The data folder's store as the core uses it: locked, brought up to date, and with the key that opens its secrets. */
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { STORE_FILE } from '../../../shared/contract/desktop.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import { ConnectionStore } from './connection-store.ts';
import { lockDataFolder } from './core-lock.ts';
import { openDataKey, type DataKey } from './data-key.ts';
import { openDatabase } from './database.ts';
import { ProtectionStore } from './protection-store.ts';
import { SecretBox } from './secret-box.ts';
import { SessionStore } from './session-store.ts';
import { SettingStore } from './setting-store.ts';

/** Sealed with the data key when the folder is first used; whichever key opens it is the right one. */
const KEY_CHECK_TEXT = 'lifeline';
const KEY_CHECK_NAME = 'keyCheck';

export interface Store extends Disposable {
  readonly connections: ConnectionStore;
  readonly protections: ProtectionStore;
  readonly settings: SettingStore;
  readonly sessions: SessionStore;
  readonly secretsKept: DataKey['kept'];
}

/**
 * @param handedOver The unwrapped data key in base64, where the desktop's shell keeps it.
 * @throws storeFailed: another core serves the folder; the key is missing, wrong or not private; the store is unreadable.
 *   Then nothing stays open and nothing was changed.
 */
export function openStore(directory: string, handedOver?: string): Store {
  using cleanUp = new DisposableStack();
  cleanUp.use(lockDataFolder(directory));
  const database: DatabaseSync = cleanUp.use(openDatabase(join(directory, STORE_FILE)));
  const settings = new SettingStore(database);
  const check = settings.get(KEY_CHECK_NAME);
  const { key, kept } = openDataKey(directory, { handedOver, hasSecrets: check !== undefined });
  const box = new SecretBox(key);
  if (check === undefined)
    settings.set(KEY_CHECK_NAME, Buffer.from(box.seal(KEY_CHECK_NAME, KEY_CHECK_TEXT)).toString('base64'));
  else assertKeyFits(box, check, directory);
  const owned = cleanUp.move();
  return {
    connections: new ConnectionStore(database, box),
    protections: new ProtectionStore(database),
    settings,
    sessions: new SessionStore(database),
    secretsKept: kept,
    [Symbol.dispose]: () => owned.dispose(),
  };
}

function assertKeyFits(box: SecretBox, check: string, directory: string): void {
  try {
    box.open(KEY_CHECK_NAME, Buffer.from(check, 'base64'));
  } catch (error) {
    throw new ReplicationError(
      'storeFailed',
      'store',
      `The data key does not belong to the store in ${directory}: its passwords were encrypted with another one. Bring back the key of this folder.`,
      { cause: error },
    );
  }
}
