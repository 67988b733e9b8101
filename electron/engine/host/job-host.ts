/**
 * Runs one piece of the engine's work that belongs to no task (a connection test, later a comparison or a repair) in a
 * worker thread of its own, so that neither the core nor a task waits for it, and nothing of it is left when it hangs.
 */
import { Worker } from 'node:worker_threads';
import { ReplicationError, type ErrorData } from '../../../shared/model/replication-error.ts';

/** A job holds names and counts, no rows. */
const JOB_HEAP_MIB = 256;

/** The file in `engine/jobs` without its extension. */
type JobName =
  'test-connection' | 'oldest-kept' | 'preview-selection' | 'bench-rows' | 'bench-pages' | 'bench-ticks' | 'bench-idle';

/** A job's last message: its result, or why there is none. */
type JobAnswer = { readonly result: unknown } | { readonly error: ErrorData };
/** Before it, as often as something is worth telling. */
export type JobMessage = JobAnswer | { readonly progress: unknown };

export interface JobOptions {
  /** Then the thread is ended and the job has failed with `timeout`. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** In order, never after the answer. If it throws, the job has failed with that. */
  readonly onProgress?: (progress: unknown) => void;
}

/** @param input Plain data. @throws what the job failed with; timeout; an aborted signal's reason. */
export async function runJob(name: JobName, input: unknown, options: JobOptions): Promise<unknown> {
  const { timeoutMs, signal, onProgress } = options;
  signal?.throwIfAborted();
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  const worker = new Worker(new URL(`../jobs/${name}${extension}`, import.meta.url), {
    name,
    workerData: input,
    resourceLimits: { maxOldGenerationSizeMb: JOB_HEAP_MIB },
  });
  const answer = Promise.withResolvers<unknown>();
  let isSettled = false;
  worker.on('message', (message: JobMessage) => {
    if (isSettled) return;
    try {
      if ('progress' in message) onProgress?.(message.progress);
      else if ('error' in message) answer.reject(ReplicationError.fromData(message.error));
      else answer.resolve(message.result);
    } catch (error) {
      answer.reject(error);
    }
  });
  worker.once('error', (error: unknown) => answer.reject(error));
  worker.once('exit', () =>
    answer.reject(new ReplicationError('bug', 'internal', `The job ${name} ended without an answer.`)),
  );
  const timer = setTimeout(
    () =>
      answer.reject(new ReplicationError('timeout', 'internal', `The job ${name} did not end within ${timeoutMs} ms.`)),
    timeoutMs,
  );
  const onAbort = (): void => answer.reject(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await answer.promise;
  } finally {
    isSettled = true;
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    await worker.terminate();
  }
}
