/** What follows when the log has removed changes before they were applied. */
import { z } from 'zod';

/** `hold`: the collections concerned wait for a person. `copy`: they, and no others, are copied again at once. */
export const gapPolicySchema = z.enum(['hold', 'copy']);
export type GapPolicy = z.output<typeof gapPolicySchema>;
