/** Gathers what a task can say of itself: counters, lag, troubles by place, notices. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { CollectionStatus, TaskState, TaskStatus, Trouble } from '../../../shared/model/task-status.ts';
import { timeTickToMs, type TimeTick } from '../../../shared/time/time-tick.ts';
import type { OperationName, WalRecord } from '../codec/records.ts';
import { hintFor, isHeld } from '../errors/policy.ts';
import type { Clock } from '../runtime/clock.ts';
import type { RetryObserver } from '../runtime/retry.ts';
import { Conditions } from '../runtime/waiting.ts';

/** Notices are for a person; the first ones say it all. */
const NOTICES_MAX = 50;
/** A histogram's upper end: beyond an hour the exact figure no longer matters. */
const LAG_MS_MAX = 3_600_000;

/** The rest of a snapshot, known elsewhere. */
export type StatusInput = Pick<
  TaskStatus,
  'taskId' | 'collections' | 'operationsPending' | 'budgetUsedBytes' | 'budgetPeakBytes'
>;

export class StatusBoard {
  readonly #clock: Clock;
  readonly #lag: RecordableHistogram = createHistogram({ lowest: 1, highest: LAG_MS_MAX, figures: 3 });
  readonly #calls: Record<string, number> = {};
  readonly #unknown: Record<string, number> = {};
  readonly #skipped: Record<string, number> = {};
  readonly #troubles = new Map<string, Trouble>();
  readonly #notices: string[] = [];
  readonly #failures = new Conditions();
  #failure: { error: ReplicationError; trouble: Trouble } | undefined;
  #collectionFailure: ReplicationError | undefined;
  #hasStarted = false;
  #messagesRead = 0;
  #bytesRead = 0;
  #retiredRowsWritten = 0;
  #retiredRowsDeleted = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  started(): void {
    this.#hasStarted = true;
  }

  /** Shows what one place (a channel, the start, the operations) is blocked by, until it is not. */
  observer(place: string): RetryObserver {
    return {
      blocked: (error, pauseMs) => {
        const now = this.#clock.now();
        const since = this.#troubles.get(place)?.since ?? now;
        this.#troubles.set(place, { error: error.toData(), hint: hintFor(error), since, nextTryAt: now + pauseMs });
      },
      unblocked: () => void this.#troubles.delete(place),
    };
  }

  /** Part of the task, or all of it, cannot go on. The first cause is kept: what follows is its consequence. */
  failed(error: ReplicationError): void {
    this.#failure ??= { error, trouble: { error: error.toData(), hint: hintFor(error), since: this.#clock.now() } };
    this.#failures.changed();
  }

  collectionFailed(error: ReplicationError): void {
    this.#collectionFailure ??= error;
    this.#failures.changed();
  }

  /** Rejects as soon as anything has failed for good; otherwise when the signal aborts. */
  async whenFailed(signal: AbortSignal): Promise<never> {
    const failure = (): ReplicationError | undefined => this.#failure?.error ?? this.#collectionFailure;
    await this.#failures.until(() => failure() !== undefined, signal);
    throw failure() ?? new ReplicationError('bug', 'internal', 'A failure was announced and then gone.');
  }

  called(name: string): void {
    this.#calls[name] = (this.#calls[name] ?? 0) + 1;
  }

  rowsConfirmed(tick: TimeTick): void {
    const lagMs = this.#clock.now() - timeTickToMs(tick);
    this.#lag.record(Math.min(LAG_MS_MAX, Math.max(1, Math.round(lagMs))));
  }

  /** @returns whether a type was seen for the first time that this version does not know. */
  messageRead(record: WalRecord, bytes: number): boolean {
    this.#messagesRead += 1;
    this.#bytesRead += bytes;
    if (record.kind !== 'unknown') return false;
    const count = this.#unknown[record.messageType] ?? 0;
    this.#unknown[record.messageType] = count + 1;
    return count === 0;
  }

  skipped(operation: OperationName): void {
    this.#skipped[operation] = (this.#skipped[operation] ?? 0) + 1;
  }

  notice(text: string): void {
    if (this.#notices.length < NOTICES_MAX && !this.#notices.includes(text)) this.#notices.push(text);
  }

  /** A collection leaves the list for good; what it did still counts. */
  retire(status: CollectionStatus): void {
    this.#retiredRowsWritten += status.rowsWritten;
    this.#retiredRowsDeleted += status.rowsDeleted;
  }

  snapshot(input: StatusInput): TaskStatus {
    const trouble = this.#failure?.trouble ?? this.#troubles.values().next().value;
    const sum = (of: (status: CollectionStatus) => number): number =>
      input.collections.reduce((total, status) => total + of(status), 0);
    return {
      ...input,
      at: this.#clock.now(),
      state: this.#state(input.collections),
      ...(trouble === undefined ? {} : { trouble }),
      calls: { ...this.#calls },
      rowsWritten: this.#retiredRowsWritten + sum((status) => status.rowsWritten),
      rowsDeleted: this.#retiredRowsDeleted + sum((status) => status.rowsDeleted),
      bytesRead: this.#bytesRead,
      messagesRead: this.#messagesRead,
      unknownMessages: { ...this.#unknown },
      skippedOperations: { ...this.#skipped },
      lagMs: {
        p50: this.#lag.count === 0 ? 0 : this.#lag.percentile(50),
        p99: this.#lag.count === 0 ? 0 : this.#lag.percentile(99),
        max: this.#lag.count === 0 ? 0 : this.#lag.max,
        samples: this.#lag.count,
      },
      notices: [...this.#notices],
    };
  }

  #state(collections: readonly CollectionStatus[]): TaskState {
    if (this.#failure !== undefined) return isHeld(this.#failure.error.code) ? 'held' : 'failed';
    const states = new Set(collections.map((status) => status.state));
    for (const state of ['failed', 'held', 'blocked'] as const) if (states.has(state)) return state;
    if (this.#troubles.size > 0) return 'blocked';
    return this.#hasStarted ? 'following' : 'initializing';
  }
}
