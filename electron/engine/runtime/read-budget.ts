/**
 * The memory that one task may spend on reading ahead: back-pressure from the target to the broker.
 *
 * Channels hold bytes of messages that wait for their tick, for their turn, or for a barrier. Half of the budget is set aside
 * in equal parts, one for each channel that reads: so a channel whose changes the target takes quickly reads on, however much
 * of another one waits; and one that has nothing to read, and waits at the broker for more, keeps no room from the others. The other
 * half is for whoever asks. When both are spent, reading stops until the target confirms, with one exception that keeps the
 * task alive: a channel that has nothing to do may be exactly the one that others wait for (its shard of a barrier is
 * still unread). Of the channels that ask and have no work of their own, the one that is furthest behind in time is
 * let through; it reads one message at a time and keeps only its outline, to be read again when it is due.
 *
 * Why that is enough: a barrier stands at one timestamp on all channels. The furthest-behind channel has, by
 * definition, no barrier before it that another channel has yet to read up to. So either a lane somewhere can work, or
 * some channel is let through, or everything has been read.
 */
import type { TimeTick } from '../../../shared/time/time-tick.ts';

/**
 * Read-ahead of one task: room for several of Milvus' largest messages (8 MiB), and a second of what a target takes. More makes
 * nothing faster, and is held by the process for long, since freed buffers go back to the system late.
 */
export const READ_BUDGET_BYTES_DEFAULT = 64 * 1024 * 1024;
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

/** What one channel has of the budget. */
interface Share {
  isReading: boolean;
  heldBytes: number;
  /** Admitted and not yet read. */
  promisedBytes: number;
}

interface Waiter {
  readonly member: BudgetMember;
  readonly admit: (admission: Admission) => void;
}

export class ReadBudget {
  readonly #limitBytes: number;
  readonly #waiters = new Set<Waiter>();
  readonly #shares = new Map<BudgetMember, Share>();
  /** Set aside for each channel that reads. */
  #reserveBytes = 0;
  /** What the channels have beyond that, together; and how much of it there is. */
  #commonUsedBytes = 0;
  #commonBytes: number;
  #usedBytes = 0;
  #usedRows = 0;
  #peakBytes = 0;

  constructor(limitBytes: number = READ_BUDGET_BYTES_DEFAULT) {
    this.#limitBytes = limitBytes;
    this.#commonBytes = limitBytes;
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

  /** A channel begins to read. */
  join(member: BudgetMember): void {
    this.#shareOf(member).isReading = true;
    this.#divide();
  }

  /** It ends. What it has read is still held for it. */
  leave(member: BudgetMember): void {
    this.#shareOf(member).isReading = false;
    this.#forgetEmpty(member);
    this.#divide();
    this.changed();
  }

  hold(member: BudgetMember, bytes: number, rows = 0): void {
    this.#usedRows += rows;
    this.#usedBytes += bytes;
    this.#count(member, { heldBytes: bytes });
    if (this.#usedBytes > this.#peakBytes) this.#peakBytes = this.#usedBytes;
  }

  release(member: BudgetMember, bytes: number, rows = 0): void {
    this.#usedRows -= rows;
    this.#usedBytes -= bytes;
    this.#count(member, { heldBytes: -bytes });
    this.#forgetEmpty(member);
    this.changed();
  }

  /** Resolves when `member` may read; `finished` must follow. Rejects with the signal's reason. */
  admit(member: BudgetMember, signal: AbortSignal): Promise<Admission> {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    const free = this.#admissionInBudget(member);
    if (free !== undefined) return Promise.resolve(free);
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
  finished(member: BudgetMember, admission: Admission): void {
    if (!admission.outlineOnly) this.#count(member, { promisedBytes: -admission.bytesMax });
    this.#forgetEmpty(member);
    this.changed();
  }

  /** To be called whenever a member's answer to `hasWork` may have changed to no. */
  changed(): void {
    if (this.#waiters.size === 0) return;
    for (const waiter of [...this.#waiters]) {
      const free = this.#admissionInBudget(waiter.member);
      if (free !== undefined) waiter.admit(free);
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

  /** Counted at once, so that channels which read at the same time do not spend the same room. */
  #admissionInBudget(member: BudgetMember): Admission | undefined {
    const { heldBytes, promisedBytes } = this.#shareOf(member);
    const own = heldBytes + promisedBytes;
    const left = Math.max(0, this.#reserveBytes - own);
    const common = Math.max(0, this.#commonBytes - this.#commonUsedBytes);
    // One that has nothing in hand may have to wait at the broker for long: with no room that others could use.
    const isIdle = own === 0 && left > 0;
    const bytesMax = isIdle ? left : Math.min(CREDIT_BYTES_MAX, left + common);
    if (bytesMax === 0) return undefined;
    this.#count(member, { promisedBytes: bytesMax });
    return { bytesMax, outlineOnly: false };
  }

  #count(member: BudgetMember, { heldBytes = 0, promisedBytes = 0 }: Partial<Omit<Share, 'isReading'>>): void {
    const share = this.#shareOf(member);
    this.#commonUsedBytes -= this.#beyondReserve(share);
    share.heldBytes += heldBytes;
    share.promisedBytes += promisedBytes;
    this.#commonUsedBytes += this.#beyondReserve(share);
  }

  #shareOf(member: BudgetMember): Share {
    const share = this.#shares.get(member) ?? { isReading: false, heldBytes: 0, promisedBytes: 0 };
    this.#shares.set(member, share);
    return share;
  }

  #forgetEmpty(member: BudgetMember): void {
    const { isReading, heldBytes, promisedBytes } = this.#shareOf(member);
    if (!isReading && heldBytes === 0 && promisedBytes === 0) this.#shares.delete(member);
  }

  #beyondReserve({ isReading, heldBytes, promisedBytes }: Share): number {
    return Math.max(0, heldBytes + promisedBytes - (isReading ? this.#reserveBytes : 0));
  }

  /** Anew, between those that read now. */
  #divide(): void {
    const shares = [...this.#shares.values()];
    const readers = shares.filter(({ isReading }) => isReading).length;
    this.#reserveBytes = Math.min(CREDIT_BYTES_MAX, Math.floor(this.#limitBytes / 2 / Math.max(1, readers)));
    this.#commonBytes = this.#limitBytes - this.#reserveBytes * readers;
    this.#commonUsedBytes = shares.reduce((sum, share) => sum + this.#beyondReserve(share), 0);
  }
}
