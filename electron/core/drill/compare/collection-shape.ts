/** All of a collection but its rows: what must be equal on both sides, in a form that can be compared as text. */
import { loadStateOf, type LoadState } from '../content/load-state.ts';
import type { MilvusConnection } from '../content/milvus-client.ts';
import { byFieldName, DYNAMIC_FIELD, isFieldType, type HashedField } from '../content/row-hash.ts';
import type { CollectionName } from '../../../../shared/model/collection-name.ts';
import { isMarker } from '../../../../shared/model/marker-name.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import type { DescribeCollectionAnswer, IndexDescription, KeyValue, WireField, WireFunction } from './wire-answers.ts';

export interface FieldShape {
  readonly name: string;
  /** Type, element type, limits, and what makes it special. */
  readonly definition: string;
  /** Kept apart: a replica keeps the keys that its source has made, and makes none itself. */
  readonly isGenerated: boolean;
}

export interface CollectionShape extends CollectionName {
  readonly fields: readonly FieldShape[];
  /** Name, type, inputs, outputs and parameters of each, sorted. */
  readonly functions: readonly string[];
  readonly isDynamic: boolean;
  readonly description: string;
  readonly shards: number;
  readonly consistencyLevel: string;
  readonly properties: string;
  /** Sorted by name. */
  readonly partitions: readonly string[];
  readonly hasPartitionKey: boolean;
  /** Name, field and parameters of each, sorted. */
  readonly indexes: readonly string[];
  readonly loadState: LoadState;
  /** The partitions of the collection that are loaded, sorted. */
  readonly loadedPartitions: readonly string[];
  /** Everything that the content hash of a row covers, sorted by name. */
  readonly hashedFields: readonly HashedField[];
  readonly keyField: HashedField;
}

/** Names of the databases, sorted. */
export async function listDatabases(connection: MilvusConnection): Promise<readonly string[]> {
  const { db_names: names } = (await connection.call('ListDatabases', {})) as { db_names: string[] };
  return names.toSorted();
}

/** Names of the collections of a database, sorted, but for the marker that a task leaves in its target. */
export async function listCollections(connection: MilvusConnection, database: string): Promise<readonly string[]> {
  const answer = (await connection.call('ShowCollections', { db_name: database })) as { collection_names: string[] };
  return answer.collection_names.filter((name) => !isMarker(database, name)).toSorted();
}

export async function describeCollection(connection: MilvusConnection, name: CollectionName): Promise<CollectionShape> {
  const request = { db_name: name.database, collection_name: name.collection };
  const description = (await connection.call('DescribeCollection', request)) as DescribeCollectionAnswer;
  const { partition_names: partitionNames } = (await connection.call('ShowPartitions', request)) as {
    partition_names: string[];
  };
  const { schema } = description;
  const hasPartitionKey = schema.fields.some((field) => field.is_partition_key);
  const partitions = partitionNames.toSorted();
  const loadState = await loadStateOf(connection, name, []);
  const keyField = schema.fields.find((field) => field.is_primary_key);
  if (keyField === undefined) throw unreadable(connection, name, 'has no key');
  return {
    ...name,
    fields: schema.fields.map(fieldShape).sort(byFieldName),
    functions: (schema.functions ?? []).map(functionText).sort(),
    isDynamic: schema.enable_dynamic_field,
    description: schema.description,
    shards: description.shards_num,
    consistencyLevel: description.consistency_level,
    // Whose copy a collection is stands in a property of ours, on the copy alone.
    properties: parametersText(description.properties.filter(({ key }) => !key.startsWith('lifeline.'))),
    partitions,
    hasPartitionKey,
    indexes: await describeIndexes(connection, name),
    loadState,
    loadedPartitions: await loadedPartitions(connection, name, partitions, hasPartitionKey, loadState),
    hashedFields: hashedFields(connection, name, schema),
    keyField: hashedField(connection, name, keyField),
  };
}

async function loadedPartitions(
  connection: MilvusConnection,
  name: CollectionName,
  partitions: readonly string[],
  hasPartitionKey: boolean,
  loadState: LoadState,
): Promise<readonly string[]> {
  if (loadState === 'notLoaded') return [];
  // Partitions of a partition key are loaded together, and a single one is the collection.
  if (hasPartitionKey || partitions.length === 1) return partitions;
  const states = await Promise.all(partitions.map((partition) => loadStateOf(connection, name, [partition])));
  return partitions.filter((_partition, index) => states[index] !== 'notLoaded');
}

async function describeIndexes(
  connection: MilvusConnection,
  { database, collection }: CollectionName,
): Promise<readonly string[]> {
  let answer: { index_descriptions: readonly IndexDescription[] };
  try {
    answer = (await connection.call('DescribeIndex', {
      db_name: database,
      collection_name: collection,
    })) as typeof answer;
  } catch (error) {
    // The server calls it an error when there is no index (2.3.5: "index not found[collection=...]").
    if (error instanceof ReplicationError && /index (not found|doesn't exist)/i.test(error.message)) return [];
    throw error;
  }
  return answer.index_descriptions
    .map((index) => `${index.index_name} on ${index.field_name} (${parametersText(index.params)})`)
    .sort();
}

const fieldShape = (field: WireField): FieldShape => ({
  name: field.name,
  definition: [
    field.data_type,
    ...(field.data_type === 'Array' ? [`of ${field.element_type}`] : []),
    ...(field.is_primary_key ? ['primary key'] : []),
    ...(field.is_partition_key ? ['partition key'] : []),
    ...(field.is_clustering_key === true ? ['clustering key'] : []),
    ...(field.nullable === true ? ['nullable'] : []),
    ...(field.is_function_output === true ? ['output of a function'] : []),
    ...defaultText(field),
    parametersText(field.type_params),
    field.description,
  ]
    .filter((part) => part !== '')
    .join(', '),
  isGenerated: field.autoID,
});

function defaultText({ default_value: value }: WireField): string[] {
  if (value === undefined || value === null) return [];
  // The client's decoder adds the name of the member that is set.
  const [[kind, data] = []] = Object.entries(value).filter(([key]) => key !== 'data');
  const text = data instanceof Uint8Array ? Buffer.from(data).toString('utf8') : String(data);
  return [`default ${kind ?? ''} ${text}`];
}

const functionText = ({ name, type, input_field_names: inputs, output_field_names: outputs, params }: WireFunction) =>
  `${name}: ${type} from ${inputs.join(', ')} to ${outputs.join(', ')} (${parametersText(params)})`;

const parametersText = (parameters: readonly KeyValue[]): string =>
  parameters
    .map(({ key, value }) => `${key}=${value}`)
    .sort()
    .join(', ');

function hashedFields(
  connection: MilvusConnection,
  name: CollectionName,
  schema: DescribeCollectionAnswer['schema'],
): readonly HashedField[] {
  // What a function makes of other fields is not shown by a query (BM25), and is as they are.
  const fields = schema.fields
    .filter((field) => field.is_function_output !== true)
    .map((field) => hashedField(connection, name, field));
  if (schema.enable_dynamic_field) fields.push({ name: DYNAMIC_FIELD, type: 'JSON' });
  return fields.sort(byFieldName);
}

function hashedField(connection: MilvusConnection, name: CollectionName, field: WireField): HashedField {
  const { data_type: type, element_type: elementType } = field;
  if (!isFieldType(type)) throw unreadable(connection, name, `has the field type ${type}, which the judge cannot read`);
  if (type !== 'Array') return { name: field.name, type };
  if (!isFieldType(elementType)) throw unreadable(connection, name, `has an array of ${elementType}`);
  return { name: field.name, type, elementType };
}

const unreadable = ({ side }: MilvusConnection, { database, collection }: CollectionName, what: string) =>
  new ReplicationError('unsupported', side, `${database}.${collection} of the ${side} ${what}.`);
