/**
 * Pages of rows that leave out no key.
 *
 * Milvus answers "above this key, at most so many" in the order of the keys, each key once (seen with 2.3.5). But each of
 * its segments gives at most the limit's number of rows, and rows that share a key use up places there: keys in the
 * middle of the answer may be missing. A count taken after the rows does not betray it, since rows may be deleted between
 * the two. So a page is a range of keys whose rows were counted *before* they are read, and are fewer than the limit by
 * so much that rows which come in between do not matter:
 *
 *   1. the keys of some pages, by which they end (any keys would be right; these give the wanted size);
 *   2. the count of their whole range; if there are too many, a nearer end among the keys of the range;
 *   3. the rows of each page.
 *
 * Keys alone are read in the same way. A range of a single key needs no such care: whatever its doubles use up, its key is shown. Rows that come between the
 * steps are the log's business.
 */
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import type { PrimaryKeys } from '../../codec/records.ts';
import { INT64_MAX, type KeyRange } from './key-range.ts';
import { RangeQuery, type QueryRpc, type Rows } from './range-query.ts';
import type { KeysRead, PageRead, PartitionRead, RowKey, RowsPage } from './row-source.ts';

/** A page is one write: with more in it the target is slower (2.3.5, measured: 1,000 to 2,000 rows of 0.5 KiB are best). */
const PAGE_BYTES = 1024 * 1024;
const PAGE_ROWS_MAX = 2_000;
/** So many pages are counted together: their keys are small. */
const PAGES_COUNTED = 4;
/** What was counted longer ago is counted again. */
const PLAN_MS_MAX = 60_000;
/** Half of what Milvus returns at once, so that there is room for doubles and for what comes meanwhile. */
const KEYS_WANTED = 8_000;
/** Leaves 4,384 places for rows that come between the count and the rows, soon after. */
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

interface PlannedPage {
  readonly range: KeyRange;
  /** `undefined`: counted with others, some keys of which have several rows. */
  readonly count: number | undefined;
}

interface Plan {
  readonly pages: PlannedPage[];
  readonly guarantee: PartitionRead['guarantee'];
  /** Rows of each. */
  readonly wanted: number;
  readonly endsAtMs: number;
}

export class PageReader {
  readonly #rpc: QueryRpc;
  readonly #side: 'source' | 'target';
  /** Pages that were counted with an earlier one, by partition. */
  readonly #plans = new Map<string, Plan>();
  /** Of a row, by collection: what the last page's were on average. */
  readonly #rowBytes = new Map<string, number>();
  /** By collection: rows of the last page. */
  readonly #lastRows = new Map<string, number>();

  constructor(rpc: QueryRpc, side: 'source' | 'target' = 'source') {
    this.#rpc = rpc;
    this.#side = side;
  }

  async read(read: PageRead, signal: AbortSignal): Promise<RowsPage | undefined> {
    const query = this.#query(read, signal);
    const name = `${read.database}.${read.collection}/${read.partition}`;
    let { after } = read;
    let wanted = this.#wanted(name, read);
    let emptyPages = 0;
    for (;;) {
      const planned = this.#planned(name, read, after, wanted);
      const { range, count } = planned ?? (await this.#plan(name, query, { ...read, after }, wanted));
      if (count === 0 && range.upTo === undefined) return undefined;
      const counted = count ?? (await query.count(range));
      const rows = await this.#rowsOf(query, range, wanted);
      if (rows === 'too-large') {
        wanted = Math.floor(wanted / 2);
        this.#plans.delete(name);
        continue;
      }
      if (rows.rowCount > 0) {
        this.#learn(name, rows);
        return { ...rows, doubledRows: await this.#doubled(query, range, rows, counted) };
      }
      emptyPages += 1;
      if (range.upTo === undefined) await this.#assertReadable(query, read, counted, emptyPages);
      else after = range.upTo;
    }
  }

  /** The page behind the key, where it was counted with an earlier one, not long ago, and is small enough. */
  #planned(name: string, { guarantee }: PageRead, after: RowKey | undefined, wanted: number): PlannedPage | undefined {
    const plan = this.#plans.get(name);
    const next = plan?.pages.shift();
    if (plan === undefined || next?.range.after !== after || plan.guarantee !== guarantee) return undefined;
    return plan.wanted <= wanted && performance.now() < plan.endsAtMs ? next : undefined;
  }

  /** Counts some pages at once: the first of them, the others for later. */
  async #plan(name: string, query: RangeQuery, { after, guarantee }: PageRead, wanted: number): Promise<PlannedPage> {
    const endsAtMs = performance.now() + PLAN_MS_MAX;
    const { values } = await query.someKeys({ after, upTo: undefined }, wanted * PAGES_COUNTED);
    const upTo = values.length < wanted * PAGES_COUNTED ? undefined : values.at(-1);
    const { range, count } = await this.#countedRange(query, { after, upTo });
    const isWhole = range.upTo === upTo;
    // Keys that are shown once each and rows that are counted: no key has two rows.
    const isPlain = isWhole && count <= values.length;
    const pages: PlannedPage[] = [];
    let from = after;
    for (let at = wanted - 1; isWhole && at < values.length - 1; at += wanted) {
      const end = values[at];
      pages.push({ range: { after: from, upTo: end }, count: isPlain ? Math.min(wanted, count) : undefined });
      from = end;
    }
    // Zero would mean the end.
    const rest = pages.length === 0 ? count : Math.max(1, count - pages.length * wanted);
    pages.push({ range: { after: from, upTo: range.upTo }, count: isPlain || pages.length === 0 ? rest : undefined });
    const [first = { range, count }, ...later] = pages;
    this.#plans.set(name, { pages: later, guarantee, wanted, endsAtMs });
    return first;
  }

  async readKeys(read: KeysRead, signal: AbortSignal): Promise<PrimaryKeys | undefined> {
    const query = this.#query(read, signal);
    const { upTo } = read;
    let { after } = read;
    for (let emptyPages = 0; ; emptyPages += 1) {
      const { range, count } = await this.#nextRange(query, { after, upTo }, KEYS_WANTED);
      const isLast = range.upTo === upTo;
      if (count === 0 && isLast) return undefined;
      const keys = await query.someKeys(range);
      if (keys.values.length > 0) return keys;
      if (isLast) await this.#assertReadable(query, read, count, emptyPages);
      else after = range.upTo;
    }
  }

  #query(read: PartitionRead, signal: AbortSignal): RangeQuery {
    return new RangeQuery(this.#rpc, read, this.#side, signal);
  }

  /** Rows of the next page: as many as the last page's bytes say, and as the reader wishes. */
  #wanted(name: string, { rowsMax = PAGE_ROWS_MAX, bytesMax = PAGE_BYTES }: PageRead): number {
    const rowBytes = this.#rowBytes.get(name);
    const growth = Math.max(FIRST_PAGE_ROWS, (this.#lastRows.get(name) ?? 0) * PAGE_GROWTH_MAX);
    const fitting = rowBytes === undefined ? FIRST_PAGE_ROWS : Math.floor(Math.min(PAGE_BYTES, bytesMax) / rowBytes);
    return Math.max(1, Math.min(PAGE_ROWS_MAX, rowsMax, growth, fitting));
  }

  /** A range with room for its keys, and how many rows were counted in it. */
  async #nextRange(query: RangeQuery, { after, upTo }: KeyRange, wanted: number): Promise<CountedRange> {
    // A range that ends somewhere is small, as a rule.
    const wholeCount = upTo === undefined ? undefined : await query.count({ after, upTo });
    if (wholeCount !== undefined && wholeCount <= COUNTED_ROWS_MAX)
      return { range: { after, upTo }, count: wholeCount };
    return this.#countedRange(query, { after, upTo: (await query.keyAt({ after, upTo }, wanted)) ?? upTo });
  }

  /** The range, or what of it has room for its rows; and how many were counted in it. */
  async #countedRange(query: RangeQuery, range: KeyRange): Promise<CountedRange> {
    const { after } = range;
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
    this.#rowBytes.set(name, Math.max(1, bytes / rowCount));
    this.#lastRows.set(name, rowCount);
  }

  /** Of a range that is open above, counts rows and shows none. */
  async #assertReadable(
    query: RangeQuery,
    { database, collection, partition, schema }: PartitionRead,
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
      this.#side,
      `${database}.${collection} holds ${which}, so it cannot be copied whole. Delete or replace it on the ${this.#side}, then resume.`,
      { context: { database, collection, partition, count } },
    );
  }
}
