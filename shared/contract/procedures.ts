/**
 * The one contract between the core and whoever operates it: the window over Electron's IPC, a browser or a program over
 * HTTP. Every procedure takes and gives one JSON object; both are parsed at the line they cross.
 *
 * Window words differ on purpose: a connection is shown as a *cluster*, a task as a *protection*.
 */
import { z } from 'zod';
import { etcdEndpointSchema, milvusEndpointSchema, walEndpointSchema } from '../model/connection.ts';

const idSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'An id is made of a-z, 0-9 and "-", at most 64 characters.');
const nameSchema = z.string().trim().min(1, 'A name is needed.').max(100, 'At most 100 characters.');
const nothing = z.strictObject({});

/** What is known of one cluster. As a source it needs `etcd` and `wal`, as a target `milvus`. */
const connectionPartsSchema = z.strictObject({
  milvus: milvusEndpointSchema.optional(),
  etcd: etcdEndpointSchema.optional(),
  wal: walEndpointSchema.optional(),
});

export const connectionDraftSchema = connectionPartsSchema.extend({
  name: nameSchema,
  /** Of the connection that is changed: secrets that are left out here are taken over from it. */
  id: idSchema.optional(),
});

/** Secrets never leave the core: a view holds the rest, and the dotted paths of the secrets that are set. */
export const connectionViewSchema = connectionPartsSchema.extend({
  id: idSchema,
  name: z.string(),
  secretsSet: z.array(z.string()),
  canBeSource: z.boolean(),
  canBeTarget: z.boolean(),
  /** Made and owned by the embedded lab. */
  isLab: z.boolean(),
  /** Tasks that use it; it cannot be removed while there are any. */
  usedBy: z.array(z.string()),
});

/** One step of a connection test. A hop after a failed one that it depends on is `skipped`. */
export const hopSchema = z.strictObject({
  hop: z.enum(['etcd', 'catalog', 'log', 'channels', 'milvus', 'writes']),
  state: z.enum(['ok', 'failed', 'skipped']),
  /** What was found, or what is wrong and what to do. */
  message: z.string(),
  durationMs: z.number(),
});

export const errorDataSchema = z.strictObject({
  code: z.string(),
  side: z.string(),
  message: z.string(),
  context: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  causes: z.array(z.string()),
  /** What the operator should do. */
  hint: z.string(),
});

const troubleSchema = z.object({
  error: errorDataSchema.omit({ hint: true }),
  hint: z.string(),
  since: z.number(),
  nextTryAt: z.number().optional(),
});

export const taskStateSchema = z.enum(['initializing', 'following', 'paused', 'blocked', 'held', 'failed']);

export const collectionStatusSchema = z.object({
  id: z.string(),
  database: z.string(),
  name: z.string(),
  state: taskStateSchema,
  detail: z.string().optional(),
  trouble: troubleSchema.optional(),
  rowsWritten: z.number(),
  rowsDeleted: z.number(),
  confirmedMs: z.number(),
  shardCount: z.number(),
});

/** See `shared/model/task-status.ts`. */
export const taskStatusSchema = z.object({
  taskId: z.string(),
  state: taskStateSchema,
  trouble: troubleSchema.optional(),
  at: z.number(),
  collections: z.array(collectionStatusSchema),
  calls: z.record(z.string(), z.number()),
  rowsWritten: z.number(),
  rowsDeleted: z.number(),
  bytesRead: z.number(),
  messagesRead: z.number(),
  unknownMessages: z.record(z.string(), z.number()),
  skippedOperations: z.record(z.string(), z.number()),
  operationsPending: z.number(),
  lagMs: z.object({ p50: z.number(), p99: z.number(), max: z.number(), samples: z.number() }),
  budgetUsedBytes: z.number(),
  budgetPeakBytes: z.number(),
  notices: z.array(z.string()),
});

export const taskViewSchema = z.strictObject({
  id: idSchema,
  name: z.string(),
  sourceId: idSchema,
  targetId: idSchema,
  /** What the operator asked for; it survives restarts. */
  desired: z.enum(['running', 'paused']),
  /** Unix ms. */
  createdAt: z.number(),
  pausedAt: z.number().optional(),
  /** The last that was heard of it; absent while it has never run here. */
  status: taskStatusSchema.optional(),
});

export const labViewSchema = z.strictObject({
  /** `absent`: there is none; `stopped`: its data is kept. */
  state: z.enum(['absent', 'stopped', 'starting', 'running', 'stopping', 'failed']),
  /** Of a start or stop under way. */
  progress: z.strictObject({ message: z.string(), fraction: z.number().optional() }).optional(),
  sourceId: idSchema.optional(),
  targetId: idSchema.optional(),
  error: errorDataSchema.optional(),
});

export const drillViewSchema = z.strictObject({
  state: z.enum(['idle', 'running', 'done']),
  steps: z.array(
    z.strictObject({
      title: z.string(),
      state: z.enum(['waiting', 'running', 'done', 'failed']),
      message: z.string().optional(),
      durationMs: z.number().optional(),
    }),
  ),
  /** `drillReportSchema` of the core; JSON as `drill --json` writes it. */
  report: z.record(z.string(), z.unknown()).optional(),
});

export const systemInfoSchema = z.strictObject({
  version: z.string(),
  node: z.string(),
  platform: z.string(),
  dataDirectory: z.string(),
  /** How the data key is kept. */
  secrets: z.enum(['keyFile', 'wrapped']),
});

const procedure = <I extends z.ZodType, O extends z.ZodType>(input: I, output: O) => ({ input, output });

export const procedures = {
  'system.info': procedure(nothing, systemInfoSchema),

  'connections.list': procedure(nothing, z.strictObject({ connections: z.array(connectionViewSchema) })),
  'connections.save': procedure(connectionDraftSchema, z.strictObject({ connection: connectionViewSchema })),
  'connections.remove': procedure(z.strictObject({ id: idSchema }), nothing),
  /** A draft is tested as it stands, unsaved. */
  'connections.test': procedure(connectionDraftSchema, z.strictObject({ hops: z.array(hopSchema) })),

  'tasks.list': procedure(nothing, z.strictObject({ tasks: z.array(taskViewSchema) })),
  'tasks.create': procedure(
    z.strictObject({ name: nameSchema, sourceId: idSchema, targetId: idSchema }),
    z.strictObject({ task: taskViewSchema }),
  ),
  'tasks.pause': procedure(z.strictObject({ id: idSchema }), z.strictObject({ task: taskViewSchema })),
  'tasks.resume': procedure(z.strictObject({ id: idSchema }), z.strictObject({ task: taskViewSchema })),
  /** Checkpoints go with it; nothing on the target is touched. */
  'tasks.remove': procedure(z.strictObject({ id: idSchema }), nothing),

  'lab.get': procedure(nothing, z.strictObject({ lab: labViewSchema })),
  /** Returns at once; progress comes as events. */
  'lab.start': procedure(nothing, z.strictObject({ lab: labViewSchema })),
  'lab.stop': procedure(nothing, z.strictObject({ lab: labViewSchema })),
  /** Deletes its data and its two connections. */
  'lab.remove': procedure(nothing, z.strictObject({ lab: labViewSchema })),

  'drill.get': procedure(nothing, z.strictObject({ drill: drillViewSchema })),
  'drill.start': procedure(
    z.strictObject({
      rows: z.int().min(100).max(10_000_000).default(20_000),
      seconds: z.int().min(0).max(86_400).default(20),
    }),
    z.strictObject({ drill: drillViewSchema }),
  ),
  'drill.cancel': procedure(nothing, z.strictObject({ drill: drillViewSchema })),
} as const;

export type ProcedureName = keyof typeof procedures;
export type ProcedureInput<N extends ProcedureName> = z.input<(typeof procedures)[N]['input']>;
export type ProcedureOutput<N extends ProcedureName> = z.output<(typeof procedures)[N]['output']>;

/** What the core says unasked. Whoever missed some asks the lists again. */
export const events = {
  'connections.changed': z.strictObject({ connections: z.array(connectionViewSchema) }),
  /** Tasks were added, removed, paused or resumed. */
  'tasks.changed': z.strictObject({ tasks: z.array(taskViewSchema) }),
  /** At most four times a second for each task. */
  'task.status': z.strictObject({ id: idSchema, status: taskStatusSchema }),
  'lab.changed': z.strictObject({ lab: labViewSchema }),
  'drill.changed': z.strictObject({ drill: drillViewSchema }),
} as const;

export type EventName = keyof typeof events;
export type EventPayload<N extends EventName> = z.output<(typeof events)[N]>;

export type ConnectionParts = z.output<typeof connectionPartsSchema>;
export type ConnectionDraft = z.input<typeof connectionDraftSchema>;
export type ConnectionView = z.output<typeof connectionViewSchema>;
export type Hop = z.output<typeof hopSchema>;
export type TaskView = z.output<typeof taskViewSchema>;
export type LabView = z.output<typeof labViewSchema>;
export type DrillView = z.output<typeof drillViewSchema>;
export type SystemInfo = z.output<typeof systemInfoSchema>;
export type ContractErrorData = z.output<typeof errorDataSchema>;
