/**
 * The end of a doubtful window: its changes have been replayed by key and confirmed, and now the target is asked whether a
 * first attempt has landed late after all. Of each key that the window touches one row is there at most, and none where the
 * last change was a delete. Only then is the window's checkpoint stored; otherwise it is replayed once more.
 */
import { ReplicationError, toReplicationError } from '../../../shared/model/replication-error.ts';
import type { CollectionSchema } from '../codec/collection-schema.ts';
import type { PrimaryKeys } from '../codec/records.ts';
import { isRetriedAutomatically } from '../errors/policy.ts';
import type { CollectionAddress } from '../milvus/collection-address.ts';
import type { Clock } from '../runtime/clock.ts';
import { isNotLoaded } from '../source/rows/range-query.ts';
import type { KeySource } from '../source/rows/row-source.ts';
import type { OnTarget } from './collection-writer.ts';
import type { DoubtfulKeys } from './doubtful-keys.ts';

export interface DoubtCheckContext {
  /** `undefined`: the target's rows cannot be asked for. */
  readonly targetRows: Pick<KeySource, 'countKeys'> | undefined;
  readonly onTarget: OnTarget;
  readonly clock: Clock;
  readonly address: CollectionAddress;
  readonly schema: CollectionSchema;
  readonly notice: (text: string) => void;
}

/**
 * A target that does not answer queries for so long (it loads, its query nodes are away) takes writes all the same: these must
 * not wait for it.
 */
const COUNT_TIMEOUT_MS = 30_000;

/** @throws doubledRows: rows are there that must not be. */
export async function checkDoubtful(context: DoubtCheckContext, keys: DoubtfulKeys): Promise<void> {
  const { targetRows, onTarget, clock, address, schema, notice } = context;
  const name = `${address.database}.${address.collection}`;
  if (targetRows === undefined) return;
  const endsMs = clock.now() + COUNT_TIMEOUT_MS;
  /** `undefined`: cannot be had. */
  const count = ({ partition, some }: { readonly partition: string; readonly some: PrimaryKeys }) =>
    onTarget('countKeys', async (signal) => {
      try {
        const read = { ...address, partition, schema, guarantee: undefined, keys: some };
        return await targetRows.countKeys(read, signal);
      } catch (thrown) {
        const error = toReplicationError(thrown);
        if (signal.aborted || (isRetriedAutomatically(error) && clock.now() < endsMs)) throw error;
        const why = isNotLoaded(error) || isGone(error) ? 'it is not loaded on the target.' : error.message;
        notice(`The keys of ${name} were not counted after they had been written again: ${why}`);
        return undefined;
      }
    });
  let surplus = 0;
  for (const { partition, present, absent } of keys.expected()) {
    if (present.values.length > 0) {
      const found = await count({ partition, some: present });
      if (found === undefined) return;
      surplus += found.rows - found.keys;
    }
    if (absent.values.length > 0) {
      const found = await count({ partition, some: absent });
      if (found === undefined) return;
      surplus += found.rows;
    }
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
