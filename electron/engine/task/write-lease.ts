/**
 * Until when writes of this run may land on the target, on disk before a write is sent. The next run waits for that time
 * before it writes anything a second time: a first attempt that lands after its repetition would double a row, or delete
 * one that came later.
 *
 * Every write carries a deadline (`WRITE_DEADLINE_MS`) that the target is told of; the lease outlives it by a margin.
 */
import type { TaskStore } from '../../../shared/model/task-state.ts';
import type { Clock } from '../runtime/clock.ts';
import { pause } from '../runtime/waiting.ts';
import { WRITE_DEADLINE_MS } from '../target/timeouts.ts';

/** For the way to the target, and for what it does between its last look at the deadline and the effect. */
const LANDING_MARGIN_MS = 2_000;
/** After its start a write can have an effect for so long. */
export const WRITE_LANDS_WITHIN_MS = WRITE_DEADLINE_MS + LANDING_MARGIN_MS;
/** One transaction per so long, under load; a restart after a crash waits longer by this at most. */
const RENEWAL_MS = 3_000;

export class WriteLease {
  readonly #store: Pick<TaskStore, 'setWritesUntil'>;
  readonly #clock: Clock;
  /** Writes of an earlier run may land until then. */
  readonly #earlierUntilMs: number;
  #untilMs = 0;
  /** Writes whose answer was lost may land until then. */
  #openUntilMs = 0;

  constructor(store: Pick<TaskStore, 'setWritesUntil'>, clock: Clock, earlierUntilMs: number) {
    this.#store = store;
    this.#clock = clock;
    // A clock that was set back must not keep the task waiting for hours.
    this.#earlierUntilMs = Math.min(earlierUntilMs, clock.now() + WRITE_LANDS_WITHIN_MS + RENEWAL_MS);
  }

  /** To be called before a write is started. @throws storeFailed */
  cover(): void {
    const landsUntil = this.#clock.now() + WRITE_LANDS_WITHIN_MS;
    if (landsUntil <= this.#untilMs) return;
    const untilMs = Math.max(landsUntil, this.#earlierUntilMs) + RENEWAL_MS;
    this.#store.setWritesUntil(untilMs);
    this.#untilMs = untilMs;
  }

  /** Resolves when no write of an earlier run can land any more. */
  async whenSettled(signal: AbortSignal): Promise<void> {
    const leftMs = this.#earlierUntilMs - this.#clock.now();
    if (leftMs > 0) await pause(leftMs, signal);
  }

  /** A write ended without an answer. */
  leftOpen(landsUntilMs: number): void {
    this.#openUntilMs = Math.max(this.#openUntilMs, landsUntilMs);
  }

  /** No call is under way. Lost answers, and an earlier run's writes, are another matter. */
  end(): void {
    const untilMs = Math.max(this.#openUntilMs, this.#earlierUntilMs);
    this.#store.setWritesUntil(this.#clock.now() < untilMs ? untilMs : 0);
  }
}
