/** What a selection and a mapping would do now, before anything is done. */
import { z } from 'zod';

const nameSchema = z.strictObject({ database: z.string(), collection: z.string() });
/** Decimal: a cluster may hold more than a double counts exactly. */
const countSchema = z.string().regex(/^\d{1,20}$/);

const previewConflictSchema = z.strictObject({
  /**
   * `clash`: two of the source would become one. `exists`: the target has another one of that name. `name`:
   * Milvus does not take the name. `loop`: rows would come back to where they are from. `sameCluster`: source and target are one.
   * `rules`: two rules for one name.
   */
  kind: z.enum(['clash', 'exists', 'name', 'loop', 'sameCluster', 'rules']),
  message: z.string(),
  /** Of the source. */
  collections: z.array(nameSchema),
});

const previewWarningSchema = z.strictObject({
  /**
   * `leftOut`: of the source, not selected. `nothing`: nothing is selected now. `otherCopy`: the target holds a copy of it that another
   * task has made, here or in another data folder: it is held until it is left out of one of the two or, where the other one is gone,
   * copied again. `generatedKeys`: the source makes their keys; after a
   * promotion applications must send keys. `timeToLive`: their rows expire by the target's clock. `unsupported`: this version, or the
   * target's, cannot hold all of their fields: they are held. `notCounted`: how many rows there are could not be asked.
   */
  kind: z.enum(['leftOut', 'nothing', 'otherCopy', 'generatedKeys', 'timeToLive', 'unsupported', 'notCounted']),
  count: z.number(),
  /** In the form of `collection-name.ts`; the first ones of many. */
  names: z.array(z.string()),
});

export const selectionPreviewSchema = z.strictObject({
  /** Every collection of the source, by name. */
  collections: z.array(
    z.strictObject({
      ...nameSchema.shape,
      isSelected: z.boolean(),
      /** Where its copy would stand. */
      target: nameSchema,
      /** Of selected ones. */
      rows: countSchema.optional(),
      /**
       * `count`: asked of the loaded collection (`count(*)`). `statistics`: as the source's data coordinator keeps book, deleted rows
       * that are not compacted yet included, some seconds late (`GetCollectionStatistics`).
       */
      rowsFrom: z.enum(['count', 'statistics']).optional(),
      /** Estimated from the schema and the number of rows, without indexes; texts and documents are taken for half full at most. */
      bytesEstimated: countSchema.optional(),
    }),
  ),
  selectedCount: z.number(),
  leftOutCount: z.number(),
  /** Of those whose rows are known. */
  rows: countSchema,
  bytesEstimated: countSchema,
  /** Any of them keeps the task from being created. */
  conflicts: z.array(previewConflictSchema),
  warnings: z.array(previewWarningSchema),
});

export type SelectionPreview = z.output<typeof selectionPreviewSchema>;
export type PreviewConflict = z.output<typeof previewConflictSchema>;
export type PreviewWarning = z.output<typeof previewWarningSchema>;
