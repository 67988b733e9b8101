/**
 * Brings what a task follows in line with another selection: collections that no longer belong to it stop being followed, their
 * copies stay as they are; those that belong to it now are copied, or followed from their creation where rows cannot be read.
 */
import { compileSelection, type Selection } from '../../../shared/model/selection.ts';
import type { PChannel } from '../../../shared/model/ids.ts';
import type { SelectionChange, StoredCollection } from '../../../shared/model/task-state.ts';
import type { CatalogCollection } from '../source/catalog/catalog.ts';
import type { Wal } from '../source/wal/wal.ts';
import { shardsFromCreation, toStoredCollection } from './begin-task.ts';
import { TaskSelection } from './task-selection.ts';

export interface SelectionChangeContext {
  readonly wal: Pick<Wal, 'decodeMessageId' | 'bounds'>;
  /** The source's rows can be read. */
  readonly canCopy: boolean;
  /** A copy that this task has made stands on the target under the collection's name there. */
  readonly isOwnCopyThere: (collection: CatalogCollection) => Promise<boolean>;
}

/**
 * What changes, against what is followed now. `before`: the selection that held until now; what belonged to it and is not followed
 * was born meanwhile, and comes with its own messages in the log. `collections`: all that the catalogue holds.
 */
export async function planSelection(
  context: SelectionChangeContext,
  { before, selection }: { readonly before: Selection; readonly selection: Selection },
  followed: Iterable<Pick<StoredCollection, 'id' | 'database' | 'name' | 'phase'>>,
  collections: readonly CatalogCollection[],
): Promise<SelectionChange> {
  const { matches } = compileSelection(selection);
  const has = ({ database, name }: { readonly database: string; readonly name: string }) =>
    matches({ database, collection: name });
  const known = [...followed];
  const knownIds = new Set(known.map(({ id }) => id));
  const isEnding = ({ phase }: (typeof known)[number]) => phase === 'dropping' || phase === 'dropped';
  const removed = known.filter((collection) => !has(collection) && !isEnding(collection)).map(({ id }) => id);
  const earlier = new TaskSelection(before);
  const found = collections.filter(
    (collection) => has(collection) && !knownIds.has(collection.id) && !earlier.takesUp(collection),
  );
  const added = await Promise.all(found.map((collection) => addedCollection(context, collection)));
  const shards = context.canCopy ? [] : await Promise.all(found.map((collection) => shardsOf(context, collection)));
  return { selection, removed, added, shards: shards.flat() };
}

/** Rows that an earlier time of the same collection in this task has left on the target are compared with the source's. */
async function addedCollection(
  { canCopy, isOwnCopyThere }: SelectionChangeContext,
  collection: CatalogCollection,
): Promise<StoredCollection> {
  const stored = toStoredCollection(collection);
  if (!canCopy) return stored;
  const isThere = await isOwnCopyThere(collection);
  return isThere ? { ...stored, copy: 'due', isRecopy: true, phase: 'creating' } : { ...stored, copy: 'due' };
}

async function shardsOf({ wal }: SelectionChangeContext, collection: CatalogCollection) {
  const incarnations = new Map<PChannel, string>();
  for (const { pchannel } of collection.startPositions) {
    incarnations.set(pchannel, (await wal.bounds(pchannel)).incarnation);
  }
  return shardsFromCreation(collection, wal, (channel) => incarnations.get(channel));
}

/** Equal in what they say, in whatever order. */
export function isSameSelection(a: Selection, b: Selection): boolean {
  const text = ({ include, exclude, later }: Selection): string => {
    const sorted = (patterns: Selection['include']) =>
      patterns.map(({ database, collection }) => JSON.stringify([database, collection])).toSorted();
    return JSON.stringify([sorted(include), sorted(exclude), later]);
  };
  return text(a) === text(b);
}
