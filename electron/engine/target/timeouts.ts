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

export const TARGET_TIMEOUTS: TargetTimeouts = {
  // The promise is an answer within 5 s; the rest is for finding the words.
  probeMs: 4_500,
  // Milliseconds when all is well, seconds on a server that is busy loading.
  readMs: 15_000,
  // A write that is given up may still happen later, and an insert sent again doubles its rows. So this is long: it
  // ends a connection that is dead in fact, which keepalive notices first in most cases.
  writeMs: 60_000,
  // Releasing waits for query nodes, dropping for locks on the collection.
  definitionMs: 60_000,
};
