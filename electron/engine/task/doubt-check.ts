/**
 * The end of a doubtful window: its changes have been replayed by key and confirmed, and now the target is asked whether a
 * first attempt has landed late after all. Of each key that the window touches one row is there at most, and none where the
 * last change was a delete. Only then is the window's checkpoint stored; otherwise it is replayed once more.
 */
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { CollectionSchema } from '../codec/collection-schema.ts';
import type { CollectionAddress } from '../milvus/collection-address.ts';
import { isNotLoaded } from '../source/rows/range-query.ts';
import type { KeySource } from '../source/rows/row-source.ts';
import type { OnTarget } from './collection-writer.ts';
import type { DoubtfulKeys } from './doubtful-keys.ts';

export interface DoubtCheckContext {
  /** `undefined`: the target's rows cannot be asked for. */
  readonly targetRows: Pick<KeySource, 'countKeys'> | undefined;
  readonly onTarget: OnTarget;
  readonly address: CollectionAddress;
  readonly schema: CollectionSchema;
  readonly notice: (text: string) => void;
}

/** @throws doubledRows: rows are there that must not be. */
export async function checkDoubtful(context: DoubtCheckContext, keys: DoubtfulKeys): Promise<void> {
  const { targetRows, onTarget, address, schema, notice } = context;
  const name = `${address.database}.${address.collection}`;
  if (targetRows === undefined) return;
  let surplus = 0;
  try {
    for (const { partition, present, absent } of keys.expected()) {
      const read = { ...address, partition, schema, guarantee: undefined };
      const count = (some: typeof present) =>
        onTarget('countKeys', (signal) => targetRows.countKeys({ ...read, keys: some }, signal));
      if (present.values.length > 0) {
        const { rows, keys: found } = await count(present);
        surplus += rows - found;
      }
      if (absent.values.length > 0) surplus += (await count(absent)).rows;
    }
  } catch (error) {
    if (!isNotLoaded(error) && !isGone(error)) throw error;
    notice(`${name} is not loaded on the target, so its keys were not counted after they had been written again.`);
    return;
  }
  if (keys.isPartial) notice(`Of ${name} more keys were written again than were counted afterwards.`);
  if (surplus > 0) throw doubled(name, surplus);
}

const isGone = (error: unknown): boolean => error instanceof ReplicationError && error.code === 'notFound';

const doubled = (name: string, surplus: number): ReplicationError =>
  new ReplicationError(
    'doubledRows',
    'target',
    `${surplus} rows of ${name} are on the target that a late write has brought there. What was written at that time is written again.`,
    { context: { rows: surplus } },
  );
