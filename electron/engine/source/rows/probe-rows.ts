/**
 * Finds out with one row, before a copy begins, whether the server can return what it holds. An index may keep a vector
 * only in part (compressed) and the server nothing beside it: Milvus before 2.3, or where raw data is left out.
 */
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import type { RangeQuery } from './range-query.ts';
import type { PartitionRead } from './row-source.ts';

/** `schema.DataType`: vectors of every kind have numbers from here on. */
const FIRST_VECTOR_TYPE = 100;
/** What a server says that refuses to return a field; anything else is trouble of its own. */
const REFUSALS: ReadonlySet<string> = new Set(['invalidRequest', 'unsupported', 'unknown', 'malformedMessage']);

type FieldProbe = Pick<RangeQuery, 'hasField'>;

/** @throws notReadable naming the fields. */
export async function assertReadable(query: FieldProbe, read: PartitionRead): Promise<void> {
  const vectors = read.schema.fields.filter(({ dataType }) => dataType >= FIRST_VECTOR_TYPE);
  const missing: string[] = [];
  let cause: unknown;
  for (const { name } of vectors) {
    try {
      if (!(await query.hasField(name))) missing.push(name);
    } catch (error) {
      if (!(error instanceof ReplicationError && REFUSALS.has(error.code))) throw error;
      missing.push(name);
      cause = error;
    }
  }
  if (missing.length > 0) throw notReturned(read, missing, cause);
}

function notReturned({ database, collection }: PartitionRead, fields: string[], cause: unknown): ReplicationError {
  const which = fields.length === 1 ? `the vectors of ${fields[0]}` : `the vectors of ${fields.join(', ')}`;
  return new ReplicationError(
    'notReadable',
    'source',
    `${database}.${collection} cannot be copied: its server does not return ${which}, of which the index keeps only a part. Give the field an index that keeps the raw vectors (HNSW, IVF_FLAT, FLAT), then resume.`,
    { cause, context: { database, collection, fields: fields.join(', ') } },
  );
}
