/**
 * The memory that one task may spend on reading ahead: back-pressure from the target to the broker.
 *
 * Channels hold bytes of messages that wait for their tick, for their turn, or for a barrier. While the budget lasts,
 * every channel may read. When it is spent, reading stops until the target confirms, with one exception that keeps the
 * task alive: a channel that has nothing to do may be exactly the one that others wait for (its shard of a barrier is
 * still unread). Of the channels that ask and have no work of their own, the one that is furthest behind in time is
 * let through; it reads one message at a time and keeps only its outline, to be read again when it is due.
 *
 * Why that is enough: a barrier stands at one timestamp on all channels. The furthest-behind channel has, by
 * definition, no barrier before it that another channel has yet to read up to. So either a lane somewhere can work, or
 * some channel is let through, or everything has been read.
 */
import type { TimeTick } from '../../../shared/time/time-tick.ts';

/** Read-ahead of one task: room for 30 of Milvus' largest messages (8 MiB), a small part of the worker's heap limit. */
export const READ_BUDGET_BYTES_DEFAULT = 256 * 1024 * 1024;
/** One request to the broker: large enough to fill a loopback, small enough that a stop is not kept waiting. */
const CREDIT_BYTES_MAX = 4 * 1024 * 1024;

export interface BudgetMember {
  /** How far in time this channel has read. */
  readTick(): TimeTick;
  /** Whether one of its shards can write, is writing, or waits for the target: then it will free memory by itself. */
  hasWork(): boolean;
}

export interface Admission {
  /** How many bytes to ask the broker for. */
  readonly bytesMax: number;
  /** The budget is spent: keep the outline of what is read, not its bytes. */
  readonly outlineOnly: boolean;
}

interface Waiter {
  readonly member: BudgetMember;
  readonly admit: (admission: Admission) => void;
}

export class ReadBudget {
  readonly #limitBytes: number;
  readonly #waiters = new Set<Waiter>();
  #members = 0;
  #usedBytes = 0;
  #usedRows = 0;
  /** Admitted and not yet read: counted, so that channels which read at the same time do not spend the same room. */
  #promisedBytes = 0;
  #peakBytes = 0;

  constructor(limitBytes: number = READ_BUDGET_BYTES_DEFAULT) {
    this.#limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Rows that have been read and are not confirmed, those of which only an outline is kept included. */
  get usedRows(): number {
    return this.#usedRows;
  }

  isWaiting(member: BudgetMember): boolean {
    for (const waiter of this.#waiters) if (waiter.member === member) return true;
    return false;
  }

  get peakBytes(): number {
    return this.#peakBytes;
  }

  /** A channel begins to read; the room for one request is shared between all that do. */
  join(): void {
    this.#members += 1;
  }

  leave(): void {
    this.#members -= 1;
  }

  hold(bytes: number, rows = 0): void {
    this.#usedRows += rows;
    this.#usedBytes += bytes;
    if (this.#usedBytes > this.#peakBytes) this.#peakBytes = this.#usedBytes;
  }

  release(bytes: number, rows = 0): void {
    this.#usedRows -= rows;
    this.#usedBytes -= bytes;
    this.changed();
  }

  /** Resolves when `member` may read; `finished` must follow. Rejects with the signal's reason. */
  admit(member: BudgetMember, signal: AbortSignal): Promise<Admission> {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    const free = this.#admissionInBudget();
    if (free !== undefined) return Promise.resolve(this.#promise(free));
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiters.delete(waiter);
        reject(signal.reason as Error);
      };
      const waiter: Waiter = {
        member,
        admit: (admission) => {
          this.#waiters.delete(waiter);
          signal.removeEventListener('abort', onAbort);
          resolve(admission);
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiters.add(waiter);
      this.changed();
    });
  }

  /** What was admitted has been read, and is held as far as it is kept. */
  finished(admission: Admission): void {
    if (!admission.outlineOnly) this.#promisedBytes -= admission.bytesMax;
    this.changed();
  }

  /** To be called whenever a member's answer to `hasWork` may have changed to no. */
  changed(): void {
    if (this.#waiters.size === 0) return;
    for (const waiter of [...this.#waiters]) {
      const free = this.#admissionInBudget();
      if (free === undefined) break;
      waiter.admit(this.#promise(free));
    }
    let furthestBehind: Waiter | undefined;
    for (const waiter of this.#waiters) {
      if (waiter.member.hasWork()) continue;
      if (furthestBehind === undefined || waiter.member.readTick() < furthestBehind.member.readTick()) {
        furthestBehind = waiter;
      }
    }
    furthestBehind?.admit({ bytesMax: 1, outlineOnly: true });
  }

  #promise(admission: Admission): Admission {
    this.#promisedBytes += admission.bytesMax;
    return admission;
  }

  #admissionInBudget(): Admission | undefined {
    const freeBytes = this.#limitBytes - this.#usedBytes - this.#promisedBytes;
    if (freeBytes <= 0) return undefined;
    const share = Math.floor(freeBytes / Math.max(1, this.#members));
    return { bytesMax: Math.max(1, Math.min(CREDIT_BYTES_MAX, share)), outlineOnly: false };
  }
}
