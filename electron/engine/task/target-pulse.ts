/**
 * Whether the target still answers while there is nothing to write. Without it an idle task would look well beside a dead
 * target: there is nothing that could go unconfirmed. Asked only when no other call has been answered for a while.
 */
import { toReplicationError } from '../../../shared/model/replication-error.ts';
import type { Clock } from '../runtime/clock.ts';
import type { RetryObserver } from '../runtime/retry.ts';

/** Asked when nothing was answered for so long. */
const ASK_AFTER_MS = 1_000;
/** With no answer for so long the target counts as silent: a busy one takes a second now and then. */
const SILENT_AFTER_MS = 3_000;
/** Between attempts while it refuses or cannot be reached. */
const REPEAT_AFTER_MS = 2_000;

export interface TargetPulseParts {
  readonly clock: Clock;
  /** The cheapest call that the target answers, ended by its own deadline. */
  readonly ask: () => Promise<unknown>;
  readonly observer: RetryObserver;
}

export class TargetPulse {
  readonly #parts: TargetPulseParts;
  #answeredMs: number;
  #askedMs: number | undefined;
  #isBlocked = false;
  #notBeforeMs = 0;

  constructor(parts: TargetPulseParts) {
    this.#parts = parts;
    this.#answeredMs = parts.clock.now();
  }

  /** Any call was answered, whatever it was asked. */
  answered(): void {
    this.#answeredMs = this.#parts.clock.now();
    if (!this.#isBlocked) return;
    this.#isBlocked = false;
    this.#parts.observer.unblocked();
  }

  /** To be called several times a second: asks where that is due, and never twice at once. */
  poll(): void {
    const now = this.#parts.clock.now();
    if (this.#askedMs !== undefined || now - this.#answeredMs < ASK_AFTER_MS || now < this.#notBeforeMs) return;
    this.#askedMs = now;
    void this.#ask();
  }

  /** Unix ms of the last answer, where one is overdue; then what is confirmed ends there. */
  silentSinceMs(): number | undefined {
    const isOverdue = this.#parts.clock.now() - this.#answeredMs >= SILENT_AFTER_MS;
    return isOverdue && (this.#askedMs !== undefined || this.#isBlocked) ? this.#answeredMs : undefined;
  }

  async #ask(): Promise<void> {
    const { ask, clock, observer } = this.#parts;
    try {
      await ask();
      this.answered();
    } catch (error) {
      this.#isBlocked = true;
      this.#notBeforeMs = clock.now() + REPEAT_AFTER_MS;
      observer.blocked(toReplicationError(error), REPEAT_AFTER_MS);
    } finally {
      this.#askedMs = undefined;
    }
  }
}
