/**
 * Copies the rows of one collection, partition by partition, in pages that follow the keys.
 *
 * Invariants (SPEC.md §2): the shards' checkpoints are pinned at S before the first read; a page is written only after its
 * last key is on disk as the intent; the confirmed key never passes a page that the target has not confirmed; pages
 * up to an intent of an earlier run are written by key, the others inserted. The next page is read while one is written.
 *
 * Not its job: S and E, which are the log's, and what follows the copy.
 */
import type { CollectionId } from '../../../shared/model/ids.ts';
import type { CopyProgress, TaskStore } from '../../../shared/model/task-state.ts';
import type { TimeTick } from '../../../shared/time/time-tick.ts';
import { hasPartitionKey, type CollectionSchema } from '../codec/collection-schema.ts';
import type { RowKey, RowsPage, RowSource } from '../source/rows/row-source.ts';
import type { CollectionAddress } from '../milvus/collection-address.ts';

/** A partition that has gone since its name was read. */
export type PageRead = RowsPage | undefined | 'gone';

export interface CopyContext {
  readonly rows: RowSource;
  readonly store: Pick<TaskStore, 'copyProgress' | 'saveCopyProgress'>;
  /** Repeats a call on the source after the policy. */
  onSource<T>(name: string, call: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** A failed reading of a partition: whether partition and collection are still there, under these names and identities. */
  isThere(partition: string): Promise<boolean>;
  ensurePartition(partition: string): Promise<void>;
  /** `isDoubtful`: an earlier run may have written some of the rows. */
  write(partition: string, page: RowsPage, isDoubtful: boolean): Promise<void>;
  copied(rowCount: number, doubledRows: number): void;
}

export interface CopiedCollection {
  readonly id: CollectionId;
  /** Its name on the source. */
  readonly address: CollectionAddress;
  readonly schema: CollectionSchema;
  readonly partitions: readonly string[];
  readonly guarantee: TimeTick | undefined;
}

export async function copyRows(context: CopyContext, collection: CopiedCollection): Promise<void> {
  const known = new Map(context.store.copyProgress(collection.id).map((progress) => [progress.partition, progress]));
  // Rows of a collection with a partition key are placed by the target: they are read as a whole.
  const partitions = hasPartitionKey(collection.schema) ? [''] : collection.partitions;
  for (const partition of partitions) {
    const progress = known.get(partition) ?? notBegun(partition);
    context.copied(Number(progress.rowCount), Number(progress.doubledRowCount));
    if (!progress.isDone) await copyPartition(context, collection, progress);
  }
}

const notBegun = (partition: string): CopyProgress => ({
  partition,
  confirmedKey: undefined,
  intentKey: undefined,
  isDone: false,
  rowCount: 0n,
  doubledRowCount: 0n,
});

async function copyPartition(context: CopyContext, collection: CopiedCollection, begun: CopyProgress): Promise<void> {
  const { store } = context;
  const { partition } = begun;
  const doubtfulKey = begun.intentKey;
  let progress = begun;
  let next = readAhead(context, collection, partition, progress.confirmedKey);
  for (;;) {
    const page = await next;
    if (page === 'gone') return;
    if (page === undefined) break;
    const lastKey = lastKeyOf(page);
    next = readAhead(context, collection, partition, lastKey);
    await context.ensurePartition(partition);
    progress = { ...progress, intentKey: maxKey(progress.intentKey, lastKey) };
    store.saveCopyProgress(collection.id, progress);
    await context.write(partition, page, doubtfulKey !== undefined && !isAbove(firstKeyOf(page), doubtfulKey));
    progress = {
      ...progress,
      confirmedKey: lastKey,
      rowCount: progress.rowCount + BigInt(page.rowCount),
      doubledRowCount: progress.doubledRowCount + BigInt(page.doubledRows),
    };
    context.copied(page.rowCount, page.doubledRows);
  }
  store.saveCopyProgress(collection.id, { ...progress, isDone: true });
}

function readAhead(
  context: CopyContext,
  { address, schema, guarantee }: CopiedCollection,
  partition: string,
  after: RowKey | undefined,
): Promise<PageRead> {
  const page = context.onSource('readPage', async (signal): Promise<PageRead> => {
    try {
      return await context.rows.readPage({ ...address, partition, schema, after, guarantee }, signal);
    } catch (error) {
      if (signal.aborted || (await context.isThere(partition))) throw error;
      return 'gone';
    }
  });
  // It may fail while the page before it is still being written; whoever awaits it hears of it.
  page.catch(() => undefined);
  return page;
}

const firstKeyOf = ({ keys }: RowsPage): RowKey => keys.values[0] ?? 0n;
const lastKeyOf = ({ keys }: RowsPage): RowKey => keys.values.at(-1) ?? 0n;

function maxKey(a: RowKey | undefined, b: RowKey): RowKey {
  return a === undefined || isAbove(b, a) ? b : a;
}

/** Numbers by value, text by its bytes, as the source orders them. */
export function isAbove(a: RowKey, b: RowKey): boolean {
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b)) > 0;
  return a > b;
}
