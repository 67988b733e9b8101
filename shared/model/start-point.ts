/** Where a new task begins to bring the source's content to the target. */
import { z } from 'zod';

/**
 * `copy`: every row that is there now, then what follows. `creation`: every change since the collections were made, as far
 * as the log still keeps them. `oldest`: every change that the log still keeps. `now`: only what comes. `time`: changes
 * from that time on. `positions`: of each shard, the changes behind a position that another tool gave.
 */
export const startPointSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('copy'),
    /** Collections that are not loaded on the source may be loaded for the copy, and are released after it. */
    mayLoad: z.boolean().default(false),
  }),
  z.strictObject({ kind: z.literal('creation') }),
  z.strictObject({ kind: z.literal('oldest') }),
  z.strictObject({ kind: z.literal('now') }),
  z.strictObject({
    kind: z.literal('time'),
    /** Unix ms. */
    unixMs: z.number().int().nonnegative(),
  }),
  z.strictObject({
    kind: z.literal('positions'),
    /**
     * By vchannel, or by pchannel for all of its shards: `msgpb.MsgPosition` in base64, as milvus-cdc and milvus-backup give
     * it. Every shard needs one.
     */
    positions: z.record(z.string().min(1), z.string().min(1)),
  }),
]);
export type StartPoint = z.infer<typeof startPointSchema>;
