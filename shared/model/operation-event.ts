/** What became of an operation of the source: kept for the operator to look up, and to be decided on. JSON-safe. */
import { z } from 'zod';
import type { Immutable } from '../immutable.ts';

export const operationEventSchema = z.object({
  /**
   * Within its task; a later event of the same id takes the earlier one's place, so that an operation that is met again after
   * a crash stands in the history once. Absent: always a new one.
   */
  id: z.string().optional(),
  /** Unix ms, by this computer's clock. */
  at: z.number(),
  /** Its time at the source, decimal; "0" where it has none. */
  tick: z.string(),
  source: z.enum(['log', 'catalogue']),
  /** Ours where it is known, else `messageType <n>`. */
  operation: z.string(),
  /** Empty: it is about the cluster. */
  database: z.string(),
  /** By the source's id, decimal. Absent: it is about no single collection. */
  collection: z.object({ id: z.string(), name: z.string() }).optional(),
  /** What else it is about: a partition, an index, a role. Never a secret. */
  object: z.string().optional(),
  outcome: z.enum(['applied', 'skipped', 'waiting', 'failed']),
  /** One sentence. */
  reason: z.string().optional(),
  /** Of one that waits: to apply it is not possible, it can only be skipped. */
  isSkipOnly: z.boolean().optional(),
  /** Of one that failed: what came behind it has gone on, so that it is never tried again. */
  isPassedOver: z.boolean().optional(),
});

export type OperationEvent = Immutable<z.output<typeof operationEventSchema>>;

export const operationDecisionSchema = z.enum(['apply', 'skip']);
export type OperationDecision = z.output<typeof operationDecisionSchema>;

/** These are asked of the history for good: whose a role or a group is, and which fields a copy does without. A few for each name. */
export const LASTING_OPERATIONS = [
  'createRole',
  'dropRole',
  'createPrivilegeGroup',
  'dropPrivilegeGroup',
  'addField',
] as const;

/** Kept of each collection, and of what is about none: older ones give way. */
export const OPERATION_EVENTS_MAX = 1_000;
