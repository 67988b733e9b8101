/** What a message of the log says of itself, as far as it can be read: never vectors, never values but keys. */
import { z } from 'zod';
import { quarantinedRecordSchema } from './quarantine.ts';

export const recordSummarySchema = z.strictObject({
  kind: quarantinedRecordSchema.shape.kind,
  /** Empty: of all partitions. Absent: it names none. */
  partition: z.string().optional(),
  /** Rows written, or keys deleted. */
  rowCount: z.number().optional(),
  /** The first of its keys, integers in decimal, long ones cut. Absent: it has none, or they cannot be read. */
  firstKeys: z.array(z.string()).optional(),
  /** Names of its columns. */
  columns: z.array(z.string()).optional(),
  /** Why it, or its keys, could not be read: a sentence. */
  problem: z.string().optional(),
});

export type RecordSummary = z.output<typeof recordSummarySchema>;
