/**
 * Keeps the copies of a task within what they may take from the source, all of them together: rows and bytes a second. A page
 * is counted when it has come, since nobody knows its size before; what was too much is waited for before the next one.
 */
import type { CopyBudget } from '../../../shared/model/copy-budget.ts';
import type { Clock } from '../runtime/clock.ts';
import { pause } from '../runtime/waiting.ts';

/** One reads while another waits for its target; more only makes the source slower for its users. */
const COLLECTIONS_AT_ONCE = 2;
/** Pages of a small budget hold what may be read in so long, so that the load is even. */
const PAGE_SECONDS = 0.5;

export interface PageSize {
  readonly rowsMax: number | undefined;
  readonly bytesMax: number | undefined;
}

export class CopyAllowance {
  readonly #clock: Clock;
  readonly #rows: Debt;
  readonly #bytes: Debt;
  #budget: CopyBudget;
  #changed = Promise.withResolvers<void>();

  constructor(clock: Clock, budget: CopyBudget = {}) {
    this.#clock = clock;
    this.#budget = budget;
    this.#rows = new Debt(clock.now(), budget.rowsPerSecond);
    this.#bytes = new Debt(clock.now(), budget.bytesPerSecond);
  }

  get collectionsAtOnce(): number {
    return this.#budget.collectionsAtOnce ?? COLLECTIONS_AT_ONCE;
  }

  /** In force at once, also for those who wait. */
  set(budget: CopyBudget): void {
    const now = this.#clock.now();
    this.#budget = budget;
    this.#rows.setRate(now, budget.rowsPerSecond);
    this.#bytes.setRate(now, budget.bytesPerSecond);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  pageSize(): PageSize {
    const share = (rate: number | undefined): number | undefined =>
      rate === undefined ? undefined : Math.max(1, Math.floor(rate * PAGE_SECONDS));
    return { rowsMax: share(this.#budget.rowsPerSecond), bytesMax: share(this.#budget.bytesPerSecond) };
  }

  /** Resolves when another page may be read. */
  async whenFree(signal: AbortSignal): Promise<void> {
    for (;;) {
      const now = this.#clock.now();
      const waitMs = Math.max(this.#rows.waitMs(now), this.#bytes.waitMs(now));
      if (waitMs <= 0) return;
      const over = new AbortController();
      try {
        await Promise.race([pause(waitMs, AbortSignal.any([signal, over.signal])), this.#changed.promise]);
      } finally {
        over.abort();
      }
      signal.throwIfAborted();
    }
  }

  /** A page has come. */
  spend(rows: number, bytes: number): void {
    const now = this.#clock.now();
    this.#rows.add(now, rows);
    this.#bytes.add(now, bytes);
  }
}

/** What was taken beyond the rate, melting at the rate. */
class Debt {
  #perSecond: number | undefined;
  #amount = 0;
  #atMs: number;

  constructor(nowMs: number, perSecond: number | undefined) {
    this.#atMs = nowMs;
    this.#perSecond = perSecond;
  }

  setRate(nowMs: number, perSecond: number | undefined): void {
    this.#melt(nowMs);
    this.#perSecond = perSecond;
    if (perSecond === undefined) this.#amount = 0;
  }

  add(nowMs: number, amount: number): void {
    this.#melt(nowMs);
    if (this.#perSecond !== undefined) this.#amount += amount;
  }

  waitMs(nowMs: number): number {
    this.#melt(nowMs);
    return this.#perSecond === undefined ? 0 : Math.ceil((this.#amount * 1000) / this.#perSecond);
  }

  #melt(nowMs: number): void {
    // A clock that was set back melts nothing.
    const elapsedMs = Math.max(0, nowMs - this.#atMs);
    this.#atMs = nowMs;
    this.#amount = Math.max(0, this.#amount - (elapsedMs * (this.#perSecond ?? 0)) / 1000);
  }
}
