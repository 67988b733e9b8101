/** A message of the log that can never be applied as it is, kept until a person has decided on it. */
import { z } from 'zod';
import type { Immutable } from '../immutable.ts';
import { errorDataSchema } from './error-data.ts';

export const quarantinedRecordSchema = z.object({
  /** Within its task. */
  id: z.string(),
  /** The source's collection id, decimal. */
  collectionId: z.string(),
  database: z.string(),
  collection: z.string(),
  vchannel: z.string(),
  channel: z.string(),
  /** Its place in the channel, decimal. */
  ordinal: z.string(),
  /** Unix ms of its time tick, by the source's clock. */
  tickMs: z.number(),
  kind: z.enum([
    'insert',
    'delete',
    'createCollection',
    'dropCollection',
    'createPartition',
    'dropPartition',
    'operation',
    'unknown',
    'malformed',
  ]),
  byteCount: z.number(),
  /** 0 where it holds no rows or keys, or where they cannot be counted. */
  rowCount: z.number(),
  cause: errorDataSchema,
  /** Unix ms. */
  since: z.number(),
  /** Absent as long as the collection waits for one. */
  decision: z.object({ kind: z.literal('skip'), reason: z.string(), at: z.number() }).optional(),
});

export type QuarantinedRecord = Immutable<z.output<typeof quarantinedRecordSchema>>;
