/** Repeats what may succeed later, after the one policy table, and tells when it will try again. */
import pRetry from 'p-retry';
import { toReplicationError, type ReplicationError } from '../../../shared/model/replication-error.ts';
import { isRetriedAutomatically } from '../errors/policy.ts';

/** First pause: short, most faults are a restart's. */
const PAUSE_MS_MIN = 200;
/** Longest pause: what an operator is willing to wait after having mended the cause. */
const PAUSE_MS_MAX = 10_000;

export interface RetryObserver {
  /** An attempt failed and will be repeated after the pause. */
  blocked(error: ReplicationError, pauseMs: number): void;
  /** It has succeeded after having failed, or is not tried any more. */
  unblocked(): void;
}

/**
 * Runs `attempt` until it succeeds. Errors that the policy does not repeat are thrown at once; an aborted signal rejects
 * with its reason. Pauses grow from 0.2 s to 10 s, with jitter. `previous` is the error of the attempt before.
 */
export async function retrying<T>(
  attempt: (previous: ReplicationError | undefined) => Promise<T>,
  signal: AbortSignal,
  observer: RetryObserver,
): Promise<T> {
  let previous: ReplicationError | undefined;
  try {
    return await pRetry(
      async () => {
        try {
          return await attempt(previous);
        } catch (thrown) {
          if (signal.aborted) throw signal.reason;
          previous = toReplicationError(thrown);
          throw previous;
        }
      },
      {
        retries: Number.POSITIVE_INFINITY,
        minTimeout: PAUSE_MS_MIN,
        maxTimeout: PAUSE_MS_MAX,
        randomize: true,
        signal,
        shouldRetry: ({ error, retryDelay }) => {
          const failure = toReplicationError(error);
          if (!isRetriedAutomatically(failure)) return false;
          observer.blocked(failure, retryDelay);
          return true;
        },
      },
    );
  } finally {
    // Also where it ends otherwise: then something else tells of it, or nobody waits for it any more.
    if (previous !== undefined) observer.unblocked();
  }
}
