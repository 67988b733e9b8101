/** Finds copies that were dropped, replaced or renamed on the target behind our back: one call for each database. */
import { isSameName } from '../../../shared/model/collection-name.ts';
import type { CollectionId } from '../../../shared/model/ids.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { TimeTick } from '../../../shared/time/time-tick.ts';
import type { CollectionAddress } from '../milvus/collection-address.ts';
import type { CollectionIdentity, NamedIdentity, Target } from '../target/target.ts';

/** A copy as it was made. */
export interface WatchedCopy {
  readonly id: CollectionId;
  /** On the target. */
  readonly address: CollectionAddress;
  /** On the source, where it has another name there. */
  readonly source?: CollectionAddress | undefined;
  readonly targetId: bigint;
  /** `undefined`: made by an earlier version, which did not note it. */
  readonly targetCreateTick: TimeTick | undefined;
}

export interface ChangedCopy {
  readonly copy: WatchedCopy;
  readonly error: ReplicationError;
}

/**
 * @param copies Asked before and after the target is: what comes or goes meanwhile is left to the next look.
 * @throws whatever `Target.collectionIdentities` throws.
 */
export async function findChangedCopies(
  target: Pick<Target, 'collectionIdentities' | 'readProperties'>,
  copies: () => Iterable<WatchedCopy>,
  signal: AbortSignal,
): Promise<ChangedCopy[]> {
  const byDatabase = Map.groupBy(copies(), ({ address }) => address.database);
  const changed: ChangedCopy[] = [];
  for (const [database, watched] of byDatabase) {
    const found = await target.collectionIdentities(database, signal);
    const byName = new Map(found.map((identity) => [identity.name, identity]));
    for (const copy of watched) {
      const there = byName.get(copy.address.collection);
      if (there !== undefined && isSame(copy, there)) continue;
      // A list may leave out what the user has few rights on (2.4 and later); a direct question tells.
      const asked = await target.readProperties(copy.address, signal);
      if (asked !== undefined && isSame(copy, asked)) continue;
      if (!isWatched(copy, copies())) continue;
      const renamed = found.find((identity) => isSame(copy, identity));
      changed.push({ copy, error: copyChanged(copy, whatHappened(there, renamed)) });
    }
  }
  return changed;
}

/** One that is renamed meanwhile, or is being renamed, is left to the next look. */
const isWatched = ({ id, targetId, address }: WatchedCopy, copies: Iterable<WatchedCopy>): boolean =>
  [...copies].some((copy) => copy.id === id && copy.targetId === targetId && isSameName(copy.address, address));

/** An id is not given twice by one cluster; another cluster in its place might give it, at another time. */
const isSame = ({ targetId, targetCreateTick }: WatchedCopy, { id, createTick }: CollectionIdentity): boolean =>
  id === targetId && (targetCreateTick === undefined || createTick === targetCreateTick);

const whatHappened = (there: NamedIdentity | undefined, renamed: NamedIdentity | undefined): string =>
  renamed !== undefined
    ? `was renamed to ${renamed.name} on the target`
    : there !== undefined
      ? 'was replaced by another collection on the target'
      : 'was dropped from the target';

export function copyChanged(
  { address, source = address, id }: Pick<WatchedCopy, 'address' | 'source' | 'id'>,
  what: string,
): ReplicationError {
  const { database, collection } = source;
  const there = source === address ? '' : ` (there ${address.database}.${address.collection})`;
  return new ReplicationError(
    'targetChanged',
    'target',
    `The copy of ${database}.${collection}${there} ${what} behind Lifeline's back. Nothing more is written there; copy the collection again.`,
    { context: { database, collection, collectionId: id.toString() } },
  );
}
