/** What the operator asked for: which connection is replicated into which, and whether it should run. */
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { storeError } from './database.ts';

export type DesiredState = 'running' | 'paused';

export interface StoredProtection {
  readonly id: string;
  readonly name: string;
  readonly sourceId: string;
  readonly targetId: string;
  readonly desired: DesiredState;
  /** Unix ms. */
  readonly createdAt: number;
  readonly pausedAt: number | undefined;
  /** JSON of the last status before it was stopped. */
  readonly lastStatus: string | undefined;
}

/** Everything that the engine keeps of a task; a new table of a task's state joins this list. */
const TASK_TABLES = ['task', 'channel', 'collection', 'shard', 'dropped_partition'] as const;

/** @throws storeFailed from every call. */
export class ProtectionStore {
  readonly #database: DatabaseSync;

  /** The database stays the caller's. */
  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Oldest first. */
  list(): StoredProtection[] {
    return this.#guarded('read protections', () =>
      this.#database.prepare('SELECT * FROM protection ORDER BY created_at, id').all().map(toProtection),
    );
  }

  get(id: string): StoredProtection | undefined {
    return this.#guarded('read a protection', () => {
      const row = this.#database.prepare('SELECT * FROM protection WHERE id = ?').get(id);
      return row === undefined ? undefined : toProtection(row);
    });
  }

  add({ id, name, sourceId, targetId, desired, createdAt }: StoredProtection): void {
    this.#guarded('add a protection', () => {
      this.#database
        .prepare(
          'INSERT INTO protection (id, name, source_id, target_id, desired, created_at) VALUES (?, ?, ?, ?, ?, ?)',
        )
        .run(id, name, sourceId, targetId, desired, createdAt);
    });
  }

  /** @param pausedAt Unix ms; only with `paused`. */
  setDesired(id: string, desired: DesiredState, pausedAt?: number): void {
    this.#guarded('change a protection', () => {
      this.#database
        .prepare('UPDATE protection SET desired = ?, paused_at = ? WHERE id = ?')
        .run(desired, pausedAt ?? null, id);
    });
  }

  setLastStatus(id: string, status: string): void {
    this.#guarded('note a status', () => {
      this.#database.prepare('UPDATE protection SET last_status = ? WHERE id = ?').run(status, id);
    });
  }

  /** With its checkpoints and all that the engine knows of it, in one transaction. The task must not run. */
  remove(id: string): void {
    this.#guarded('remove a protection', () => {
      this.#database.exec('BEGIN IMMEDIATE');
      try {
        for (const table of TASK_TABLES) this.#database.prepare(`DELETE FROM ${table} WHERE task_id = ?`).run(id);
        this.#database.prepare('DELETE FROM protection WHERE id = ?').run(id);
        this.#database.exec('COMMIT');
      } catch (error) {
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
        throw error;
      }
    });
  }

  #guarded<T>(what: string, body: () => T): T {
    try {
      return body();
    } catch (error) {
      throw storeError(`The store could not ${what}`, error);
    }
  }
}

function toProtection(row: Record<string, SQLOutputValue>): StoredProtection {
  return {
    id: String(row['id']),
    name: String(row['name']),
    sourceId: String(row['source_id']),
    targetId: String(row['target_id']),
    desired: row['desired'] === 'paused' ? 'paused' : 'running',
    createdAt: Number(row['created_at']),
    pausedAt: row['paused_at'] === null ? undefined : Number(row['paused_at']),
    lastStatus: row['last_status'] === null ? undefined : String(row['last_status']),
  };
}
