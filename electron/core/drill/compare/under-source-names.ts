/**
 * The target as a task with a selection and other names leaves it, put back under the source's names, so that the two can be
 * compared. What the task did not bring keeps its own name there and is not looked at. Pure.
 */
import { compileMapping, SAME_NAMES, type NameMapping } from '../../../../shared/model/name-mapping.ts';
import { compileSelection, EVERYTHING, type Selection } from '../../../../shared/model/selection.ts';
import { collectionKey } from '../load/ledger-replay.ts';
import type { ClusterSnapshot, CollectionSnapshot, UnreadableCollection } from './cluster-snapshot.ts';
import type { CollectionName } from '../../../../shared/model/collection-name.ts';

export interface ComparedScope {
  readonly selection?: Selection | undefined;
  readonly mapping?: NameMapping | undefined;
}

export interface Compared {
  readonly source: ClusterSnapshot;
  readonly target: ClusterSnapshot;
}

const keyOf = ({ database, collection }: CollectionName): string => collectionKey(database, collection);

/** @param scope Where it says nothing, both are what they are. */
export function underSourceNames(
  source: ClusterSnapshot,
  target: ClusterSnapshot,
  { selection, mapping }: ComparedScope,
): Compared {
  if (selection === undefined && mapping === undefined) return { source, target };
  const { matches } = compileSelection(selection ?? EVERYTHING);
  const { address } = compileMapping(mapping ?? SAME_NAMES);
  const selected = namesOf(source).filter(matches);
  const collections = new Map<string, CollectionSnapshot>();
  const unreadable = new Map<string, UnreadableCollection>();
  for (const name of selected) {
    const there = keyOf(address(name));
    const held = target.collections.get(there);
    const problem = target.unreadable.get(there);
    if (held !== undefined) collections.set(keyOf(name), { ...held, shape: { ...held.shape, ...name } });
    if (problem !== undefined) unreadable.set(keyOf(name), { ...problem, ...name });
  }
  const chosen = new Set(selected.map(keyOf));
  const only = <T>(all: ReadonlyMap<string, T>): ReadonlyMap<string, T> =>
    new Map([...all].filter(([key]) => chosen.has(key)));
  // Databases are compared by what is in them: two of the source may have become one.
  const databases = [...new Set(selected.map(({ database }) => database))];
  return {
    source: { databases, collections: only(source.collections), unreadable: only(source.unreadable) },
    target: { databases, collections, unreadable },
  };
}

const namesOf = ({ collections, unreadable }: ClusterSnapshot): CollectionName[] => [
  ...[...collections.values()].map(({ shape: { database, collection } }) => ({ database, collection })),
  ...[...unreadable.values()].map(({ database, collection }) => ({ database, collection })),
];
