/** Connections as they are stored: what may be read in clear, and beside it the secrets, sealed. */
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { storeError } from './store-error.ts';
import type { SecretBox } from './secret-box.ts';

/** JSON of the parts without their secrets. */
export type StoredParts = Readonly<Record<string, unknown>>;
/** By dotted path, such as `milvus.password`. */
export type StoredSecrets = Readonly<Record<string, string>>;

export interface StoredConnection {
  readonly id: string;
  readonly name: string;
  readonly isLab: boolean;
  readonly parts: StoredParts;
  readonly secrets: StoredSecrets;
}

/** @throws storeFailed from every call. */
export class ConnectionStore {
  readonly #database: DatabaseSync;
  readonly #box: SecretBox;

  /** Both stay the caller's. */
  constructor(database: DatabaseSync, box: SecretBox) {
    this.#database = database;
    this.#box = box;
  }

  /** By name. */
  list(): StoredConnection[] {
    return this.#guarded('read connections', () =>
      this.#database
        .prepare('SELECT * FROM connection ORDER BY is_lab, name, id')
        .all()
        .map((row) => this.#toConnection(row)),
    );
  }

  get(id: string): StoredConnection | undefined {
    return this.#guarded('read a connection', () => {
      const row = this.#database.prepare('SELECT * FROM connection WHERE id = ?').get(id);
      return row === undefined ? undefined : this.#toConnection(row);
    });
  }

  /** Adds it, or replaces the one of the same id. */
  put({ id, name, isLab, parts, secrets }: StoredConnection): void {
    this.#guarded('write a connection', () => {
      const sealed = this.#box.seal(recordName(id), JSON.stringify(secrets));
      this.#database
        .prepare(
          `INSERT INTO connection (id, name, parts, secrets, is_lab) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT (id) DO UPDATE SET name = excluded.name, parts = excluded.parts, secrets = excluded.secrets,
             is_lab = excluded.is_lab`,
        )
        .run(id, name, JSON.stringify(parts), sealed, isLab ? 1 : 0);
    });
  }

  /** Fails while a protection uses it. */
  remove(id: string): void {
    this.#guarded('remove a connection', () => {
      this.#database.prepare('DELETE FROM connection WHERE id = ?').run(id);
    });
  }

  #toConnection(row: Record<string, SQLOutputValue>): StoredConnection {
    const id = String(row['id']);
    return {
      id,
      name: String(row['name']),
      isLab: row['is_lab'] === 1,
      parts: JSON.parse(String(row['parts'])) as StoredParts,
      secrets: JSON.parse(this.#box.open(recordName(id), row['secrets'] as Uint8Array)) as StoredSecrets,
    };
  }

  #guarded<T>(what: string, body: () => T): T {
    try {
      return body();
    } catch (error) {
      throw storeError(`The store could not ${what}`, error, this.#database);
    }
  }
}

const recordName = (id: string): string => `connection:${id}`;
