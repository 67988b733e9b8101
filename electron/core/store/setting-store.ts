/** Single values of the data folder, by name. */
import type { DatabaseSync } from 'node:sqlite';
import { storeError } from './store-error.ts';

/** `keyCheck`: proves that a data key is the one of this folder. `lab`: whether the kept lab should run. */
export type SettingName = 'keyCheck' | 'lab';

/** @throws storeFailed from every call. */
export class SettingStore {
  readonly #database: DatabaseSync;

  /** The database stays the caller's. */
  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  get(name: SettingName): string | undefined {
    try {
      const value = this.#database.prepare('SELECT value FROM setting WHERE name = ?').get(name)?.['value'];
      return value === undefined ? undefined : String(value);
    } catch (error) {
      throw storeError('The store could not read a setting', error, this.#database);
    }
  }

  set(name: SettingName, value: string): void {
    try {
      this.#database
        .prepare(
          'INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
        )
        .run(name, value);
    } catch (error) {
      throw storeError('The store could not write a setting', error, this.#database);
    }
  }
}
