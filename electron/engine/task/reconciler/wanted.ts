/** What the catalogue shows of a collection, in the target's terms: pure. */
import type { CollectionSchema, SchemaField } from '../../codec/collection-schema.ts';
import { wholeFields } from '../../codec/schema-rewrite.ts';
import type { CollectionAddress } from '../../milvus/collection-address.ts';
import type { CatalogCollection, CatalogDefinitions } from '../../source/catalog/catalog.ts';
import type { KeyValue } from '../../../../shared/model/key-value.ts';
import { FIELD_SETTINGS, isReplicated, loadStep, type FieldSetting, type Step, type WantedState } from './diff.ts';

export const addressOf = ({ database, name }: CatalogCollection): CollectionAddress => ({ database, collection: name });

/** What may be of the past is not made: a lifetime of rows that was too short would take some. */
const propertiesOf = ({ properties, isBehind }: CatalogCollection) => (isBehind === true ? [] : properties);

/** Those that it has. */
export const settingsOf = ({ name, typeParams }: SchemaField): FieldSetting[] =>
  FIELD_SETTINGS.flatMap((key) => {
    const value = typeParams.get(key);
    return value === undefined ? [] : [{ field: name, key, value }];
  });

const fieldSettings = ({ schema }: CatalogCollection): FieldSetting[] =>
  wholeFields(schema).flatMap(({ field }) => settingsOf(field));

/** Of those that were brought to the copy. What is of the past has lost none. */
const removedOf = ({ properties, isBehind }: CatalogCollection, brought: readonly KeyValue[]): string[] =>
  isBehind === true
    ? []
    : brought
        .filter((one) => isReplicated(one) && !properties.some(({ key }) => key === one.key))
        .map(({ key }) => key);

/** What is to be remembered as brought: before the steps, so that a kill in between forgets none of them, and when they are done. */
export function broughtBy(
  { properties, isBehind }: CatalogCollection,
  brought: readonly KeyValue[],
): { readonly before: readonly KeyValue[]; readonly after: readonly KeyValue[] } {
  if (isBehind === true) return { before: brought, after: brought };
  const shown = properties.filter((one) => isReplicated(one));
  // Its own of the source (by which way its rows have come) stay as they were when the copy was made.
  const own = brought.filter((one) => !isReplicated(one));
  const others = brought.filter((one) => isReplicated(one) && !shown.some(({ key }) => key === one.key));
  return { before: [...own, ...others, ...shown], after: [...own, ...shown] };
}

/** `brought`: properties that the task has given the copy. */
export function wantedState(
  collection: CatalogCollection,
  schema: CollectionSchema,
  definitions: CatalogDefinitions | undefined,
  brought: readonly KeyValue[] = [],
): WantedState {
  const { partitions } = collection;
  const shown = {
    properties: propertiesOf(collection),
    removed: removedOf(collection, brought),
    fields: fieldSettings(collection),
  };
  const nameOf = (fieldId: bigint): string | undefined => schema.fields.find(({ id }) => id === fieldId)?.name;
  const indexes = (definitions?.indexes ?? []).flatMap(({ name, fieldId, params }) => {
    const fieldName = nameOf(fieldId);
    return fieldName === undefined ? [] : [{ fieldName, indexName: name, params }];
  });
  const load = definitions?.load;
  if (load === undefined) return { ...shown, indexes, load: undefined };
  const loaded = partitions.filter(({ id }) => load.partitions.has(id)).map(({ name }) => name);
  const isWhole = loaded.length === partitions.length;
  const fields = load.fields === undefined ? {} : { fields: fieldNames(schema, load.fields) };
  return { ...shown, indexes, load: { replicaNumber: load.replicaNumber, partitions: loaded, isWhole, ...fields } };
}

/** In the order of the schema: a request names fields, a catalogue their ids. */
const fieldNames = ({ fields }: CollectionSchema, ids: readonly bigint[]): string[] =>
  fields.filter(({ id }) => ids.includes(id)).map(({ name }) => name);

/** `fields`: by their ids; absent: all. */
export const loadOf = (schema: CollectionSchema, replicaNumber: number, fields?: readonly bigint[]): Step =>
  loadStep(replicaNumber, fields === undefined ? undefined : fieldNames(schema, fields));

/** Equal where nothing of it has changed between two readings. */
export function stateOf(collection: CatalogCollection, definitions: CatalogDefinitions | undefined): string {
  const { database, name, partitions } = collection;
  const load = definitions?.load;
  return JSON.stringify([
    database,
    name,
    propertiesOf(collection),
    fieldSettings(collection),
    partitions.map(({ id }) => id.toString()),
    (definitions?.indexes ?? []).map((index) => [index.name, index.fieldId.toString(), index.params]),
    load === undefined
      ? null
      : [load.replicaNumber, [...load.partitions].map(String).toSorted(), (load.fields ?? []).map(String)],
  ]);
}
