import type { CollectionReplica } from '../collection-replica.ts';

/** Something that a reading shows, and the copies whose log must be past the stamp. */
export interface Seen {
  readonly object: string;
  readonly state: string;
  readonly replicas: readonly CollectionReplica[];
  /** @returns false: something else must end first. */
  readonly close: () => Promise<boolean>;
}

/** Of what bears a name and no identity: what was found, or made, the same on both sides. */
export interface NamesSeen {
  readonly settled: Map<string, string>;
  /** No difference any more. */
  forget(object: string): void;
}
