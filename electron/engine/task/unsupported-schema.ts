/** A collection that has what this version cannot carry over is held: guessing would lose values without a word. */
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { CollectionSchema } from '../codec/collection-schema.ts';
import { unsupportedPart } from '../codec/field-types.ts';
import type { CollectionAddress } from '../milvus/collection-address.ts';

/** `undefined`: all of the schema can be replicated. */
export function unsupportedSchema(
  { database, collection }: CollectionAddress,
  schema: CollectionSchema,
): ReplicationError | undefined {
  const part = unsupportedPart(schema);
  if (part === undefined) return undefined;
  return new ReplicationError(
    'unsupported',
    'source',
    `${database}.${collection} cannot be replicated by this version of Lifeline: ${part}. Nothing of it is written; leave it out of the task, or wait for a version that knows it.`,
    { context: { database, collection, outcome: 'refused' } },
  );
}
