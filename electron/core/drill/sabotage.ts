/**
 * Damages the target on purpose, through its public API, to prove that the judge sees it: one row, in a way that a
 * faulty replication could have damaged it.
 */
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { MilvusEndpoint } from '../../../shared/model/connection.ts';
import {
  describeCollection,
  listCollections,
  listDatabases,
  type CollectionShape,
} from './compare/collection-shape.ts';
import type { QueryAnswer, WireColumn } from './compare/wire-answers.ts';
import { openMilvus, type MilvusConnection } from './content/milvus-client.ts';
import { seededRandom, type Random } from './load/random.ts';

/** `drop` deletes a row, `double` inserts a copy of one, `flip` changes one bit of one value. */
export const SABOTAGE_KINDS = ['drop', 'double', 'flip'] as const;
export type SabotageKind = (typeof SABOTAGE_KINDS)[number];

export interface Sabotage {
  readonly kind: SabotageKind;
  readonly database: string;
  readonly collection: string;
  /** Empty where a partition key decides. */
  readonly partition: string;
  readonly key: string;
  /** The field that was changed; of `flip` only. */
  readonly field?: string;
}

/** The row is chosen among the first so many keys of its partition. */
const CHOICE_ROWS = 100;

/** Which row it is follows from the seed. Throws `notFound` when the target has no loaded collection with rows. */
export async function sabotageTarget(kind: SabotageKind, target: MilvusEndpoint, seed: number): Promise<Sabotage> {
  const connection = await openMilvus(target, 'target');
  try {
    const random = seededRandom(seed).fork(`sabotage ${kind}`);
    for (const { shape, partition } of await placesToDamage(connection, random)) {
      const row = await chooseRow(connection, shape, partition, random);
      if (row === undefined) continue;
      const field = await damage(kind, connection, shape, partition, row, random);
      return {
        kind,
        database: shape.database,
        collection: shape.collection,
        partition,
        key: keyOf(shape, row),
        ...(field === undefined ? {} : { field }),
      };
    }
    throw new ReplicationError('notFound', 'target', 'The target has no loaded collection with rows to damage.');
  } finally {
    await connection.close();
  }
}

interface Place {
  readonly shape: CollectionShape;
  readonly partition: string;
}

/** Loaded partitions in an order of chance. A collection that makes its keys itself takes no copy of a row: left out. */
async function placesToDamage(connection: MilvusConnection, random: Random): Promise<readonly Place[]> {
  const places: (Place & { readonly order: number })[] = [];
  for (const database of await listDatabases(connection)) {
    for (const collection of await listCollections(connection, database)) {
      const shape = await describeCollection(connection, { database, collection });
      if (shape.loadState !== 'loaded' || shape.fields.some((field) => field.isGenerated)) continue;
      for (const partition of shape.hasPartitionKey ? [''] : shape.loadedPartitions) {
        places.push({ shape, partition, order: random.next() });
      }
    }
  }
  return places.sort((a, b) => a.order - b.order);
}

async function chooseRow(
  connection: MilvusConnection,
  shape: CollectionShape,
  partition: string,
  random: Random,
): Promise<readonly WireColumn[] | undefined> {
  const query = async (expression: string, fields: readonly string[], limit: number) =>
    (await connection.call('Query', {
      db_name: shape.database,
      collection_name: shape.collection,
      partition_names: partition === '' ? [] : [partition],
      expr: expression,
      output_fields: fields,
      consistency_level: 'Strong',
      query_params: [{ key: 'limit', value: String(limit) }],
    })) as QueryAnswer;
  const { fields_data: keys } = await query('', [shape.keyField.name], CHOICE_ROWS);
  const choices = keyValues(shape, keys);
  const key = choices[random.below(choices.length)];
  if (key === undefined) return undefined;
  const row = await query(`${shape.keyField.name} == ${literal(shape, key)}`, ['*'], 1);
  return row.fields_data.map(withArrayKinds);
}

const ARRAY_KINDS: Readonly<Record<string, string>> = {
  Bool: 'bool_data',
  Int8: 'int_data',
  Int16: 'int_data',
  Int32: 'int_data',
  Int64: 'long_data',
  Float: 'float_data',
  Double: 'double_data',
  VarChar: 'string_data',
};

/**
 * A query returns an empty array without saying of what kind. Written back like that it brings Milvus 2.3.5 down (nil
 * pointer in the proxy's validate_util.go, checkArrayElement): give it its kind again.
 */
function withArrayKinds(column: WireColumn): WireColumn {
  const array = column.scalars?.array_data;
  if (column.scalars === undefined || array?.element_type === undefined) return column;
  const kind = ARRAY_KINDS[array.element_type] ?? 'string_data';
  const data = array.data.map((element) =>
    (element as { data?: string }).data === undefined ? { [kind]: { data: [] } } : element,
  );
  return { ...column, scalars: { ...column.scalars, array_data: { ...array, data } } };
}

/** Returns the field that was changed, when it was one. */
async function damage(
  kind: SabotageKind,
  connection: MilvusConnection,
  shape: CollectionShape,
  partition: string,
  row: readonly WireColumn[],
  random: Random,
): Promise<string | undefined> {
  const names = {
    db_name: shape.database,
    collection_name: shape.collection,
    ...(partition === '' ? {} : { partition_name: partition }),
  };
  switch (kind) {
    case 'drop':
      await connection.call('Delete', {
        ...names,
        expr: `${shape.keyField.name} in [${literal(shape, keyOf(shape, row))}]`,
      });
      return undefined;
    case 'double':
      await connection.call('Insert', { ...names, fields_data: row, num_rows: 1, hash_keys: [0] });
      return undefined;
    case 'flip': {
      const fields = shape.fields
        .filter(({ definition }) => !/primary key|partition key/.test(definition))
        .map(({ name }) => name);
      const candidates = row.filter((column) => fields.includes(column.field_name) && canFlip(column));
      const chosen = candidates[random.below(candidates.length)];
      if (chosen === undefined)
        throw new ReplicationError('unsupported', 'target', 'No field of the row has a bit to flip.');
      flipOneBit(chosen);
      await connection.call('Upsert', { ...names, fields_data: row, num_rows: 1, hash_keys: [0] });
      return chosen.field_name;
    }
  }
}

/** The lists of an answer are ours to change. */
interface Changeable {
  data: unknown[];
}

const canFlip = ({ scalars, vectors }: WireColumn): boolean =>
  (vectors?.float_vector ??
    vectors?.binary_vector ??
    scalars?.bool_data ??
    scalars?.int_data ??
    scalars?.long_data ??
    scalars?.float_data ??
    scalars?.double_data) !== undefined;

function flipOneBit({ scalars, vectors }: WireColumn): void {
  const binary = vectors?.binary_vector;
  if (binary !== undefined) {
    binary[0] = (binary[0] ?? 0) ^ 1;
    return;
  }
  const change = (list: unknown, flip: (value: never) => unknown): void => {
    const { data } = list as Changeable;
    data[0] = flip(data[0] as never);
  };
  if (vectors?.float_vector !== undefined) change(vectors.float_vector, flipFloat32);
  else if (scalars?.bool_data !== undefined) change(scalars.bool_data, (value: boolean) => !value);
  else if (scalars?.int_data !== undefined) change(scalars.int_data, (value: number) => value ^ 1);
  else if (scalars?.long_data !== undefined)
    change(scalars.long_data, (value: string) => (BigInt(value) ^ 1n).toString());
  else if (scalars?.float_data !== undefined) change(scalars.float_data, flipFloat32);
  else if (scalars?.double_data !== undefined) change(scalars.double_data, flipFloat64);
}

/** The lowest bit of the fraction: the smallest damage there is. */
function flipFloat32(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  view.setUint32(0, view.getUint32(0) ^ 1);
  return view.getFloat32(0);
}

function flipFloat64(value: number): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  view.setBigUint64(0, view.getBigUint64(0) ^ 1n);
  return view.getFloat64(0);
}

function keyValues(shape: CollectionShape, columns: readonly WireColumn[]): readonly string[] {
  const keys = columns.find((column) => column.field_name === shape.keyField.name)?.scalars;
  return ((keys?.long_data ?? keys?.string_data)?.data ?? []).map(String);
}

const keyOf = (shape: CollectionShape, row: readonly WireColumn[]): string => keyValues(shape, row)[0] ?? '';

const literal = (shape: CollectionShape, key: string): string =>
  shape.keyField.type === 'VarChar' ? JSON.stringify(key) : key;
