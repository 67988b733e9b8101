/** What the core and a task's worker thread say to each other: plain data only. */
import { z } from 'zod';
import { sourceConnectionSchema, targetConnectionSchema } from '../../../shared/model/connection.ts';
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
  readBudgetBytes: z.number().int().positive().default(READ_BUDGET_BYTES_DEFAULT),
});
export type TaskSpec = z.infer<typeof taskSpecSchema>;
export type TaskSpecInput = z.input<typeof taskSpecSchema>;

export interface WorkerInput {
  readonly spec: TaskSpec;
  /** The store's file. */
  readonly storeFile: string;
  readonly logLevel: string;
}

export type ToWorker =
  | { readonly kind: 'stop' }
  /** Answered once, by number: when all that stands in the source's log now is confirmed by the target. */
  | { readonly kind: 'whenLevel'; readonly request: number };

export type FromWorker =
  | { readonly kind: 'status'; readonly status: TaskStatus }
  | { readonly kind: 'level'; readonly request: number; readonly error?: ErrorData }
  /** The last message: stopped as asked, or ended by an error that the task cannot survive. */
  | { readonly kind: 'ended'; readonly error?: ErrorData };
