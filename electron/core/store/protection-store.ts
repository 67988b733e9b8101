/** What the operator asked for: which connection is replicated into which, and whether it should run. */
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import type { GapRecord, JoinRecord, TaskView } from '../../../shared/contract/procedures.ts';
import { copyBudgetSchema, type CopyBudget } from '../../../shared/model/copy-budget.ts';
import { gapPolicySchema, type GapPolicy } from '../../../shared/model/gap-policy.ts';
import { nameMappingSchema, type NameMapping } from '../../../shared/model/name-mapping.ts';
import { selectionSchema, type Selection } from '../../../shared/model/selection.ts';
import type { TaskScope } from '../../../shared/model/task-state.ts';
import { startPointSchema, type StartPoint } from '../../../shared/model/start-point.ts';
import { operationEventSchema, type OperationEvent } from '../../../shared/model/operation-event.ts';
import { storedOperationSettingsSchema, type OperationSettings } from '../../../shared/model/operation-policy.ts';
import { quarantinedRecordSchema, type QuarantinedRecord } from '../../../shared/model/quarantine.ts';
import { gapSchema, joinCertificateSchema } from '../../../shared/model/task-history.ts';
import { storeError } from './store-error.ts';

export type DesiredState = TaskView['desired'];

export interface StoredProtection {
  readonly id: string;
  readonly name: string;
  readonly sourceId: string;
  readonly targetId: string;
  readonly desired: DesiredState;
  /** Where it begins, or began; `undefined` of one that was made before there was a choice. */
  readonly start: StartPoint | undefined;
  /** Absent: everything. */
  readonly selection?: Selection | undefined;
  /** Absent: the source's names. */
  readonly mapping?: NameMapping | undefined;
  /** Absent: `hold`. */
  readonly onGap?: GapPolicy | undefined;
  /** Absent: its copies have no limits. */
  readonly copyBudget?: CopyBudget | undefined;
  /** Absent: the defaults. */
  readonly operations?: OperationSettings | undefined;
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

  add(protection: StoredProtection): void {
    const { id, name, sourceId, targetId, desired, start, onGap, copyBudget, createdAt } = protection;
    const { selection, mapping, operations } = protection;
    this.#guarded('add a protection', () => {
      this.#database
        .prepare(
          `INSERT INTO protection (id, name, source_id, target_id, desired, start, on_gap, copy_budget, created_at,
             selection, mapping, operations)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        )
        .run(
          id,
          name,
          sourceId,
          targetId,
          desired,
          toJson(start),
          onGap ?? null,
          toJson(copyBudget),
          createdAt,
          toJson(selection),
          toJson(mapping),
          toJson(operations),
        );
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

  setSelection(id: string, selection: Selection): void {
    this.#guarded('change the selection of a protection', () => {
      this.#database.prepare('UPDATE protection SET selection = ? WHERE id = ?').run(JSON.stringify(selection), id);
    });
  }

  /** What the engine writes into its copies to know them by; `undefined`: it has not begun, or an earlier version did. */
  owner(id: string): string | undefined {
    return this.#guarded('read a task', () => {
      const row = this.#database.prepare('SELECT scope FROM task WHERE task_id = ?').get(id);
      return row === undefined ? undefined : (JSON.parse(String(row['scope'])) as TaskScope).owner;
    });
  }

  setGapPolicy(id: string, onGap: GapPolicy): void {
    this.#guarded('change what a protection does at a gap', () => {
      this.#database.prepare('UPDATE protection SET on_gap = ? WHERE id = ?').run(onGap, id);
    });
  }

  setCopyBudget(id: string, budget: CopyBudget): void {
    this.#guarded('change the copy budget of a protection', () => {
      this.#database.prepare('UPDATE protection SET copy_budget = ? WHERE id = ?').run(JSON.stringify(budget), id);
    });
  }

  setOperationSettings(id: string, settings: OperationSettings): void {
    this.#guarded('change what becomes of operations', () => {
      this.#database.prepare('UPDATE protection SET operations = ? WHERE id = ?').run(JSON.stringify(settings), id);
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

  /** Changes that the log had removed before they were applied, the newest first; those that a copy has closed since too. */
  gaps(id: string): GapRecord[] {
    return this.#guarded("read a protection's gaps", () =>
      this.#database
        .prepare('SELECT gap FROM gap WHERE task_id = ?')
        .all(id)
        .map((row) => gapSchema.parse(JSON.parse(String(row['gap']))))
        .sort((a, b) => b.foundAt - a.foundAt),
    );
  }

  /** What became of operations: what waits for a person first, then the newest. @param limit How many at most. */
  operations(id: string, limit: number, collectionId?: string): OperationEvent[] {
    return this.#guarded("read a protection's operations", () =>
      this.#database
        .prepare(
          `SELECT event FROM operation_event WHERE task_id = ? AND (? IS NULL OR collection_id IN ('', ?))
           ORDER BY outcome = 'waiting' DESC, sequence DESC LIMIT ?`,
        )
        .all(id, collectionId ?? null, collectionId ?? null, limit)
        .map(({ event }) => operationEventSchema.parse(JSON.parse(String(event)))),
    );
  }

  /** Messages that could not be applied, the newest first; those that were decided on too. */
  quarantine(id: string): QuarantinedRecord[] {
    return this.#guarded("read a protection's quarantine", () =>
      this.#database
        .prepare('SELECT record, decision FROM quarantined WHERE task_id = ?')
        .all(id)
        .map(({ record, decision }) =>
          quarantinedRecordSchema.parse({
            ...(JSON.parse(String(record)) as object),
            ...(decision === null ? {} : { decision: JSON.parse(String(decision)) as unknown }),
          }),
        )
        .sort((a, b) => b.since - a.since),
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
      throw storeError(`The store could not ${what}`, error, this.#database);
    }
  }
}

const toJson = (value: object | undefined): string | null => (value === undefined ? null : JSON.stringify(value));

function toProtection(row: Record<string, SQLOutputValue>): StoredProtection {
  return {
    id: String(row['id']),
    name: String(row['name']),
    sourceId: String(row['source_id']),
    targetId: String(row['target_id']),
    desired: row['desired'] === 'paused' ? 'paused' : 'running',
    start: row['start'] === null ? undefined : startPointSchema.parse(JSON.parse(String(row['start']))),
    onGap: row['on_gap'] === null ? undefined : gapPolicySchema.parse(row['on_gap']),
    copyBudget:
      row['copy_budget'] === null ? undefined : copyBudgetSchema.parse(JSON.parse(String(row['copy_budget']))),
    selection: row['selection'] === null ? undefined : selectionSchema.parse(JSON.parse(String(row['selection']))),
    mapping: row['mapping'] === null ? undefined : nameMappingSchema.parse(JSON.parse(String(row['mapping']))),
    operations:
      row['operations'] === null
        ? undefined
        : storedOperationSettingsSchema.parse(JSON.parse(String(row['operations']))),
    createdAt: Number(row['created_at']),
    pausedAt: row['paused_at'] === null ? undefined : Number(row['paused_at']),
    lastStatus: row['last_status'] === null ? undefined : String(row['last_status']),
  };
}
