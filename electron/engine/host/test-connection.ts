/** The connection test as the core asks for it. */
import { z } from 'zod';
import { hopSchema, type ConnectionParts, type Hop } from '../../../shared/contract/procedures.ts';
import { runJob } from './job-host.ts';

/** A person waits for each answer in front of a form. */
export const HOP_BUDGET_MS = 5_000;
/** At most two hops follow each other, the rest runs beside them; starting the thread and a margin on top. */
const TEST_TIMEOUT_MS = 2 * HOP_BUDGET_MS + 5_000;

export interface ConnectionTestInput {
  readonly parts: ConnectionParts;
  readonly logLevel: string;
}

/** One entry for each hop of the parts that are there, in the order of the way. A failed hop is a result, no error. */
export async function testConnection(parts: ConnectionParts, logLevel: string, signal?: AbortSignal): Promise<Hop[]> {
  const input: ConnectionTestInput = { parts, logLevel };
  const result = await runJob('test-connection', input, {
    timeoutMs: TEST_TIMEOUT_MS,
    ...(signal === undefined ? {} : { signal }),
  });
  return z.array(hopSchema).parse(result);
}
