/**
 * In which order copies take the names that the catalogue shows: pure. A name is taken when nobody bears it any more; a ring
 * of names (a is to be b, b is to be a) is opened by a name of nobody's.
 */
import { isSameName } from '../../../../shared/model/collection-name.ts';
import type { CollectionId } from '../../../../shared/model/ids.ts';
import type { CollectionAddress } from '../../milvus/collection-address.ts';

export interface NamedCopy {
  readonly id: CollectionId;
  readonly address: CollectionAddress;
  /** As the catalogue shows it; `undefined`: it does not, so its copy is on its way out. */
  readonly wanted: CollectionAddress | undefined;
}

/** Between two names of a ring. Nothing of a source begins with it. */
export const temporaryName = (id: CollectionId): string => `_lifeline_renamed_${id}`;

type IsSame = (a: CollectionAddress, b: CollectionAddress) => boolean;

/**
 * Another one that has the wanted place for good, under another name at the source: only by the task's names for the target.
 * `isSamePlace`: two names of the source are one on the target.
 */
export function nameClash(copy: NamedCopy, all: readonly NamedCopy[], isSamePlace: IsSame): NamedCopy | undefined {
  const { wanted } = copy;
  if (wanted === undefined) return undefined;
  return all.find(
    (other) =>
      other.id !== copy.id &&
      other.wanted !== undefined &&
      isSameName(other.wanted, other.address) &&
      !isSameName(other.address, wanted) &&
      isSamePlace(other.address, wanted),
  );
}

/** The name to take now; `undefined`: whoever bears the wanted one must leave it first. `isSamePlace`: as above. */
export function nextName(
  copy: NamedCopy,
  all: readonly NamedCopy[],
  isSamePlace: IsSame = isSameName,
): CollectionAddress | undefined {
  const { wanted } = copy;
  if (wanted === undefined || isSameName(copy.address, wanted)) return undefined;
  const seen = new Set<CollectionId>();
  let place = wanted;
  for (;;) {
    const bearer = all.find(({ id, address }) => id !== copy.id && isSamePlace(address, place));
    if (bearer === undefined) break;
    // Whoever stays, or is on its way out, is waited for; and one ring is opened by one of its members.
    if (bearer.wanted === undefined || isSameName(bearer.wanted, bearer.address) || seen.has(bearer.id))
      return undefined;
    seen.add(bearer.id);
    place = bearer.wanted;
    if (isSamePlace(place, copy.address)) {
      const isFirst = [...seen].every((id) => copy.id < id);
      return isFirst ? { database: copy.address.database, collection: temporaryName(copy.id) } : undefined;
    }
  }
  return isSameName(place, wanted) ? wanted : undefined;
}
