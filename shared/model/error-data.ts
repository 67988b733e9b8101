/**
 * An error as data, for the lines between threads and processes. The codes are open here: a refusal of the core has codes
 * of its own, and what another version wrote may hold one that this version does not know.
 */
import { z } from 'zod';
import type { Immutable } from '../immutable.ts';

/** Values that JSON can carry and that a log may show: names, ids, counts, sizes, positions. */
const errorContextSchema = z
  .object({
    /** The dotted path of the input that is wrong, such as `wal.servers[0]`; '': the input as a whole. */
    field: z.string().exactOptional(),
  })
  .catchall(z.union([z.string(), z.number(), z.boolean()]));

export const errorDataSchema = z.strictObject({
  code: z.string(),
  side: z.string(),
  /** A sentence or two for a person. */
  message: z.string(),
  context: errorContextSchema,
  /** Messages of the causes, outermost first. */
  causes: z.array(z.string()),
});

export type ErrorContext = Immutable<z.output<typeof errorContextSchema>>;
export type ErrorData = Immutable<z.output<typeof errorDataSchema>>;
