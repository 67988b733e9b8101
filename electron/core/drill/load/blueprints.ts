/**
 * The collections of the drill's load: together they hold every field type, both kinds of key, and each way Milvus has
 * of spreading rows. Two of them share a name in different databases.
 */
import type { FieldType } from '../content/row-hash.ts';

export interface FieldBlueprint {
  readonly name: string;
  readonly type: FieldType;
  readonly elementType?: FieldType;
  readonly dimensions?: number;
  readonly isPartitionKey?: boolean;
}

export interface IndexBlueprint {
  readonly field: string;
  readonly type: string;
  readonly metric?: string;
  readonly params?: Readonly<Record<string, number>>;
}

export interface CollectionBlueprint {
  readonly database: string;
  readonly collection: string;
  /** `generated`: 64-bit keys that the server makes. */
  readonly key: 'int64' | 'varchar' | 'generated';
  readonly fields: readonly FieldBlueprint[];
  readonly indexes: readonly IndexBlueprint[];
  readonly shards: number;
  readonly isDynamic: boolean;
  /** Beside `_default`; the same keys are written into several of them. */
  readonly partitions: readonly string[];
}

export const KEY_FIELD = 'id';
export const DEFAULT_PARTITION = '_default';
/** In bytes of UTF-8, for every varchar of the load. */
export const VARCHAR_BYTES_MAX = 256;
export const ARRAY_LENGTH_MAX = 8;
const VECTOR_DIMENSIONS = 128;
const BINARY_VECTOR_DIMENSIONS = 256;
/** Few, since every partition of a partition key costs the server a segment on each shard. */
export const PARTITION_KEY_PARTITIONS = 4;

const embedding: FieldBlueprint = { name: 'embedding', type: 'FloatVector', dimensions: VECTOR_DIMENSIONS };
const flat: IndexBlueprint = { field: 'embedding', type: 'FLAT', metric: 'L2' };

const base = { shards: 1, isDynamic: false, partitions: [] } as const;

export const SHOP_ORDERS: CollectionBlueprint = {
  ...base,
  database: 'shop',
  collection: 'orders',
  key: 'int64',
  shards: 2,
  isDynamic: true,
  fields: [
    { name: 'is_paid', type: 'Bool' },
    { name: 'rating', type: 'Int8' },
    { name: 'quantity', type: 'Int16' },
    { name: 'price_cents', type: 'Int32' },
    { name: 'customer_number', type: 'Int64' },
    { name: 'weight', type: 'Float' },
    { name: 'balance', type: 'Double' },
    { name: 'remark', type: 'VarChar' },
    { name: 'address', type: 'JSON' },
    embedding,
  ],
  indexes: [
    { field: 'embedding', type: 'HNSW', metric: 'COSINE', params: { M: 8, efConstruction: 64 } },
    { field: 'customer_number', type: 'STL_SORT' },
  ],
};

export const SHOP_CUSTOMERS: CollectionBlueprint = {
  ...base,
  database: 'shop',
  collection: 'customers',
  key: 'varchar',
  fields: [{ name: 'region', type: 'VarChar', isPartitionKey: true }, { name: 'credit', type: 'Double' }, embedding],
  indexes: [{ field: 'embedding', type: 'IVF_FLAT', metric: 'IP', params: { nlist: 16 } }],
};

export const ARCHIVE_ORDERS: CollectionBlueprint = {
  ...base,
  database: 'archive',
  collection: 'orders',
  key: 'int64',
  shards: 2,
  fields: [
    { name: 'flags', type: 'Array', elementType: 'Bool' },
    { name: 'tiny', type: 'Array', elementType: 'Int8' },
    { name: 'small', type: 'Array', elementType: 'Int16' },
    { name: 'counts', type: 'Array', elementType: 'Int32' },
    { name: 'numbers', type: 'Array', elementType: 'Int64' },
    { name: 'weights', type: 'Array', elementType: 'Float' },
    { name: 'amounts', type: 'Array', elementType: 'Double' },
    { name: 'tags', type: 'Array', elementType: 'VarChar' },
    { name: 'document', type: 'JSON' },
    embedding,
  ],
  indexes: [flat],
};

export const ARCHIVE_EVENTS: CollectionBlueprint = {
  ...base,
  database: 'archive',
  collection: 'events',
  key: 'generated',
  isDynamic: true,
  fields: [{ name: 'kind', type: 'VarChar' }, { name: 'value', type: 'Double' }, embedding],
  indexes: [flat],
};

export const STOCK: CollectionBlueprint = {
  ...base,
  database: 'default',
  collection: 'stock',
  key: 'int64',
  partitions: ['north', 'south'],
  fields: [{ name: 'amount', type: 'Int32' }, { name: 'place', type: 'VarChar' }, embedding],
  indexes: [flat],
};
/** The partition of `STOCK` that comes and goes under load. */
export const STOCK_PASSING_PARTITION = 'seasonal';

export const FINGERPRINTS: CollectionBlueprint = {
  ...base,
  database: 'default',
  collection: 'fingerprints',
  key: 'varchar',
  shards: 2,
  fields: [
    { name: 'quality', type: 'Float' },
    { name: 'bits', type: 'BinaryVector', dimensions: BINARY_VECTOR_DIMENSIONS },
  ],
  indexes: [{ field: 'bits', type: 'BIN_FLAT', metric: 'HAMMING' }],
};

export const SESSIONS: CollectionBlueprint = {
  ...base,
  database: 'default',
  collection: 'sessions',
  key: 'varchar',
  fields: [{ name: 'user_number', type: 'Int64' }, embedding],
  indexes: [flat],
};
/** What `SESSIONS` is when it comes back: the same name, another schema. */
export const SESSIONS_AGAIN: CollectionBlueprint = {
  ...SESSIONS,
  fields: [{ name: 'user_number', type: 'Int64' }, { name: 'device', type: 'VarChar' }, embedding],
};

export const SCRATCH_NOTES: CollectionBlueprint = {
  ...base,
  database: 'scratch',
  collection: 'notes',
  key: 'int64',
  fields: [{ name: 'text', type: 'VarChar' }, embedding],
  indexes: [flat],
};
