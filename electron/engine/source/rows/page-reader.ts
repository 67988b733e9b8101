/**
 * Pages of rows that leave out no key.
 *
 * Milvus answers "above this key, at most so many" in the order of the keys, each key once (seen with 2.3.5). But each of
 * its segments gives at most the limit's number of rows, and rows that share a key use up places there: keys in the
 * middle of the answer may be missing. A count taken after the rows does not betray it, since rows may be deleted between
 * the two. So a page is a range of keys whose rows were counted *before* they are read, and are fewer than the limit by
 * so much that rows which come in between do not matter:
 *
 *   1. the key at the page's end, by its place above the last page (any key would be right; this one gives the wanted size);
 *   2. the count of that range; if there are too many, a nearer end among the keys of the range;
 *   3. the rows of that range.
 *
 * A range of a single key needs no such care: whatever its doubles use up, its key is shown. Rows that come between the
 * steps are the log's business.
 */
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import { INT64_MAX, type KeyRange } from './key-range.ts';
import { RangeQuery, type QueryRpc, type Rows } from './range-query.ts';
import type { PageRead, RowKey, RowsPage } from './row-source.ts';

/** Large enough to hide a call's way, small enough that four of them in memory do not matter. */
const PAGE_BYTES = 4 * 1024 * 1024;
/** Half of what Milvus returns at once, so that there is room for doubles and for what comes meanwhile. */
const PAGE_ROWS_MAX = 8_000;
/** Leaves 4,384 places for rows that come between the count and the rows, some milliseconds later. */
const COUNTED_ROWS_MAX = 12_000;
/** Until the first page has told how large rows are. */
const FIRST_PAGE_ROWS = 500;
/** Small rows may be followed by large ones. */
const PAGE_GROWTH_MAX = 4;
/** Rows that are counted and not shown may have been deleted in between; not time and again. */
const EMPTY_PAGES_MAX = 10;
/** `schema.DataType`. */
const INT64 = 5;
/** `quotaAndLimits.limits.maxOutputSize`, 100 MiB (2.3.5). */
const TOO_MUCH_AT_ONCE = /results exceed the limit size/;

interface CountedRange {
  readonly range: KeyRange;
  readonly count: number;
}

export class PageReader {
  readonly #rpc: QueryRpc;
  /** Rows per page, by collection: as many as the last page's bytes say. */
  readonly #pageRows = new Map<string, number>();

  constructor(rpc: QueryRpc) {
    this.#rpc = rpc;
  }

  async read(read: PageRead, signal: AbortSignal): Promise<RowsPage | undefined> {
    const query = new RangeQuery(this.#rpc, read, signal);
    const name = `${read.database}.${read.collection}`;
    let { after } = read;
    let wanted = this.#pageRows.get(name) ?? FIRST_PAGE_ROWS;
    let emptyPages = 0;
    for (;;) {
      const { range, count } = await this.#nextRange(query, after, wanted);
      if (count === 0 && range.upTo === undefined) return undefined;
      const rows = await this.#rowsOf(query, range, wanted);
      if (rows === 'too-large') {
        wanted = Math.floor(wanted / 2);
        continue;
      }
      if (rows.rowCount > 0) {
        this.#learn(name, rows);
        return { ...rows, doubledRows: await this.#doubled(query, range, rows, count) };
      }
      emptyPages += 1;
      if (range.upTo === undefined) await this.#assertReadable(query, read, count, emptyPages);
      else after = range.upTo;
    }
  }

  /** A range with room for its rows, and how many were counted in it. */
  async #nextRange(query: RangeQuery, after: RowKey | undefined, wanted: number): Promise<CountedRange> {
    const range: KeyRange = { after, upTo: await query.keyAt({ after, upTo: undefined }, wanted) };
    const count = await query.count(range);
    if (count <= COUNTED_ROWS_MAX) return { range, count };
    const { values } = await query.someKeys(range);
    for (let at = values.length; at > 0;) {
      at >>= 1;
      const nearer = { after, upTo: values[at] };
      const nearerCount = await query.count(nearer);
      // The smallest key is alone in its range.
      if (nearerCount <= COUNTED_ROWS_MAX || at === 0) return { range: nearer, count: nearerCount };
    }
    // Counted and not shown: to be found out by whoever reads it.
    return { range, count };
  }

  async #rowsOf(query: RangeQuery, range: KeyRange, wanted: number): Promise<Rows | 'too-large'> {
    try {
      return await query.rows(range);
    } catch (error) {
      if (wanted > 1 && error instanceof ReplicationError && TOO_MUCH_AT_ONCE.test(error.message)) return 'too-large';
      throw error;
    }
  }

  /** Deletes between count and rows look like doubles, but not to a second count. */
  async #doubled(query: RangeQuery, { after }: KeyRange, { keys, rowCount }: Rows, count: number): Promise<number> {
    if (count <= rowCount) return 0;
    const again = await query.count({ after, upTo: keys.values.at(-1) });
    return Math.max(0, Math.min(count, again) - rowCount);
  }

  #learn(name: string, { rowCount, fields }: Rows): void {
    const bytes = fields.reduce((sum, field) => sum + field.bytes.byteLength, 0);
    const rows = Math.floor((PAGE_BYTES * rowCount) / Math.max(1, bytes));
    this.#pageRows.set(
      name,
      Math.max(1, Math.min(PAGE_ROWS_MAX, Math.max(FIRST_PAGE_ROWS, rowCount * PAGE_GROWTH_MAX), rows)),
    );
  }

  /** Of a range that is open above, counts rows and shows none. */
  async #assertReadable(
    query: RangeQuery,
    { database, collection, partition, schema }: PageRead,
    count: number,
    emptyPages: number,
  ): Promise<void> {
    const isInt64 = schema.keyField.dataType === INT64;
    const unreadable = isInt64 ? await query.count({ after: INT64_MAX - 1n, upTo: undefined }) : 0;
    if (unreadable === 0 && emptyPages < EMPTY_PAGES_MAX) return;
    const which =
      unreadable > 0
        ? `a row with the key ${INT64_MAX}, which Milvus counts but does not return`
        : `${count} rows that Milvus counts but does not return`;
    throw new ReplicationError(
      'unsupported',
      'source',
      `${database}.${collection} holds ${which}, so it cannot be copied whole. Delete or replace it on the source, then resume.`,
      { context: { database, collection, partition, count } },
    );
  }
}
