/** What the operator asked for: which connection is replicated into which, and whether it should run. */
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import type { JoinRecord, TaskView } from '../../../shared/contract/procedures.ts';
import { startPointSchema, type StartPoint } from '../../../shared/model/start-point.ts';
import { joinCertificateSchema } from '../../../shared/model/task-history.ts';
import { storeError } from './database.ts';

export type DesiredState = TaskView['desired'];

export interface StoredProtection {
  readonly id: string;
  readonly name: string;
  readonly sourceId: string;
  readonly targetId: string;
  readonly desired: DesiredState;
  /** Where it begins, or began; `undefined` of one that was made before there was a choice. */
  readonly start: StartPoint | undefined;
  /** Unix ms. */
  readonly createdAt: number;
  readonly pausedAt: number | undefined;
  /** JSON of the last status before it was stopped. */
  readonly lastStatus: string | undefined;
}

/** Everything that the engine keeps of a task; a new table of a task's state joins this list. */
const TASK_TABLES = ['task', 'channel', 'collection', 'shard', 'made_database', 'dropped_partition'] as const;

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

  add({ id, name, sourceId, targetId, desired, start, createdAt }: StoredProtection): void {
    this.#guarded('add a protection', () => {
      this.#database
        .prepare(
          `INSERT INTO protection (id, name, source_id, target_id, desired, start, created_at)
           VALUES (?, ?, ?, ?, ?, ?, ?)`,
        )
        .run(id, name, sourceId, targetId, desired, start === undefined ? null : JSON.stringify(start), createdAt);
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

  setStart(id: string, start: StartPoint): void {
    this.#guarded('change the start of a protection', () => {
      this.#database.prepare('UPDATE protection SET start = ? WHERE id = ?').run(JSON.stringify(start), id);
    });
  }

  setLastStatus(id: string, status: string): void {
    this.#guarded('note a status', () => {
      this.#database.prepare('UPDATE protection SET last_status = ? WHERE id = ?').run(status, id);
    });
  }

  /** What the engine has recorded of its copies, the newest first. */
  joins(id: string): JoinRecord[] {
    return this.#guarded("read a protection's history", () =>
      this.#database
        .prepare('SELECT certificate FROM join_certificate WHERE task_id = ?')
        .all(id)
        .map((row) => joinCertificateSchema.parse(JSON.parse(String(row['certificate']))))
        .sort((a, b) => b.joined - a.joined),
    );
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
    start: row['start'] === null ? undefined : startPointSchema.parse(JSON.parse(String(row['start']))),
    createdAt: Number(row['created_at']),
    pausedAt: row['paused_at'] === null ? undefined : Number(row['paused_at']),
    lastStatus: row['last_status'] === null ? undefined : String(row['last_status']),
  };
}
