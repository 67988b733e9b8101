/** What the catalogue shows of a collection, in the target's terms: pure. */
import type { CollectionSchema } from '../../codec/collection-schema.ts';
import type { CollectionAddress } from '../../milvus/collection-address.ts';
import type { CatalogCollection, CatalogDefinitions } from '../../source/catalog/catalog.ts';
import type { WantedState } from './diff.ts';

export const addressOf = ({ database, name }: CatalogCollection): CollectionAddress => ({ database, collection: name });

export function wantedState(
  { properties, partitions }: CatalogCollection,
  schema: CollectionSchema,
  definitions: CatalogDefinitions | undefined,
): WantedState {
  const nameOf = (fieldId: bigint): string | undefined => schema.fields.find(({ id }) => id === fieldId)?.name;
  const indexes = (definitions?.indexes ?? []).flatMap(({ name, fieldId, params }) => {
    const fieldName = nameOf(fieldId);
    return fieldName === undefined ? [] : [{ fieldName, indexName: name, params }];
  });
  const load = definitions?.load;
  if (load === undefined) return { properties, indexes, load: undefined };
  const loaded = partitions.filter(({ id }) => load.partitions.has(id)).map(({ name }) => name);
  return {
    properties,
    indexes,
    load: { replicaNumber: load.replicaNumber, partitions: loaded, isWhole: loaded.length === partitions.length },
  };
}

/** Equal where nothing of it has changed between two readings. */
export function stateOf(
  { database, name, properties, partitions }: CatalogCollection,
  definitions: CatalogDefinitions | undefined,
): string {
  const load = definitions?.load;
  return JSON.stringify([
    database,
    name,
    properties,
    partitions.map(({ id }) => id.toString()),
    (definitions?.indexes ?? []).map((index) => [index.name, index.fieldId.toString(), index.params]),
    load === undefined ? null : [load.replicaNumber, [...load.partitions].map(String).toSorted()],
  ]);
}
