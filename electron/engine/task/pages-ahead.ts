/** Reads the pages of a partition ahead of those who write them. */
import type { RowKey, RowsPage } from '../source/rows/row-source.ts';

/** `undefined`: behind the last row. `gone`: the partition has gone since its name was read. */
export type PageAnswer = RowsPage | undefined | 'gone';

/** While one is written. A page is some MiB. */
const PAGES_AHEAD = 2;

export const lastKeyOf = ({ keys }: RowsPage): RowKey => keys.values.at(-1) ?? 0n;

export class PagesAhead {
  readonly #read: (after: RowKey | undefined) => Promise<PageAnswer>;
  readonly #ahead: Promise<PageAnswer>[] = [];
  #last: Promise<PageAnswer>;

  /** Begins to read at once. `read`: the page behind a key. */
  constructor(read: (after: RowKey | undefined) => Promise<PageAnswer>, after: RowKey | undefined) {
    this.#read = read;
    this.#last = this.#expect(read(after));
    while (this.#ahead.length < PAGES_AHEAD) this.#readNext();
  }

  /** The next page; the last answer again and again at the end. Rejects as its reading did. */
  next(): Promise<PageAnswer> {
    this.#readNext();
    return this.#ahead.shift() ?? this.#last;
  }

  #readNext(): void {
    this.#last = this.#expect(
      this.#last.then((page) => (page === undefined || page === 'gone' ? page : this.#read(lastKeyOf(page)))),
    );
  }

  #expect(page: Promise<PageAnswer>): Promise<PageAnswer> {
    // It may fail while a page before it is still being written; whoever awaits it hears of it.
    page.catch(() => undefined);
    this.#ahead.push(page);
    return page;
  }
}
