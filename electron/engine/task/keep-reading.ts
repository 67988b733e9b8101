/** The life of a reader: opened, read from until the line breaks, closed, and opened again where it stood. */
import { toReplicationError } from '../../../shared/model/replication-error.ts';
import { isRetriedAutomatically } from '../errors/policy.ts';
import { retrying, type RetryObserver } from '../runtime/retry.ts';
import type { WalReader } from '../source/wal/wal.ts';

export interface Reading {
  /** A reader from where reading stands now. */
  open(): Promise<WalReader>;
  /** Takes what comes next, and moves to where reading stands. */
  readOnce(reader: WalReader): Promise<void>;
  readonly signal: AbortSignal;
  readonly observer: RetryObserver;
}

/** Rejects with the signal's reason, or when the policy does not repeat a failure. */
export async function keepReading(reading: Reading): Promise<never> {
  const { signal, observer } = reading;
  for (;;) {
    // Kept here: an abort right after it was opened must not leave it behind.
    let opened: WalReader | undefined;
    try {
      const reader = await retrying(async () => (opened = await openAndReadFirst(reading)), signal, observer);
      for (;;) await reading.readOnce(reader);
    } catch (error) {
      signal.throwIfAborted();
      const failure = toReplicationError(error);
      if (!isRetriedAutomatically(failure)) throw failure;
      observer.blocked(failure, 0);
    } finally {
      await opened?.close();
    }
  }
}

/** A reader that has proven itself by its first messages, so that one which only opens does not count as success. */
async function openAndReadFirst(reading: Reading): Promise<WalReader> {
  const reader = await reading.open();
  // An unused channel may have nothing to read for days; that it opened is all that can be said of it.
  reading.observer.unblocked();
  try {
    await reading.readOnce(reader);
    return reader;
  } catch (error) {
    await reader.close();
    throw error;
  }
}
