/** The part of the contract that is about tasks: what is shown of one, and what it can be told. */
import { z } from 'zod';
import { copyBudgetSchema } from '../model/copy-budget.ts';
import { gapPolicySchema } from '../model/gap-policy.ts';
import { operationDecisionSchema, operationEventSchema } from '../model/operation-event.ts';
import { operationSettingsSchema } from '../model/operation-policy.ts';
import { quarantinedRecordSchema } from '../model/quarantine.ts';
import { recordSummarySchema } from '../model/record-summary.ts';
import { nameMappingSchema } from '../model/name-mapping.ts';
import { selectionSchema } from '../model/selection.ts';
import { selectionPreviewSchema } from './selection-preview.ts';
import { startPointSchema } from '../model/start-point.ts';
import { gapSchema, joinCertificateSchema } from '../model/task-history.ts';
import { taskStatusSchema } from '../model/task-status.ts';
import { idSchema, nameSchema, nothing, procedure } from './procedure.ts';

/** Of a quarantined message so much is given; all of it is asked for nowhere. */
export const RECORD_BYTES_MAX = 65_536;
/** A sentence or two; it stays in the history. */
const REASON_CHARS_MAX = 500;
/** More collections than a task has been tried with. */
const COLLECTIONS_MAX = 10_000;
/** So many are shown at once, and kept of each collection. */
export const OPERATIONS_SHOWN_MAX = 1_000;

const collectionIdSchema = z.string().regex(/^[0-9]{1,20}$/, 'A collection id is a decimal number.');
const recordIdSchema = z.string().min(1).max(200);

export const taskViewSchema = z.strictObject({
  id: idSchema,
  name: z.string(),
  /**
   * Begun from a task file, which is its only description: it can be resumed (begun anew), but neither paused nor removed
   * over the contract. Absent: kept in the store.
   */
  origin: z.literal('file').optional(),
  /** Of its connection. A task of a file has none: its own address stands here (etcd's, then Milvus'). */
  sourceId: z.string(),
  targetId: z.string(),
  /** What the operator asked for; it survives restarts. */
  desired: z.enum(['running', 'paused']),
  /** Unix ms. */
  createdAt: z.number(),
  pausedAt: z.number().optional(),
  /** Where it began; absent of one that was made before there was a choice: from the creation of its collections. */
  start: startPointSchema.optional(),
  /** Absent: everything. */
  selection: selectionSchema.optional(),
  /** Absent: the source's names. */
  mapping: nameMappingSchema.optional(),
  /** Absent: `hold`. */
  onGap: gapPolicySchema.optional(),
  /** Of the load that its copies put on the source. Absent: no limits. */
  copyBudget: copyBudgetSchema.optional(),
  /** What becomes of each kind of operation, and how copies differ from their source. Absent: the defaults. */
  operations: operationSettingsSchema.optional(),
  /** The last that was heard of it; absent while it has never run here. */
  status: taskStatusSchema.optional(),
});

/** With what the operator should do. */
export const quarantinedRecordViewSchema = quarantinedRecordSchema.extend({ hint: z.string() });

const ofTask = z.strictObject({ id: idSchema });
const ofRecord = ofTask.extend({ recordId: recordIdSchema });
const oneTask = z.strictObject({ task: taskViewSchema });
/**
 * Another engine that is alive writes into the target already, says the mark that it keeps there: take its place at once.
 * Holds for this start only. Never give it while that engine runs: both would write.
 */
const takeOver = z.literal(true).optional();

export const taskProcedures = {
  'tasks.list': procedure(nothing, z.strictObject({ tasks: z.array(taskViewSchema) })),
  'tasks.create': procedure(
    z.strictObject({
      name: nameSchema,
      sourceId: idSchema,
      targetId: idSchema,
      /** Absent: a copy where the source's rows can be read, otherwise from the creation of its collections. */
      start: startPointSchema.optional(),
      /** Absent: everything, what is created later included. */
      selection: selectionSchema.optional(),
      /** Absent: the source's names. For good. */
      mapping: nameMappingSchema.optional(),
      onGap: gapPolicySchema.optional(),
      copyBudget: copyBudgetSchema.optional(),
      operations: operationSettingsSchema.optional(),
      takeOver,
    }),
    oneTask,
  ),
  /**
   * Exactly what a selection and a mapping match now, and what stands in their way; nothing is done. Of a task that is there
   * already (`id`) its own copies stand in nobody's way, and its mapping holds.
   */
  'tasks.preview': procedure(
    z.strictObject({
      id: idSchema.optional(),
      sourceId: idSchema,
      targetId: idSchema,
      selection: selectionSchema.optional(),
      mapping: nameMappingSchema.optional(),
    }),
    selectionPreviewSchema,
  ),
  /**
   * Replaces the selection. Where the task runs it answers when what is added is being copied and what is taken out has stopped; copies
   * of the latter stay on the target. Otherwise that is done at its next start.
   */
  'tasks.select': procedure(ofTask.extend({ selection: selectionSchema }), oneTask),
  'tasks.pause': procedure(ofTask, oneTask),
  'tasks.resume': procedure(
    ofTask.extend({
      /** Of a task that copies: from now on it may load what is not loaded on the source. Absent: as before. */
      mayLoad: z.literal(true).optional(),
      takeOver,
    }),
    oneTask,
  ),
  /** What its copies have shown, and the gaps that were found in the log, those closed since too; the newest first. */
  'tasks.history': procedure(
    ofTask,
    z.strictObject({ joins: z.array(joinCertificateSchema), gaps: z.array(gapSchema) }),
  ),
  /** Checkpoints go with it; nothing on the target is touched. */
  'tasks.remove': procedure(ofTask, nothing),

  /** Takes a collection that is held or has failed up again at its checkpoint, while the others go on. */
  'tasks.retryCollection': procedure(ofTask.extend({ collectionId: collectionIdSchema }), nothing),
  /** Copies the chosen collections again while the others go on. Answers when that has begun. */
  'tasks.recopy': procedure(
    ofTask.extend({ collectionIds: z.array(collectionIdSchema).min(1, 'Choose a collection.').max(COLLECTIONS_MAX) }),
    nothing,
  ),
  /** Replaces the whole budget: what is left out has no limit. It is stored, and holds at once where a copy runs. */
  'tasks.copyBudget': procedure(ofTask.extend({ budget: copyBudgetSchema }), oneTask),
  'tasks.gapPolicy': procedure(ofTask.extend({ onGap: gapPolicySchema }), oneTask),

  /** Replaces all of them: what is left out has its default. Stored, and holds at once, also for what waits for a decision. */
  'tasks.operationSettings': procedure(ofTask.extend({ settings: operationSettingsSchema }), oneTask),
  /**
   * What became of the source's operations, the newest first, those that wait for a decision before all others. Of one
   * collection: with what is about none. Also of a task that does not run.
   */
  'tasks.operations': procedure(
    ofTask.extend({ collectionId: collectionIdSchema.optional() }),
    z.strictObject({
      operations: z.array(operationEventSchema),
      /** There are more. */
      isCut: z.boolean(),
    }),
  ),
  /** Of a task that runs. `apply` is refused (invalidRequest) where `isSkipOnly`. */
  'tasks.decideOperation': procedure(
    ofTask.extend({ operationId: recordIdSchema, decision: operationDecisionSchema }),
    nothing,
  ),

  /** Messages that can never be applied, the decided ones included; the newest first. */
  'tasks.quarantine': procedure(ofTask, z.strictObject({ records: z.array(quarantinedRecordViewSchema) })),
  /** Of a task that runs: its engine reads the message. */
  'tasks.quarantineRecord': procedure(
    ofRecord,
    z.strictObject({
      record: quarantinedRecordViewSchema,
      /** Base64 of its first `RECORD_BYTES_MAX` bytes. They hold what the message holds: row values too. */
      bytes: z.string(),
      /** There are more. */
      isCut: z.boolean(),
      summary: recordSummarySchema,
    }),
  ),
  /** Drops the message for good and takes its collection up again. What it held is then missing on the target. */
  'tasks.skipRecord': procedure(
    ofRecord.extend({ reason: z.string().trim().min(1, 'A reason is needed.').max(REASON_CHARS_MAX) }),
    nothing,
  ),
} as const;

export type TaskView = z.output<typeof taskViewSchema>;
export type { GapPolicy } from '../model/gap-policy.ts';
export type { RecordSummary } from '../model/record-summary.ts';
export type OperationRecordView = z.output<typeof operationEventSchema>;
export type GapRecord = z.output<typeof gapSchema>;
export type JoinRecord = z.output<typeof joinCertificateSchema>;
export type QuarantinedRecordView = z.output<typeof quarantinedRecordViewSchema>;
