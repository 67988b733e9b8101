/** What the core and a task's worker thread say to each other: plain data only. */
import { z } from 'zod';
import { sourceConnectionSchema, targetConnectionSchema } from '../../../shared/model/connection.ts';
import { copyBudgetSchema, type CopyBudget } from '../../../shared/model/copy-budget.ts';
import { gapPolicySchema } from '../../../shared/model/gap-policy.ts';
import type { OperationDecision } from '../../../shared/model/operation-event.ts';
import { operationSettingsSchema, type OperationSettings } from '../../../shared/model/operation-policy.ts';
import type { RecordSummary } from '../../../shared/model/record-summary.ts';
import { nameMappingSchema } from '../../../shared/model/name-mapping.ts';
import { selectionSchema, type Selection } from '../../../shared/model/selection.ts';
import { startPointSchema } from '../../../shared/model/start-point.ts';
import type { ErrorData } from '../../../shared/model/replication-error.ts';
import type { TaskStatus } from '../../../shared/model/task-status.ts';
import { READ_BUDGET_BYTES_DEFAULT } from '../runtime/read-budget.ts';

/** Everything a task needs, connections with their secrets included; it is handed over, never stored. */
export const taskSpecSchema = z.strictObject({
  taskId: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'A task name is made of a-z, 0-9 and "-", at most 64 characters.'),
  source: sourceConnectionSchema,
  target: targetConnectionSchema,
  /** Absent: a copy where the source's rows can be read, otherwise from the creation of its collections. */
  start: startPointSchema.optional(),
  /** What is replicated; absent: everything. */
  selection: selectionSchema.optional(),
  /** Other names on the target; absent: the source's. For good. */
  mapping: nameMappingSchema.optional(),
  onGap: gapPolicySchema.default('hold'),
  copyBudget: copyBudgetSchema.default({}),
  operations: operationSettingsSchema.default({}),
  readBudgetBytes: z.number().int().positive().default(READ_BUDGET_BYTES_DEFAULT),
});
export type TaskSpec = z.infer<typeof taskSpecSchema>;
export type TaskSpecInput = z.input<typeof taskSpecSchema>;

export interface WorkerInput {
  readonly spec: TaskSpec;
  /** The store's file. */
  readonly storeFile: string;
  readonly logLevel: string;
  /** Another engine that writes into the target is displaced, whatever its mark there says. */
  readonly takeOver: boolean;
}

/** What a running task can be told, and what it answers. Collection ids are decimal. See `TaskEngine` for each. */
export interface TaskOrders {
  retry(input: { readonly collectionId: string }): void;
  recopy(input: { readonly collectionIds: readonly string[] }): void;
  setOperationSettings(input: { readonly settings: OperationSettings }): void;
  decideOperation(input: { readonly operationId: string; readonly decision: OperationDecision }): void;
  setCopyBudget(input: { readonly budget: CopyBudget }): void;
  select(input: { readonly selection: Selection }): void;
  quarantinedRecord(input: { readonly recordId: string; readonly bytesMax: number }): QuarantinedContent;
  skip(input: { readonly recordId: string; readonly reason: string }): void;
}
export type OrderName = keyof TaskOrders;
export type OrderInput<N extends OrderName> = Parameters<TaskOrders[N]>[0];
export type OrderResult<N extends OrderName> = ReturnType<TaskOrders[N]>;
export type TaskOrder = { [N in OrderName]: { readonly name: N; readonly input: OrderInput<N> } }[OrderName];

export interface QuarantinedContent {
  /** The first ones, as many as were asked for. */
  readonly bytes: Uint8Array;
  readonly isCut: boolean;
  readonly summary: RecordSummary;
}

export type ToWorker =
  | { readonly kind: 'stop' }
  /** Answered once, by number: when all that stands in the source's log now is confirmed by the target. */
  | { readonly kind: 'whenLevel'; readonly request: number }
  /** Answered once, by number. */
  | { readonly kind: 'order'; readonly request: number; readonly order: TaskOrder };

export type FromWorker =
  | { readonly kind: 'status'; readonly status: TaskStatus }
  | { readonly kind: 'level'; readonly request: number; readonly error?: ErrorData }
  | { readonly kind: 'answer'; readonly request: number; readonly result: unknown }
  | { readonly kind: 'answer'; readonly request: number; readonly error: ErrorData }
  /** The last message: stopped as asked, or ended by an error that the task cannot survive. */
  | { readonly kind: 'ended'; readonly error?: ErrorData };
