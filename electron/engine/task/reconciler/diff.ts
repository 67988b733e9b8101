/**
 * What the source's catalogue and a copy on the target have differently, and what closes it: pure. Names are not looked at
 * here (`renames.ts`), rows never.
 *
 * Nothing is in it that an operator may have set on the target alone: properties and indexes that the source does not know
 * stay, but for properties that the task itself has brought there and the source has taken off since, and for an index on a field of the source's whose index the source shows otherwise, or no longer shows.
 */
import { isOwnProperty } from '../../../../shared/model/origin-chain.ts';
import type { KeyValue } from '../../../../shared/model/key-value.ts';
import type { CollectionIndex } from '../../source/rows/row-source.ts';

/**
 * Not Lifeline's own (whose copy it is, by which task, by which way), which a source that is a copy itself has too; and not the
 * mark of Milvus' own mirrors, which must not be the source's.
 */
export const isReplicated = ({ key }: KeyValue): boolean => !isOwnProperty(key) && key !== 'replicate.id';

interface LoadWanted {
  readonly replicaNumber: number;
  /** Of which fields, by name; absent: all. */
  readonly fields?: readonly string[];
  /** By name, of those that the catalogue shows; all of them: the collection is loaded as a whole. */
  readonly partitions: readonly string[];
  readonly isWhole: boolean;
}

/** What can be altered of a field that is there (Milvus internal/proxy/task.go, allowedAlterProps), without what is of caches alone. */
export const FIELD_SETTINGS = ['max_length', 'max_capacity', 'mmap.enabled'] as const;

/** One of them, of one field. */
export interface FieldSetting extends KeyValue {
  readonly field: string;
}

/** As the catalogue shows a collection. */
export interface WantedState {
  readonly properties: readonly KeyValue[];
  /** That it had, and has no more. */
  readonly removed: readonly string[];
  readonly fields: readonly FieldSetting[];
  readonly indexes: readonly CollectionIndex[];
  readonly load: LoadWanted | undefined;
}

/** As the target shows its copy. */
export interface FoundState {
  readonly properties: ReadonlyMap<string, string>;
  /** Settings of each field, by its name. */
  readonly fields: ReadonlyMap<string, ReadonlyMap<string, string>>;
  readonly indexes: readonly CollectionIndex[];
  readonly partitions: readonly string[];
  readonly loadedPartitions: readonly string[];
}

/** In the order in which they are to be made. Each may be repeated. */
export type Step =
  | { readonly kind: 'setProperties'; readonly properties: readonly KeyValue[] }
  | { readonly kind: 'removeProperties'; readonly keys: readonly string[] }
  | { readonly kind: 'alterField'; readonly field: string; readonly property: KeyValue }
  | { readonly kind: 'release' }
  | { readonly kind: 'dropIndex'; readonly index: CollectionIndex }
  | { readonly kind: 'createIndex'; readonly index: CollectionIndex }
  | { readonly kind: 'releasePartitions'; readonly partitions: readonly string[] }
  | { readonly kind: 'load'; readonly replicaNumber: number; readonly fields?: readonly string[] }
  | {
      readonly kind: 'loadPartitions';
      readonly partitions: readonly string[];
      readonly replicaNumber: number;
      readonly fields?: readonly string[];
    };

/** `fields`: absent: all. */
export const loadStep = (replicaNumber: number, fields?: readonly string[]): Step => ({
  kind: 'load',
  replicaNumber,
  ...(fields === undefined ? {} : { fields }),
});

export type IndexStep = Extract<Step, { readonly index: CollectionIndex }>;

/** As the operations of the log are called. */
export const OPERATION_OF: Readonly<Record<Step['kind'], string>> = {
  setProperties: 'alterCollection',
  removeProperties: 'alterCollection',
  alterField: 'alterCollectionField',
  release: 'releaseCollection',
  dropIndex: 'dropIndex',
  createIndex: 'createIndex',
  releasePartitions: 'releasePartitions',
  load: 'loadCollection',
  loadPartitions: 'loadPartitions',
};

export function stepsBetween(wanted: WantedState, found: FoundState): Step[] {
  const properties = wanted.properties.filter(
    (property) => isReplicated(property) && found.properties.get(property.key) !== property.value,
  );
  const removed = wanted.removed.filter((key) => found.properties.has(key));
  // A field that the target does not have yet is added with all its settings.
  const settings = wanted.fields.filter(({ field, key, value }) => {
    const held = found.fields.get(field);
    return held !== undefined && held.get(key) !== value;
  });
  const ofIndexes = indexSteps(wanted.indexes, found.indexes);
  // A server drops an index, and some properties change, only of what is not loaded.
  const dropsIndex = ofIndexes.some(({ kind }) => kind === 'dropIndex');
  const mustRelease =
    found.loadedPartitions.length > 0 &&
    (dropsIndex || [...properties, ...settings, ...removed.map((key) => ({ key }))].some(isOfLoading));
  return [
    ...(mustRelease ? [{ kind: 'release' } as const] : []),
    ...(properties.length > 0 ? [{ kind: 'setProperties', properties } as const] : []),
    ...(removed.length > 0 ? [{ kind: 'removeProperties', keys: removed } as const] : []),
    ...settings.map(({ field, key, value }) => ({ kind: 'alterField', field, property: { key, value } }) as const),
    ...ofIndexes,
    ...loadSteps(wanted, mustRelease ? { ...found, loadedPartitions: [] } : found),
  ];
}

/** A field has one index: what differs from the wanted one is dropped first. */
export const indexSteps = (wanted: readonly CollectionIndex[], found: readonly CollectionIndex[]): IndexStep[] => [
  ...found
    .filter((index) => !wanted.some((one) => isIndex(index, one)))
    .map((index) => ({ kind: 'dropIndex', index }) as const),
  ...wanted
    .filter((index) => !found.some((one) => isIndex(one, index)))
    .map((index) => ({ kind: 'createIndex', index }) as const),
];

/** `mmap.enabled` counts from the next load on (2.3.5); later servers refuse to change it while loaded. */
const isOfLoading = ({ key }: Pick<KeyValue, 'key'>): boolean => key === 'mmap.enabled';

function loadSteps({ load, indexes }: WantedState, { partitions, loadedPartitions }: FoundState): Step[] {
  if (load === undefined) return loadedPartitions.length > 0 ? [{ kind: 'release' }] : [];
  // What the target does not have yet is loaded once it has it.
  const wanted = load.partitions.filter((name) => partitions.includes(name));
  const missing = wanted.filter((name) => !loadedPartitions.includes(name));
  const surplus = loadedPartitions.filter((name) => !wanted.includes(name));
  const { replicaNumber } = load;
  const fields = load.fields === undefined ? {} : { fields: load.fields };
  const steps: Step[] = [];
  if (surplus.length > 0) steps.push({ kind: 'releasePartitions', partitions: surplus });
  // Without an index nothing can be loaded: one is on its way, in the log or here.
  if (missing.length === 0 || indexes.length === 0) return steps;
  if (load.isWhole) steps.push(loadStep(replicaNumber, load.fields));
  else steps.push({ kind: 'loadPartitions', partitions: missing, replicaNumber, ...fields });
  return steps;
}

/** Servers add settings of their own to those that were asked for. */
export function isIndex(found: CollectionIndex, wanted: CollectionIndex): boolean {
  const has = ({ key, value }: KeyValue): boolean =>
    found.params.some((param) => param.key === key && param.value === value);
  return (
    found.fieldName === wanted.fieldName &&
    found.indexName === wanted.indexName &&
    wanted.params.every((one) => has(one))
  );
}
