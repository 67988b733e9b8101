/**
 * The one contract between the core and whoever operates it: the window over Electron's IPC, a browser or a program over
 * HTTP. Every procedure takes and gives one JSON object; both are parsed at the line they cross.
 *
 * Window words differ on purpose: a connection is shown as a *cluster*, a task as a *protection*.
 */
import { z } from 'zod';
import { etcdEndpointSchema, milvusEndpointSchema, walEndpointSchema } from '../model/connection.ts';
import { errorDataSchema as modelErrorDataSchema } from '../model/error-data.ts';
import { taskStatusSchema } from '../model/task-status.ts';
import { idSchema, nameSchema, nothing, procedure } from './procedure.ts';
import { taskProcedures, taskViewSchema } from './task-procedures.ts';

const walKindSchema = z.enum(['nats', 'kafka']);

/** What is known of one cluster. As a source it needs `etcd` and `wal`, and `milvus` for a copy; as a target `milvus`. */
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

const hopNameSchema = z.enum(['etcd', 'catalog', 'log', 'channels', 'milvus', 'writes', 'rows']);

/**
 * One step of a connection test. A hop after a failed one that it depends on is `skipped`. `rows` is asked of a cluster
 * that can be a source and whose Milvus is known: whether what the catalog names can be read there.
 */
export const hopSchema = z.strictObject({
  hop: hopNameSchema,
  state: z.enum(['ok', 'failed', 'skipped']),
  /** What was found, or what is wrong and what to do. */
  message: z.string(),
  durationMs: z.number(),
});

/** A hop as it begins (`running`, without words yet) and as it ends. */
export const hopProgressSchema = hopSchema.extend({ state: z.enum(['running', ...hopSchema.shape.state.options]) });

/** What went wrong, and what the operator should do. Its `context.field` names the input that is to be corrected. */
export const errorDataSchema = modelErrorDataSchema.extend({ hint: z.string() });

/** How far back the log of a source goes. */
const oldestKeptSchema = z.strictObject({
  /** Unix ms of the oldest change that every channel still keeps; absent where a channel does not tell. */
  oldestMs: z.number().optional(),
  perChannel: z.array(
    z.strictObject({
      channel: z.string(),
      /** Absent: it is empty, or what it begins with has no time. */
      oldestMs: z.number().optional(),
    }),
  ),
});

const labViewSchema = z.strictObject({
  /** `absent`: there is none; `stopped`: its data is kept. */
  state: z.enum(['absent', 'stopped', 'starting', 'running', 'stopping', 'failed']),
  /** Of a start or stop under way. */
  progress: z.strictObject({ message: z.string(), fraction: z.number().optional() }).optional(),
  sourceId: idSchema.optional(),
  targetId: idSchema.optional(),
  error: errorDataSchema.optional(),
});

const drillViewSchema = z.strictObject({
  state: z.enum(['idle', 'running', 'done']),
  /** Of the drill that runs or ran last. */
  wal: walKindSchema.optional(),
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

const systemInfoSchema = z.strictObject({
  version: z.string(),
  node: z.string(),
  platform: z.string(),
  dataDirectory: z.string(),
  /** How the data key is kept. */
  secrets: z.enum(['keyFile', 'wrapped']),
});

export const procedures = {
  'system.info': procedure(nothing, systemInfoSchema),

  'connections.list': procedure(nothing, z.strictObject({ connections: z.array(connectionViewSchema) })),
  'connections.save': procedure(connectionDraftSchema, z.strictObject({ connection: connectionViewSchema })),
  'connections.remove': procedure(z.strictObject({ id: idSchema }), nothing),
  /**
   * A draft is tested as it stands, unsaved. With a `testId` (the caller's own choice) each hop is told as `connections.hop`
   * when it begins and when it ends, and the test can be cancelled; it still answers, its open hops `skipped`.
   */
  'connections.test': procedure(
    connectionDraftSchema.extend({ testId: idSchema.optional() }),
    z.strictObject({ hops: z.array(hopSchema) }),
  ),
  /** Nothing happens when no test of that id runs. */
  'connections.cancelTest': procedure(z.strictObject({ testId: idSchema }), nothing),

  /** Looks at the log of a connection that can be a source; nothing is changed there. */
  'connections.oldestKept': procedure(z.strictObject({ sourceId: idSchema }), oldestKeptSchema),

  ...taskProcedures,

  'lab.get': procedure(nothing, z.strictObject({ lab: labViewSchema })),
  /** Returns at once; progress comes as events. */
  'lab.start': procedure(nothing, z.strictObject({ lab: labViewSchema })),
  'lab.stop': procedure(nothing, z.strictObject({ lab: labViewSchema })),
  /** Deletes its data and its two connections. */
  'lab.remove': procedure(nothing, z.strictObject({ lab: labViewSchema })),

  'drill.get': procedure(nothing, z.strictObject({ drill: drillViewSchema })),
  /** Returns at once. Kafka needs Java on this machine: refused with `prerequisiteMissing` where it lacks. */
  'drill.start': procedure(
    z.strictObject({
      /** What the source of the drill keeps its log in. */
      wal: walKindSchema.default('nats'),
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
  /** Of a test that was given the id. Over HTTP the last may come after the test's answer, which holds them all. */
  'connections.hop': z.strictObject({ testId: idSchema, hop: hopProgressSchema }),
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
export type HopProgress = z.output<typeof hopProgressSchema>;
export type OldestKept = z.output<typeof oldestKeptSchema>;
export type { PreviewConflict, PreviewWarning, SelectionPreview } from './selection-preview.ts';
export type {
  GapPolicy,
  GapRecord,
  JoinRecord,
  OperationRecordView,
  QuarantinedRecordView,
  RecordSummary,
  TaskView,
} from './task-procedures.ts';
export type LabView = z.output<typeof labViewSchema>;
export type DrillView = z.output<typeof drillViewSchema>;
export type SystemInfo = z.output<typeof systemInfoSchema>;
export type ContractErrorData = z.output<typeof errorDataSchema>;
