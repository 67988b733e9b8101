/** How long each kind of call to the target may take, connecting included. */
export interface TargetTimeouts {
  /** The whole of a probe: somebody is waiting for its answer in front of a form. */
  readonly probeMs: number;
  /** Reading of names and states. */
  readonly readMs: number;
  /** Insert, upsert, delete. */
  readonly writeMs: number;
  /** Databases, collections, partitions, indexes, load, release, flush. */
  readonly definitionMs: number;
}

/**
 * Insert, upsert and delete. Short: a write whose answer is lost is repeated only when the first attempt can no longer
 * land, so this is how long a broken connection costs. Long enough for a server that is busy with indexes.
 */
export const WRITE_DEADLINE_MS = 10_000;

export const TARGET_TIMEOUTS: TargetTimeouts = {
  // The promise is an answer within 5 s; the rest is for finding the words.
  probeMs: 4_500,
  // Milliseconds when all is well, seconds on a server that is busy loading.
  readMs: 15_000,
  writeMs: WRITE_DEADLINE_MS,
  // Releasing waits for query nodes, dropping for locks on the collection.
  definitionMs: 60_000,
};
