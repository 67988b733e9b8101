/** What a running task says of itself: JSON-safe, one snapshot after the other. Windows, CLI and HTTP show this. */
import { z } from 'zod';
import type { Immutable } from '../immutable.ts';
import { errorDataSchema } from './error-data.ts';

/**
 * Observed states. `idle` is not among them: it is `following` with nothing to do, derived where it is shown.
 * `blocked` goes on by itself; `held` and `failed` wait for a person.
 */
export const taskStateSchema = z.enum([
  'initializing',
  'copying',
  'replaying',
  'following',
  'paused',
  'blocked',
  'held',
  'failed',
]);

const troubleSchema = z.object({
  error: errorDataSchema,
  /** What the operator should do. */
  hint: z.string(),
  /** Unix milliseconds. */
  since: z.number(),
  /** Next automatic attempt, where there is one. */
  nextTryAt: z.number().optional(),
});

/** One shard (vchannel) of a collection. */
const shardStatusSchema = z.object({
  vchannel: z.string(),
  /** As in `collectionStatusSchema`, of this shard. */
  confirmedMs: z.number(),
  lagMs: z.number().optional(),
  /** What a shard with work to do waits for: its write's answer, or other shards and collections. Absent: nothing to do. */
  waitsFor: z.enum(['target', 'shards']).optional(),
});

const copyStatusSchema = z.object({
  /** Distinct keys copied so far. */
  rowsCopied: z.number(),
  /** As the source counts them, doubles included; absent until it has been asked. */
  rowsTotal: z.number().optional(),
  /** Rows of the source that share their key with another; the copy holds one of each. */
  sourceDoubles: z.number(),
});

const collectionStatusSchema = z.object({
  /** The source's collection id, decimal. */
  id: z.string(),
  database: z.string(),
  name: z.string(),
  state: taskStateSchema,
  /** Why it is `initializing`, or what it waits for. */
  detail: z.string().optional(),
  trouble: troubleSchema.optional(),
  /** Of a copy that was begun in this run. */
  copy: copyStatusSchema.optional(),
  /** Where its copy stands, where that has another name. */
  target: z.object({ database: z.string(), name: z.string() }).optional(),
  rowsWritten: z.number(),
  rowsDeleted: z.number(),
  /** Wall clock (Unix ms) up to which the target has confirmed every change of the collection; 0: not known yet. */
  confirmedMs: z.number(),
  /**
   * Age of the oldest source time that is not confirmed yet, by the source's clock. Grows one second per second while
   * anything between source and target stands still. Absent: not measurable (its rows are not all copied yet).
   */
  lagMs: z.number().optional(),
  shardCount: z.number(),
  /** Where it is not level: of one that keeps up they say nothing more, and there may be a thousand. */
  shards: z.array(shardStatusSchema).optional(),
});

/**
 * `now`: the largest lag of a collection; absent while it is not measurable for one of them, and where there is none. The
 * others: from the source's timestamp of a write to the target's acknowledgement, of the writes of the last minutes,
 * without copied and replayed rows.
 */
const lagSummarySchema = z.object({
  now: z.number().optional(),
  p50: z.number(),
  p99: z.number(),
  max: z.number(),
  samples: z.number(),
});

/**
 * What the source does. `changing`: changes come. `idle`: its clock comes, changes do not. `silent`: a channel in use that
 * is being read gives no sign. That nothing is left to do (`isInSync`) is another question.
 */
const sourceStatusSchema = z.object({
  activity: z.enum(['unknown', 'changing', 'idle', 'silent']),
  /** Unix ms of the last change (`idle`) or of the last sign (`silent`). */
  sinceMs: z.number().optional(),
  /** Channels that are silent. */
  silentChannels: z.array(z.string()).optional(),
  /** How far the source's clock is ahead of ours; absent where it is not. Lags are counted by the source's clock. */
  clockAheadMs: z.number().optional(),
});

/** Throughput of each stage, over the last seconds. */
const stageRatesSchema = z.object({
  messagesReadPerSecond: z.number(),
  bytesReadPerSecond: z.number(),
  /** Rows of the log, written and deleted. */
  rowsWrittenPerSecond: z.number(),
  rowsCopiedPerSecond: z.number(),
});

/** What holds the task up, or that nothing does. */
const bottleneckSchema = z.object({
  stage: z.enum(['none', 'copy', 'source', 'log', 'memory', 'target', 'barrier', 'blocked']),
  /** A sentence. */
  reason: z.string(),
  /** Where one is to be named. */
  channel: z.string().optional(),
  /** `database.name`. */
  collection: z.string().optional(),
});

const stagesStatusSchema = z.object({
  /** Absent until they have been measured. */
  rates: stageRatesSchema.optional(),
  /** Rows that have been read and are not confirmed. */
  rowsWaiting: z.number().optional(),
  bottleneck: bottleneckSchema,
});

/** How long the log still keeps what a channel's changes are to be resumed from. */
const channelHeadroomSchema = z.object({
  channel: z.string(),
  /** At this rate; `null`: no end in sight. */
  leftMs: z.number().nullable(),
  /** Until when (Unix ms) it is kept should nothing more be confirmed, as while the task is paused; absent: not known. */
  keptUntilMs: z.number().optional(),
  /** The time of the oldest message that is kept (Unix ms), where it is known. */
  keptFromMs: z.number().optional(),
  /** `critical` with nothing left: only what has been read is still to be had; a run that began now would miss the rest. */
  level: z.enum(['ok', 'low', 'critical']),
  /** Of the collection (`database.name`) that is furthest behind, where it is one. */
  collection: z.string().optional(),
});

/** Changes that the log removed before they were applied, and whose collections are held for it. */
export const gapStatusSchema = z.object({
  channel: z.string(),
  vchannels: z.array(z.string()),
  /** `database.name`, sorted. */
  collections: z.array(z.string()),
  /** Source time (Unix ms) from which on changes are missing, and up to which; absent where it is not known. */
  fromMs: z.number().optional(),
  toMs: z.number().optional(),
});

/** Collections of the source that do not belong to the task's selection: as long as there are any, that is a warning. */
const leftOutSchema = z.object({
  count: z.number(),
  /** `database.collection` in the form of `collection-name.ts`; the first ones of many. */
  names: z.array(z.string()),
});

export const taskStatusSchema = z.object({
  taskId: z.string(),
  state: taskStateSchema,
  trouble: troubleSchema.optional(),
  /** Unix ms of this snapshot. */
  at: z.number(),
  collections: z.array(collectionStatusSchema),
  /** How often the target was asked to do what, by call. */
  calls: z.record(z.string(), z.number()),
  rowsWritten: z.number(),
  rowsDeleted: z.number(),
  bytesRead: z.number(),
  messagesRead: z.number(),
  /** Messages whose type this version does not know, by type. */
  unknownMessages: z.record(z.string(), z.number()),
  /** Operations that were seen and deliberately not applied, by name. */
  skippedOperations: z.record(z.string(), z.number()),
  operationsPending: z.number(),
  /** Of these and of drops: so many wait for a person's decision. */
  operationsWaiting: z.number().optional(),
  lagMs: lagSummarySchema,
  /** Everything up to two seconds ago is confirmed, in every collection, and source and target give signs of life. */
  isInSync: z.boolean().optional(),
  source: sourceStatusSchema.optional(),
  stages: stagesStatusSchema.optional(),
  /** Per channel in use; absent until it was looked at. */
  headroom: z.array(channelHeadroomSchema).optional(),
  gaps: z.array(gapStatusSchema).optional(),
  /** Absent: nothing that the source holds now. */
  leftOut: leftOutSchema.optional(),
  budgetUsedBytes: z.number(),
  budgetPeakBytes: z.number(),
  /** Things worth telling once, newest last: "keys of shop.orders are generated by the source ...". */
  notices: z.array(z.string()),
});

export type TaskState = z.output<typeof taskStateSchema>;
export type Trouble = Immutable<z.output<typeof troubleSchema>>;
export type CopyStatus = Immutable<z.output<typeof copyStatusSchema>>;
export type CollectionStatus = Immutable<z.output<typeof collectionStatusSchema>>;
export type ShardStatus = Immutable<z.output<typeof shardStatusSchema>>;
export type SourceStatus = Immutable<z.output<typeof sourceStatusSchema>>;
export type StageRates = Immutable<z.output<typeof stageRatesSchema>>;
export type Bottleneck = Immutable<z.output<typeof bottleneckSchema>>;
export type ChannelHeadroom = Immutable<z.output<typeof channelHeadroomSchema>>;
export type LeftOut = Immutable<z.output<typeof leftOutSchema>>;
export type GapStatus = Immutable<z.output<typeof gapStatusSchema>>;
export type LagSummary = Immutable<z.output<typeof lagSummarySchema>>;
export type TaskStatus = Immutable<z.output<typeof taskStatusSchema>>;
