/** What a cluster tells of itself is what it holds: by that it is known, whatever its address. */
import { nameKey } from '../../../shared/model/collection-name.ts';
import type { Target } from './target.ts';

export interface HeldCollections {
  /** By `nameKey`. */
  readonly names: ReadonlySet<string>;
  /** Whether it holds this very collection. `createTick` `undefined`: not known, so any of that id. */
  readonly has: (id: bigint, createTick: bigint | undefined) => boolean;
}

export const NOTHING_HELD: HeldCollections = { names: new Set(), has: () => false };

/** Every collection of the target, by the target's own names. */
export async function listHeld(
  target: Pick<Target, 'listDatabases' | 'collectionIdentities'>,
  signal: AbortSignal,
): Promise<HeldCollections> {
  const names = new Set<string>();
  const identities = new Set<string>();
  for (const database of await target.listDatabases(signal)) {
    for (const { name, id, createTick } of await target.collectionIdentities(database, signal)) {
      names.add(nameKey({ database, collection: name }));
      identities.add(`${id}`).add(`${id}/${createTick}`);
    }
  }
  return { names, has: (id, tick) => identities.has(tick === undefined ? `${id}` : `${id}/${tick}`) };
}

export const sameClusterText = (collection: string): string =>
  `Source and target are the same cluster, under whatever addresses: both hold the very same ${collection}. Choose another target.`;
