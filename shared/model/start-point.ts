/** Where a new task begins to bring the source's content to the target. */
import { z } from 'zod';

/**
 * `copy`: every row that is there now, then what follows. `creation`: every change since the collections were made, as far
 * as the log still keeps them. `oldest`: every change that the log still keeps. `now`: only what comes. `time`: changes
 * from that time on.
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
]);
export type StartPoint = z.infer<typeof startPointSchema>;
