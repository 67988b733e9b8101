/** Aliases that the catalogue shows, and those of this task that it no longer shows. */
import { isSameName, nameText } from '../../../../shared/model/collection-name.ts';
import type { CollectionId } from '../../../../shared/model/ids.ts';
import type { StoredAlias } from '../../../../shared/model/task-state.ts';
import { aliasKey, type CatalogCollection, type CatalogSnapshot } from '../../source/catalog/catalog.ts';
import type { CollectionRegistry } from '../collection-registry.ts';
import type { TargetAliases } from '../target-aliases.ts';
import type { TaskSelection } from '../task-selection.ts';
import type { NamesSeen, Seen } from './seen.ts';
import type { StepJournal } from './step-journal.ts';
import { addressOf } from './wanted.ts';

const GONE = 'gone';

export interface AliasesContext {
  readonly registry: CollectionRegistry;
  readonly aliases: TargetAliases;
  readonly selection: Pick<TaskSelection, 'takesUp'>;
  readonly journal: StepJournal;
  readonly names: NamesSeen;
  readonly notice: (text: string) => void;
}

export function* aliasesSeen(
  context: AliasesContext,
  snapshot: CatalogSnapshot,
  living: ReadonlyMap<CollectionId, CatalogCollection>,
): Iterable<Seen> {
  const { registry, aliases, journal, names } = context;
  const shown = new Set<string>();
  for (const alias of snapshot.aliases) {
    const object = `alias ${aliasKey(alias)}`;
    shown.add(object);
    const state = String(alias.collectionId);
    const replica = registry.get(alias.collectionId);
    const outside = replica === undefined ? movedOut(context, alias, living) : undefined;
    if (outside !== undefined) {
      yield outside;
      continue;
    }
    if (replica === undefined || names.settled.get(object) === state) {
      names.forget(object);
      continue;
    }
    const close = async (): Promise<boolean> => {
      const isTaken = [...registry.all()].some(({ address }) =>
        isSameName(address, { database: alias.database, collection: alias.alias }),
      );
      if (!replica.isFollowing || isTaken || replica.address.database !== alias.database) return false;
      const standing = await aliases.standing(alias, replica.id);
      if (standing !== 'there') {
        const operation = standing === 'none' ? 'createAlias' : 'alterAlias';
        const asked = { operation, object: alias.alias, what: state };
        await journal.inLine(asked, replica, () => aliases.ensure(alias, replica));
      }
      names.settled.set(object, state);
      return true;
    };
    yield { object, state, replicas: [replica], close };
  }
  for (const own of aliases.own()) {
    const object = `alias ${aliasKey(own)}`;
    const isProven = snapshot.ended.aliases.has(aliasKey(own)) || living.has(own.collectionId);
    if (shown.has(object) || !isProven) continue;
    yield endOfAlias(context, own, {
      state: GONE,
      what: String(own.collectionId),
      cause: `The source's alias ${own.database}.${own.alias} has ended there.`,
    });
  }
}

/** The source has moved an alias of ours to a collection that the task does not replicate: here it must not stand for the old one. */
function movedOut(
  context: AliasesContext,
  alias: StoredAlias,
  living: ReadonlyMap<CollectionId, CatalogCollection>,
): Seen | undefined {
  const own = context.aliases.owned(alias);
  const collection = living.get(alias.collectionId);
  if (own === undefined || collection === undefined || context.selection.takesUp(collection)) return undefined;
  const outside = `outside ${alias.collectionId}`;
  return endOfAlias(context, own, {
    state: outside,
    what: outside,
    cause: `The source's alias ${own.database}.${own.alias} stands for ${nameText(addressOf(collection))} now, which is not replicated.`,
  });
}

interface AliasEnd {
  readonly state: string;
  readonly what: string;
  /** A sentence: why it is to end. */
  readonly cause: string;
}

function endOfAlias(
  { registry, aliases, journal, names, notice }: AliasesContext,
  own: StoredAlias,
  { state, what, cause }: AliasEnd,
): Seen {
  const object = `alias ${aliasKey(own)}`;
  const replica = registry.get(own.collectionId);
  const close = async (): Promise<boolean> => {
    names.settled.delete(object);
    const asked = { operation: 'dropAlias', object: own.alias, what };
    const drop = async (): Promise<void> => {
      const became = await aliases.drop(own);
      if (became === 'forgotten') {
        notice(`${cause} On the target it stands for something else by now: it stays there, and is followed no more.`);
      } else if (state !== GONE) notice(`${cause} It was dropped on the target.`);
    };
    if (await journal.run(asked, replica, drop, own.database)) return true;
    aliases.leave(own);
    notice(`${cause} It stays on the target, as decided, and is followed no more.`);
    return true;
  };
  return { object, state, replicas: replica === undefined ? [] : [replica], close };
}
