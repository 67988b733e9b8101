/** What the parts of the contract have in common. */
import { z } from 'zod';

export const idSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'An id is made of a-z, 0-9 and "-", at most 64 characters.');
export const nameSchema = z.string().trim().min(1, 'A name is needed.').max(100, 'At most 100 characters.');
export const nothing = z.strictObject({});

/** One procedure takes and gives one JSON object each. */
export const procedure = <I extends z.ZodType, O extends z.ZodType>(input: I, output: O) => ({ input, output });
