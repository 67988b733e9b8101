/** How much of the source a task's copies may take. What is absent has no limit. */
import { z } from 'zod';
import type { Immutable } from '../immutable.ts';

/** More pages at once than this gain nothing: the source's proxy answers them one after the other. */
const COLLECTIONS_AT_ONCE_MAX = 8;

export const copyBudgetSchema = z.strictObject({
  rowsPerSecond: z.int().positive('At least one row per second.').optional(),
  bytesPerSecond: z.int().positive('At least one byte per second.').optional(),
  /** Two unless given. */
  collectionsAtOnce: z.int().min(1).max(COLLECTIONS_AT_ONCE_MAX).optional(),
});

export type CopyBudget = Immutable<z.output<typeof copyBudgetSchema>>;
