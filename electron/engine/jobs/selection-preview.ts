/** What a selection and a mapping would do, of what both clusters hold now. Pure. */
import type { PreviewConflict, PreviewWarning, SelectionPreview } from '../../../shared/contract/selection-preview.ts';
import { nameKey, nameText, type CollectionName } from '../../../shared/model/collection-name.ts';
import {
  compileMapping,
  duplicateRules,
  findClashes,
  refusedName,
  type NameMapping,
} from '../../../shared/model/name-mapping.ts';
import { findLoop, loopText, originText } from '../../../shared/model/origin-chain.ts';
import { compileSelection, type Selection } from '../../../shared/model/selection.ts';
import type { CatalogCollection } from '../source/catalog/catalog.ts';
import { sameClusterText } from '../target/held-collections.ts';
import { isOlder, neededVersion } from '../target/needed-version.ts';
import { unsupportedPart } from '../codec/field-types.ts';
import { bytesOfRow } from './row-size.ts';
import { parseCollectionSchema } from '../codec/collection-schema.ts';

/** More names than these are a number. */
const NAMES_SHOWN_MAX = 100;
const TTL_PROPERTY = 'collection.ttl.seconds';

/** A collection that stands on the target under a name that is wanted, or another name of which that is. */
export interface NamesakeOnTarget {
  readonly origin: string | undefined;
  readonly owner: string | undefined;
  readonly isAlias?: boolean;
}

export interface CountedRows {
  readonly rows: bigint;
  readonly from: 'count' | 'statistics';
}

export interface PreviewFacts {
  readonly source: { readonly etcdClusterId: string; readonly rootPath: string };
  readonly collections: readonly CatalogCollection[];
  /** Whether the target holds this very collection. */
  readonly targetHas: (id: bigint, createTick: bigint | undefined) => boolean;
  /** By `nameKey` of the target's name. */
  readonly namesakes: ReadonlyMap<string, NamesakeOnTarget>;
  /** By `nameKey` of the source's name. */
  readonly rows: ReadonlyMap<string, CountedRows>;
  /** As the target tells it; empty: it does not. */
  readonly targetVersion: string;
  /** Of the task whose selection is changed: its own copies are in nobody's way. */
  readonly owner: string | undefined;
}

export const nameOf = ({ database, name }: CatalogCollection): CollectionName => ({ database, collection: name });

export function toPreview(facts: PreviewFacts, selection: Selection, mapping: NameMapping): SelectionPreview {
  const { matches } = compileSelection(selection);
  const { address } = compileMapping(mapping);
  const all = facts.collections.toSorted((a, b) => compareNames(nameOf(a), nameOf(b)));
  const selected = all.filter((collection) => matches(nameOf(collection)));
  const chosen = new Set(selected);
  let rows = 0n;
  let bytes = 0n;
  const collections = all.map((collection) => {
    const name = nameOf(collection);
    const counted = chosen.has(collection) ? facts.rows.get(nameKey(name)) : undefined;
    const size = counted === undefined ? undefined : sizeOf(collection, counted.rows);
    rows += counted?.rows ?? 0n;
    bytes += size ?? 0n;
    return {
      ...name,
      isSelected: chosen.has(collection),
      target: address(name),
      ...(counted === undefined ? {} : { rows: counted.rows.toString(), rowsFrom: counted.from }),
      ...(size === undefined ? {} : { bytesEstimated: size.toString() }),
    };
  });
  return {
    collections,
    selectedCount: selected.length,
    leftOutCount: all.length - selected.length,
    rows: rows.toString(),
    bytesEstimated: bytes.toString(),
    conflicts: [...findConflicts(facts, selected, mapping)],
    warnings: [...findWarnings(facts, selected, all, mapping)],
  };
}

function* findConflicts(
  facts: PreviewFacts,
  selected: readonly CatalogCollection[],
  mapping: NameMapping,
): Generator<PreviewConflict> {
  const compiled = compileMapping(mapping);
  for (const rule of duplicateRules(mapping)) {
    yield { kind: 'rules', message: `There are two rules for ${rule}. Remove one of them.`, collections: [] };
  }
  const common = facts.collections.find(({ id, createTick }) => facts.targetHas(id, createTick));
  if (common !== undefined) {
    yield {
      kind: 'sameCluster',
      message: sameClusterText(nameText(nameOf(common))),
      collections: [],
    };
    return;
  }
  for (const { target, sources } of findClashes(selected.map(nameOf), compiled)) {
    yield {
      kind: 'clash',
      message: `${sources.map(nameText).join(' and ')} would both become ${nameText(target)}. Give them names of their own, or leave one out.`,
      collections: [...sources],
    };
  }
  for (const collection of selected) {
    const name = nameOf(collection);
    const target = compiled.address(name);
    const refused = refusedName(name, target);
    if (refused !== undefined) {
      yield {
        kind: 'name',
        message: `${nameText(name)} would be called ${nameText(target)}, and Milvus does not take "${refused}" as a name.`,
        collections: [name],
      };
    }
    const loop = findLoop(
      { ...name, properties: collection.properties },
      { ...facts.source, targetHas: facts.targetHas },
    );
    if (loop !== undefined) {
      yield { kind: 'loop', message: `${loopText(loop)} Leave it out.`, collections: [name] };
      continue;
    }
    const namesake = facts.namesakes.get(nameKey(target));
    // A copy of the very same one is no obstacle: where its task is gone, another one takes it over.
    if (namesake !== undefined && !isOfSame(namesake, collection, facts) && !isOwnAlias(namesake, facts)) {
      yield { kind: 'exists', message: existsText(target, namesake), collections: [name] };
    }
  }
}

const isOfSame = (
  { origin, isAlias }: NamesakeOnTarget,
  { id }: CatalogCollection,
  { source }: PreviewFacts,
): boolean => isAlias !== true && origin === originText(source.etcdClusterId, id);

/** Brought over from the source: it goes, or moves, as it does there. */
const isOwnAlias = ({ isAlias, origin }: NamesakeOnTarget, { source }: PreviewFacts): boolean =>
  isAlias === true && origin?.startsWith(`${source.etcdClusterId}/`) === true;

/** Made of the very same collection, and not by the task whose selection it is. */
const isOfOther = (namesake: NamesakeOnTarget, collection: CatalogCollection, facts: PreviewFacts): boolean =>
  isOfSame(namesake, collection, facts) &&
  (facts.owner === undefined || (namesake.owner !== undefined && namesake.owner !== facts.owner));

function existsText(target: CollectionName, { origin, isAlias }: NamesakeOnTarget): string {
  if (isAlias === true) {
    return `${nameText(target)} is an alias on the target already. Drop it there, map the name, or leave the collection out.`;
  }
  const whose = origin === undefined ? 'that no task has made' : 'that is the copy of another collection';
  return `The target already has a collection ${nameText(target)} ${whose}. Drop or rename it there, map the name, or leave the collection out.`;
}

function* findWarnings(
  facts: PreviewFacts,
  selected: readonly CatalogCollection[],
  all: readonly CatalogCollection[],
  mapping: NameMapping,
): Generator<PreviewWarning> {
  const { address } = compileMapping(mapping);
  const warning = (kind: PreviewWarning['kind'], which: readonly CatalogCollection[]): PreviewWarning => ({
    kind,
    count: which.length,
    names: which.slice(0, NAMES_SHOWN_MAX).map((collection) => nameText(nameOf(collection))),
  });
  const chosen = new Set(selected);
  const found: PreviewWarning[] = [
    warning(
      'leftOut',
      all.filter((collection) => !chosen.has(collection)),
    ),
    warning(
      'otherCopy',
      selected.filter((collection) => {
        const namesake = facts.namesakes.get(nameKey(address(nameOf(collection))));
        return namesake !== undefined && isOfOther(namesake, collection, facts);
      }),
    ),
    warning('generatedKeys', selected.filter(hasGeneratedKeys)),
    warning('timeToLive', selected.filter(hasTimeToLive)),
    warning(
      'unsupported',
      selected.filter((collection) => !canBeHeld(collection, facts.targetVersion)),
    ),
    warning(
      'notCounted',
      selected.filter((collection) => !facts.rows.has(nameKey(nameOf(collection)))),
    ),
  ];
  if (selected.length === 0) yield { kind: 'nothing', count: 0, names: [] };
  for (const one of found) if (one.count > 0) yield one;
}

function hasGeneratedKeys({ schema }: CatalogCollection): boolean {
  const parsed = parseCollectionSchema(schema);
  return !('kind' in parsed) && parsed.autoId;
}

/** As the task finds it when it begins with the collection. */
function canBeHeld({ schema }: CatalogCollection, targetVersion: string): boolean {
  const parsed = parseCollectionSchema(schema);
  if ('kind' in parsed || unsupportedPart(parsed) !== undefined) return false;
  const need = neededVersion(parsed);
  return need === undefined || !isOlder(targetVersion, need);
}

const hasTimeToLive = ({ properties }: CatalogCollection): boolean =>
  properties.some(({ key, value }) => key === TTL_PROPERTY && Number(value) > 0);

function sizeOf({ schema }: CatalogCollection, rows: bigint): bigint | undefined {
  const parsed = parseCollectionSchema(schema);
  return 'kind' in parsed ? undefined : BigInt(bytesOfRow(parsed)) * rows;
}

function compareNames(a: CollectionName, b: CollectionName): number {
  if (a.database !== b.database) return a.database < b.database ? -1 : 1;
  if (a.collection === b.collection) return 0;
  return a.collection < b.collection ? -1 : 1;
}
