/**
 * Which Milvus a schema needs. An older one does not refuse what it does not know (all seen with 2.3.5): it makes the
 * collection without the trait (nullable), or with a type that it cannot index (BFloat16, sparse and 8-bit vectors); its whole
 * process ends when a JSON field has a default value, and when two inserts of 16-bit vectors come within one tick ("unsupported
 * data type: Float16Vector", pkg/util/typeutil, MergeFieldData). So it is not asked at all.
 */
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { CollectionSchema, SchemaField } from '../codec/collection-schema.ts';
import type { MilvusRpc, RpcOptions } from '../milvus/milvus-rpc.ts';

const JSON_TYPE = 23;
/** Minor version of 2.x by `schema.DataType`. */
const TYPES: ReadonlyMap<number, number> = new Map([
  [102, 4],
  [103, 4],
  [104, 4],
  [105, 6],
]);

export interface Need {
  /** The minor version of 2.x. */
  readonly minor: number;
  /** The subject and verb of a sentence. */
  readonly what: string;
}

/** The greatest need of it; `undefined`: every version from 2.3 on will do. */
export function neededVersion({ fields, functions }: Pick<CollectionSchema, 'fields' | 'functions'>): Need | undefined {
  const needs = fields.flatMap((field) => needsOf(field));
  for (const { name } of functions) needs.push({ minor: 5, what: `its function ${name} is known` });
  return needs.toSorted((a, b) => b.minor - a.minor)[0];
}

/** AddCollectionField is of 2.6. What an older server would say of a call that it does not know names neither. */
export function neededToAdd(field: SchemaField): Need {
  const own = neededVersion({ fields: [field], functions: [] });
  return own !== undefined && own.minor > 6 ? own : { minor: 6, what: `its new field ${field.name} can be added` };
}

function needsOf({ name, dataType, isNullable, hasDefault }: SchemaField): Need[] {
  const minor = TYPES.get(dataType);
  return [
    ...(minor === undefined ? [] : [{ minor, what: `the type of its field ${name} is known` }]),
    ...(isNullable ? [{ minor: 5, what: `its field ${name} may be null` }] : []),
    ...(hasDefault && dataType === JSON_TYPE
      ? [{ minor: 5, what: `its JSON field ${name} may have a default value` }]
      : []),
  ];
}

/** Of a server; empty: it does not say. */
export async function readVersion(rpc: MilvusRpc, options: RpcOptions): Promise<string> {
  try {
    return (await rpc.call('GetVersion', {}, options)).version;
  } catch (error) {
    if (error instanceof ReplicationError && error.code === 'unsupported') return '';
    throw error;
  }
}

/** Whether the version that a server tells of itself is older. One that cannot be read says nothing. */
export function isOlder(version: string, { minor }: Need): boolean {
  const found = /^v?(\d+)\.(\d+)/.exec(version);
  if (found === null) return false;
  const [major = 0, own = 0] = found.slice(1).map(Number);
  return major < 2 || (major === 2 && own < minor);
}
