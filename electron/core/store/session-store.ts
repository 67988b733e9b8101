/** Browsers that are signed in, known by a digest of their secret only, so that a restart of the core signs nobody out. */
import type { DatabaseSync } from 'node:sqlite';
import { storeError } from './store-error.ts';

export interface StoredSession {
  /** Of the session's secret; it cannot be turned back into it. */
  readonly digest: string;
  /** Unix ms. */
  readonly createdAt: number;
  readonly usedAt: number;
}

/** @throws storeFailed from every call. */
export class SessionStore {
  readonly #database: DatabaseSync;

  /** The database stays the caller's. */
  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  get(digest: string): StoredSession | undefined {
    return this.#guarded('read a session', () => {
      const row = this.#database.prepare('SELECT created_at, used_at FROM session WHERE digest = ?').get(digest);
      return row === undefined
        ? undefined
        : { digest, createdAt: Number(row['created_at']), usedAt: Number(row['used_at']) };
    });
  }

  add({ digest, createdAt, usedAt }: StoredSession): void {
    this.#guarded('add a session', () => {
      this.#database
        .prepare('INSERT INTO session (digest, created_at, used_at) VALUES (?, ?, ?)')
        .run(digest, createdAt, usedAt);
    });
  }

  setUsed(digest: string, usedAt: number): void {
    this.#guarded('note the use of a session', () => {
      this.#database.prepare('UPDATE session SET used_at = ? WHERE digest = ?').run(usedAt, digest);
    });
  }

  remove(digest: string): void {
    this.#guarded('remove a session', () => {
      this.#database.prepare('DELETE FROM session WHERE digest = ?').run(digest);
    });
  }

  /** Removes what was made or used last before these moments (Unix ms), and the longest unused beyond so many. @returns their digests. */
  prune(createdBefore: number, usedBefore: number, countMax: number): string[] {
    return this.#guarded('remove old sessions', () =>
      this.#database
        .prepare(
          `DELETE FROM session WHERE created_at < ? OR used_at < ? OR digest NOT IN
             (SELECT digest FROM session ORDER BY used_at DESC, created_at DESC LIMIT ?)
           RETURNING digest`,
        )
        .all(createdBefore, usedBefore, countMax)
        .map((row) => String(row['digest'])),
    );
  }

  #guarded<T>(what: string, body: () => T): T {
    try {
      return body();
    } catch (error) {
      throw storeError(`The store could not ${what}`, error, this.#database);
    }
  }
}
