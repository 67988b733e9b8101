/** Latencies of the last minutes: what was long ago must neither adorn nor spoil what is shown now. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { LagSummary } from '../../../shared/model/task-status.ts';
import type { Clock } from '../runtime/clock.ts';

/** Together the window: five minutes. */
const SLOT_MS = 60_000;
const SLOTS = 5;
/** A histogram's upper end: beyond an hour the exact figure no longer matters. */
const LATENCY_MS_MAX = 3_600_000;
/** Significant figures: an error of 1 %, at a tenth of the memory of three. */
const FIGURES = 2;

interface Slot {
  readonly index: number;
  readonly histogram: RecordableHistogram;
  max: number;
}

const newHistogram = (): RecordableHistogram =>
  createHistogram({ lowest: 1, highest: LATENCY_MS_MAX, figures: FIGURES });

export class LatencyWindow {
  readonly #clock: Clock;
  #slots: Slot[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param ms Below one counts as one. */
  record(ms: number): void {
    const value = Math.min(LATENCY_MS_MAX, Math.max(1, Math.round(ms)));
    const slot = this.#current();
    slot.histogram.record(value);
    if (value > slot.max) slot.max = value;
  }

  summary(): Omit<LagSummary, 'now'> {
    this.#forget();
    if (this.#slots.length === 0) return { p50: 0, p99: 0, max: 0, samples: 0 };
    const all = newHistogram();
    for (const { histogram } of this.#slots) all.add(histogram);
    const max = Math.max(...this.#slots.map((slot) => slot.max));
    return {
      p50: Math.min(max, all.percentile(50)),
      p99: Math.min(max, all.percentile(99)),
      max,
      samples: all.count,
    };
  }

  #current(): Slot {
    const index = Math.floor(this.#clock.now() / SLOT_MS);
    const last = this.#slots.at(-1);
    if (last?.index === index) return last;
    this.#forget();
    const slot = { index, histogram: newHistogram(), max: 0 };
    this.#slots.push(slot);
    return slot;
  }

  /** What is too old, or of a time to come: the clock was set back. */
  #forget(): void {
    const index = Math.floor(this.#clock.now() / SLOT_MS);
    this.#slots = this.#slots.filter((slot) => slot.index <= index && slot.index > index - SLOTS);
  }
}
