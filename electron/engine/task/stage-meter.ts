/**
 * Throughput of each stage over a moving window, made of counters that exist anyway: looked at as often as a status is made,
 * never per message or row.
 */
import type { StageRates } from '../../../shared/model/task-status.ts';
import type { Clock } from '../runtime/clock.ts';

/** Long enough to be read, short enough to be true. */
const WINDOW_MS = 10_000;
/** Samples are this far apart at least. */
const SAMPLE_INTERVAL_MS = 500;

/** Totals of this run. */
export interface StageCounters {
  readonly messagesRead: number;
  readonly bytesRead: number;
  /** Written and deleted, copied ones among them. */
  readonly rowsApplied: number;
  readonly rowsCopied: number;
}

interface Sample extends StageCounters {
  readonly at: number;
}

export class StageMeter {
  readonly #clock: Clock;
  #samples: Sample[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @returns the rates of the window that ends now; `undefined` until there are two moments to compare. */
  measure(counters: StageCounters): StageRates | undefined {
    const now: Sample = { at: this.#clock.now(), ...counters };
    const last = this.#samples.at(-1);
    // A clock that was set back, or a total that fell, begins anew: what was before says nothing about it.
    const isNew = last === undefined || now.at < last.at || hasFallen(last, now);
    if (isNew) this.#samples = [now];
    else if (now.at - last.at >= SAMPLE_INTERVAL_MS) this.#samples.push(now);
    // One that lies just before the window stays, so that the window is full.
    while ((this.#samples[1]?.at ?? now.at) <= now.at - WINDOW_MS) this.#samples.shift();
    const first = this.#samples[0];
    if (first === undefined || now.at - first.at < SAMPLE_INTERVAL_MS) return undefined;
    const perSecond = (of: (sample: Sample) => number): number => ((of(now) - of(first)) * 1000) / (now.at - first.at);
    const rowsCopiedPerSecond = perSecond(({ rowsCopied }) => rowsCopied);
    return {
      messagesReadPerSecond: perSecond(({ messagesRead }) => messagesRead),
      bytesReadPerSecond: perSecond(({ bytesRead }) => bytesRead),
      rowsWrittenPerSecond: Math.max(0, perSecond(({ rowsApplied }) => rowsApplied) - rowsCopiedPerSecond),
      rowsCopiedPerSecond,
    };
  }
}

const hasFallen = (before: StageCounters, after: StageCounters): boolean =>
  after.messagesRead < before.messagesRead ||
  after.rowsApplied < before.rowsApplied ||
  after.rowsCopied < before.rowsCopied;
