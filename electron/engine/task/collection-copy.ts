/**
 * Copies the rows of one collection, partition by partition, in pages that follow the keys.
 *
 * Invariants (SPEC.md §2): the shards' checkpoints are pinned at S before the first read; a page is written only after its
 * last key is on disk as the intent; the confirmed key never passes a page that the target has not confirmed; pages
 * up to an intent of an earlier run are written by key, the others inserted. Pages are read ahead while others are written,
 * and confirmed in the order of their keys.
 * Onto a filled copy every page is written by key, and of the range that it covers, from the confirmed key to its own last
 * one, all other keys are deleted; the range behind the last page is open above.
 *
 * Not its job: S and E, which are the log's, and what follows the copy.
 */
import type { CollectionId } from '../../../shared/model/ids.ts';
import type { CopyProgress, TaskStore } from '../../../shared/model/task-state.ts';
import type { PrimaryKeys } from '../codec/records.ts';
import type { RowKey, RowsPage } from '../source/rows/row-source.ts';
import type { KeyRange } from '../source/rows/key-range.ts';
import { lastKeyOf, PagesAhead, type PageAnswer } from './pages-ahead.ts';

export interface CopyContext {
  readonly store: Pick<TaskStore, 'copyProgress' | 'saveCopyProgress'>;
  /** The rows behind a key of the partition. */
  readPage(partition: string, after: RowKey | undefined): Promise<PageAnswer>;
  ensurePartition(partition: string): Promise<void>;
  /** `isDoubtful`: some of the rows may stand on the target. */
  write(partition: string, page: RowsPage, isDoubtful: boolean): Promise<void>;
  /** Of a filled copy: deletes the target's keys of the range but `keep`. @returns how many. */
  readonly deleteOthers?:
    ((partition: string, range: KeyRange, keep: PrimaryKeys | undefined) => Promise<number>) | undefined;
  copied(rowCount: number, doubledRows: number): void;
}

/** Calls of 1,000 to 2,000 rows, two at once, are what a target on two cores takes best (2.3.5, measured). */
const WRITES_AT_ONCE = 2;

export interface CopiedCollection {
  readonly id: CollectionId;
  /** To be copied one after the other; '': as a whole. */
  readonly partitions: readonly string[];
}

export async function copyRows(context: CopyContext, { id, partitions }: CopiedCollection): Promise<void> {
  const known = new Map(context.store.copyProgress(id).map((progress) => [progress.partition, progress]));
  for (const partition of partitions) {
    const progress = known.get(partition) ?? notBegun(partition);
    context.copied(Number(progress.rowCount), Number(progress.doubledRowCount));
    if (!progress.isDone) await copyPartition(context, id, progress);
  }
}

const notBegun = (partition: string): CopyProgress => ({
  partition,
  confirmedKey: undefined,
  intentKey: undefined,
  isDone: false,
  rowCount: 0n,
  doubledRowCount: 0n,
  deletedRowCount: 0n,
});

/** A page whose write has been sent. */
interface WrittenPage {
  readonly page: RowsPage;
  /** How many keys of its range were deleted. */
  readonly deleted: Promise<number>;
}

async function copyPartition(context: CopyContext, id: CollectionId, begun: CopyProgress): Promise<void> {
  const { store, deleteOthers } = context;
  const { partition } = begun;
  const isFilled = deleteOthers !== undefined;
  const doubtfulKey = begun.intentKey;
  const underWay: WrittenPage[] = [];
  let progress = begun;
  const confirmOldest = async (): Promise<void> => {
    const oldest = underWay.shift();
    if (oldest === undefined) return;
    const { page } = oldest;
    progress = confirmed(progress, page, await oldest.deleted);
    context.copied(page.rowCount, page.doubledRows);
  };
  const confirmAll = async (): Promise<void> => {
    while (underWay.length > 0) await confirmOldest();
  };
  let after = progress.confirmedKey;
  const pages = new PagesAhead((key) => context.readPage(partition, key), after);
  for (;;) {
    const page = await pages.next();
    if (page === 'gone') return confirmAll();
    if (page !== undefined || isFilled) await context.ensurePartition(partition);
    if (page === undefined) break;
    if (underWay.length >= WRITES_AT_ONCE) await confirmOldest();
    const lastKey = lastKeyOf(page);
    progress = { ...progress, intentKey: maxKey(progress.intentKey, lastKey) };
    store.saveCopyProgress(id, progress);
    const isDoubtful = isFilled || (doubtfulKey !== undefined && !isAbove(firstKeyOf(page), doubtfulKey));
    const range = { after, upTo: lastKey };
    // They have no key in common, nor has any of them with another page's.
    const deleted = Promise.all([
      deleteOthers?.(partition, range, page.keys) ?? 0,
      context.write(partition, page, isDoubtful),
    ]).then(([count]) => count);
    // Whoever confirms it hears of its failure.
    deleted.catch(() => undefined);
    underWay.push({ page, deleted });
    after = lastKey;
  }
  await confirmAll();
  const deleted = (await deleteOthers?.(partition, { after, upTo: undefined }, undefined)) ?? 0;
  const deletedRowCount = progress.deletedRowCount + BigInt(deleted);
  store.saveCopyProgress(id, { ...progress, deletedRowCount, isDone: true });
}

const confirmed = (progress: CopyProgress, page: RowsPage, deleted: number): CopyProgress => ({
  ...progress,
  confirmedKey: lastKeyOf(page),
  rowCount: progress.rowCount + BigInt(page.rowCount),
  doubledRowCount: progress.doubledRowCount + BigInt(page.doubledRows),
  deletedRowCount: progress.deletedRowCount + BigInt(deleted),
});

const firstKeyOf = ({ keys }: RowsPage): RowKey => keys.values[0] ?? 0n;

function maxKey(a: RowKey | undefined, b: RowKey): RowKey {
  return a === undefined || isAbove(b, a) ? b : a;
}

/** Numbers by value, text by its bytes, as the source orders them. */
export function isAbove(a: RowKey, b: RowKey): boolean {
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b)) > 0;
  return a > b;
}
