/**
 * Until when writes of this run may land on the target, on disk before a write is sent. The next run waits for that time
 * before it writes anything a second time: a first attempt that lands after its repetition would double a row, or delete
 * one that came later.
 *
 * Every write carries a deadline (`WRITE_DEADLINE_MS`). A server counts it from when it reads the request: one that was
 * stopped reads, when it runs again, what had come meanwhile, and carries it out (2.3.5, measured: up to 0.7 s after it
 * ran again, seconds after the sender's deadline). So a time that has passed says nothing by itself. The target must also
 * have answered a call that was begun after it, and some more must have passed since.
 */
import type { TaskStore } from '../../../shared/model/task-state.ts';
import type { Clock } from '../runtime/clock.ts';
import { orAborted, pause } from '../runtime/waiting.ts';
import { WRITE_DEADLINE_MS } from '../target/timeouts.ts';

/** For what a target that runs again has still to read and to do: 0.7 s at most were seen. */
export const LANDING_MARGIN_MS = 2_000;
/** One transaction per so long, under load; a restart after a crash waits longer by this at most. */
const RENEWAL_MS = 3_000;

export interface WriteLeaseContext {
  readonly store: Pick<TaskStore, 'setWritesUntil'>;
  readonly clock: Clock;
  /** Resolves when the target has answered a call that begins now, however often it is repeated. */
  readonly ask: () => Promise<unknown>;
}

export class WriteLease {
  readonly #context: WriteLeaseContext;
  /** Writes of an earlier run may land until then. */
  readonly #earlierUntilMs: number;
  #untilMs = 0;
  /** Writes whose answer was lost may land until then. */
  #openUntilMs = 0;

  #asking: Promise<void> | undefined;
  /** The target has answered a call that was begun then; and when. */
  #answered = { begunMs: 0, atMs: 0 };

  constructor(context: WriteLeaseContext, earlierUntilMs: number) {
    this.#context = context;
    // A clock that was set back must not keep the task waiting for hours.
    this.#earlierUntilMs = Math.min(earlierUntilMs, context.clock.now() + WRITE_DEADLINE_MS + RENEWAL_MS);
  }

  /** To be called before a write is started. @throws storeFailed */
  cover(): void {
    const { clock, store } = this.#context;
    const landsUntil = clock.now() + WRITE_DEADLINE_MS;
    if (landsUntil <= this.#untilMs) return;
    const untilMs = Math.max(landsUntil, this.#earlierUntilMs) + RENEWAL_MS;
    store.setWritesUntil(untilMs);
    this.#untilMs = untilMs;
  }

  /** Resolves when no write of an earlier run, nor one whose answer this run has lost, can land any more. */
  async whenSettled(signal: AbortSignal): Promise<void> {
    const untilMs = Math.max(this.#earlierUntilMs, this.#openUntilMs);
    if (untilMs > 0) await this.whenLanded(untilMs, signal);
  }

  /** Resolves when a write whose deadline is at `deadlineMs` has had its effect, or will never have it. */
  async whenLanded(deadlineMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#context;
    if (this.#answered.begunMs < deadlineMs) {
      const leftMs = deadlineMs - clock.now();
      if (leftMs > 0) await pause(leftMs, signal);
      while (this.#answered.begunMs < deadlineMs) {
        this.#asking ??= this.#ask(deadlineMs).finally(() => {
          this.#asking = undefined;
        });
        await orAborted(this.#asking, signal);
      }
    }
    const marginMs = this.#answered.atMs + LANDING_MARGIN_MS - clock.now();
    if (marginMs > 0) await pause(marginMs, signal);
  }

  /** To be called when the time is past `sinceMs`; a clock that was set back meanwhile does not change that. */
  async #ask(sinceMs: number): Promise<void> {
    const { clock, ask } = this.#context;
    const begunMs = Math.max(clock.now(), sinceMs);
    await ask();
    this.#answered = { begunMs, atMs: clock.now() };
  }

  /** A write ended without an answer. `deadlineMs`: its own. */
  leftOpen(deadlineMs: number): void {
    this.#openUntilMs = Math.max(this.#openUntilMs, deadlineMs);
  }

  /** No call is under way. What a lost answer, or an earlier run, has left open stays so until the target has answered since. */
  end(): void {
    const { store } = this.#context;
    const untilMs = Math.max(this.#openUntilMs, this.#earlierUntilMs);
    // Whether it has passed says little: the target may be stopped.
    store.setWritesUntil(this.#answered.begunMs < untilMs ? untilMs : 0);
  }
}
