/** What the judge found, as data. */
import { z } from 'zod';

/** Where a row is wrong: `partition` is empty for a collection whose partitions the server chooses. */
const rowExampleSchema = z.strictObject({
  kind: z.enum(['missing', 'extra', 'different', 'sourceMissing', 'sourceExtra', 'sourceDifferent']),
  partition: z.string(),
  key: z.string(),
});

export const collectionComparisonSchema = z.strictObject({
  database: z.string(),
  collection: z.string(),
  equal: z.boolean(),
  /** Distinct (partition, key). */
  rowsSource: z.int(),
  rowsTarget: z.int(),
  /** On the source, not on the target. */
  missing: z.int(),
  /** On the target, not on the source. */
  extra: z.int(),
  /** On both, with other content. */
  different: z.int(),
  /** Rows by count(*) beyond the distinct keys. */
  doublesSource: z.int(),
  doublesTarget: z.int(),
  /** The ledger against the source; absent without a ledger. */
  ledger: z
    .strictObject({
      rows: z.int(),
      /** In the ledger, not on the source. */
      sourceMissing: z.int(),
      /** On the source, not in the ledger. */
      sourceExtra: z.int(),
      sourceDifferent: z.int(),
    })
    .optional(),
  /** One sentence for each difference other than rows: schema, partitions, indexes, load state. */
  shape: z.array(z.string()),
  /** The first few rows that are wrong. */
  examples: z.array(rowExampleSchema),
});

export const comparisonReportSchema = z.strictObject({
  equal: z.boolean(),
  /** One sentence: what is equal, or the first thing that is not. */
  summary: z.string(),
  /** Every difference as a sentence, databases and collections first. */
  differences: z.array(z.string()),
  collections: z.array(collectionComparisonSchema),
  rowsSource: z.int(),
  rowsTarget: z.int(),
  rowsLedger: z.int().optional(),
  durationMs: z.int(),
});

export type RowExample = z.infer<typeof rowExampleSchema>;
export type CollectionComparison = z.infer<typeof collectionComparisonSchema>;
export type ComparisonReport = z.infer<typeof comparisonReportSchema>;
