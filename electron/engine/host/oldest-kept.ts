/** How far back the log of a source goes, as the core asks for it. */
import { z } from 'zod';
import type { WalEndpoint } from '../../../shared/model/connection.ts';
import { runJob } from './job-host.ts';

/** A person waits for it beside a form that can be filled in without it. */
const CALL_TIMEOUT_MS = 10_000;
/** Starting the thread and a margin on top, so that the adapter's own sentence, which knows more, comes first. */
const JOB_TIMEOUT_MS = CALL_TIMEOUT_MS + 5_000;

export interface OldestKeptInput {
  readonly wal: WalEndpoint;
  readonly logLevel: string;
  /** For all of it. */
  readonly timeoutMs: number;
}

const answerSchema = z.object({
  /** Unix ms from which on every channel keeps all changes; absent where nothing is kept. */
  oldestMs: z.number().optional(),
  /** In the order of their numbers; absent times: it keeps nothing, or nothing that bears a time. */
  perChannel: z.array(z.object({ channel: z.string(), oldestMs: z.number().optional() })),
});
export type OldestKeptAnswer = z.output<typeof answerSchema>;

/** @throws what the log's calls do; timeout; an aborted signal's reason. */
export async function findOldestKept(
  wal: WalEndpoint,
  logLevel: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<OldestKeptAnswer> {
  const input: OldestKeptInput = { wal, logLevel, timeoutMs: CALL_TIMEOUT_MS };
  return answerSchema.parse(await runJob('oldest-kept', input, { timeoutMs: JOB_TIMEOUT_MS, ...options }));
}
