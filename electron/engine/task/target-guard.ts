/**
 * Watches over what the store cannot: that no other store's engine writes into the target for the same source, and that the
 * target is still the one that was written into.
 *
 * - Before the first write the marker in the target is claimed. One that somebody else holds is watched first: if it beats,
 *   the start is refused; if it stays silent for `STALE_MS` of our own time (clocks of hosts are not compared), no write of
 *   its run can land any more, and it is taken over. So it is when the operator says so, or when it was our own earlier run.
 * - While running it beats every `BEAT_INTERVAL_MS`. A write may be started only until `VALID_MS` after the beginning of the
 *   last beat that was confirmed and found the marker still ours; after that writes wait. A marker that is another's ends
 *   the run.
 * - Beats are numbered, and the number is on disk before it is sent. A marker that shows a smaller one than was confirmed
 *   was put back to an earlier state, with all its cluster; one that shows a greater one than was sent says that this store
 *   was put back. Either way the copies are in doubt, for good, until they are made anew.
 * - Copies are looked for by identity: one that was dropped, replaced or renamed is told.
 *
 * It is advisory: a user who may not make or alter collections, or a server that cannot, is no worse a target for it.
 */
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { RunLease, StoredMarker, TaskRun, TaskStore } from '../../../shared/model/task-state.ts';
import { isRetriedAutomatically } from '../errors/policy.ts';
import type { Logger } from '../runtime/logger.ts';
import { retrying, type RetryObserver } from '../runtime/retry.ts';
import { Conditions, pause } from '../runtime/waiting.ts';
import type { Target } from '../target/target.ts';
import { WRITE_DEADLINE_MS } from '../target/timeouts.ts';
import { markerGone, TargetMarker, type MarkerReading } from '../target/target-marker.ts';
import { findChangedCopies, type WatchedCopy } from './changed-copies.ts';
import { doubtError, inUse, lost, storeOutdated, targetRestored, waitsFor } from './marker-errors.ts';
import { LANDING_MARGIN_MS } from './write-lease.ts';

export { doubtError };

/** Three calls of some 3 ms each: what idle tasks cost their target. */
const BEAT_INTERVAL_MS = 5_000;
/** Two beats may fail, or take long, before writes have to wait. */
const VALID_MS = 15_000;
/** Not slower than a server that comes back: writes wait for it. */
const BEAT_RETRY_MS = 1_000;
/**
 * Three beats and the deadline of the last write, and something for two machines' clocks that run unequally fast. Then, as
 * in `write-lease.ts`, the target must have answered, and have had `LANDING_MARGIN_MS` for what it had still to read.
 */
const STALE_MS = VALID_MS + WRITE_DEADLINE_MS + 3_000;
const WATCH_INTERVAL_MS = 2_000;
/**
 * After a claim, before it is looked at again: of several that begin at the same moment all then see the last one's claim,
 * and none has to wait for what another has begun. Nothing but that depends on it.
 */
const CLAIM_PAUSE_MS = 100;
/** One call for each database. */
const IDENTITIES_INTERVAL_MS = 15_000;
/** When it ends in order; what it saves is a wait of `STALE_MS` for another store's engine. */
const LEAVE_TIMEOUT_MS = 2_000;

export interface TargetGuardOptions {
  readonly taskId: string;
  readonly target: Target;
  readonly store: Pick<TaskStore, 'saveMarker' | 'doubtCopies'>;
  readonly lease: RunLease;
  readonly run: TaskRun;
  /** The operator has said that whoever else holds the marker is to be displaced. */
  readonly takesOver: boolean;
  readonly observer: RetryObserver;
  readonly logger?: Pick<Logger, 'debug'>;
  notice(text: string): void;
  /** Copies that are on the target and are not being dropped. */
  copies(): Iterable<WatchedCopy>;
  /** Its collection cannot go on. Called again at each look as long as it is among `copies`. */
  changed(copy: WatchedCopy, error: ReplicationError): void;
  /** Milliseconds that only go forward. */
  readonly monotonic?: () => number;
}

/** How the marker was before, when our claim of it had ended, and whether it was another's. */
interface Claim {
  readonly reading: MarkerReading;
  readonly endedMs: number;
  readonly isOther: boolean;
}

export class TargetGuard {
  readonly #options: TargetGuardOptions;
  readonly #marker: TargetMarker;
  readonly #monotonic: () => number;
  readonly #conditions = new Conditions();
  #known: StoredMarker | undefined;
  /** Writes may be started until then, by our own time. */
  #validUntilMs = 0;
  #isHeld = false;
  /** Gone on without the marker. */
  #isWithout = false;
  #identitiesDueMs = 0;
  /** Found silent for so long that nothing of it can land any more. */
  #staleRunId: string | undefined;
  /** It may be another's by now: writes wait until it was looked at again. */
  #unsettled: Claim | undefined;

  constructor(options: TargetGuardOptions) {
    this.#options = options;
    this.#marker = new TargetMarker(options.target, options.lease.task.source, options.lease.task.scope.marker);
    this.#monotonic = options.monotonic ?? (() => performance.now());
    this.#known = options.lease.task.marker;
  }

  get mayWrite(): boolean {
    return this.#isWithout || this.#monotonic() < this.#validUntilMs;
  }

  /** Resolves when a write may be started. To be asked right before it, after every other wait. */
  async whenMayWrite(signal: AbortSignal): Promise<void> {
    if (!this.mayWrite) await this.#conditions.until(() => this.mayWrite, signal);
  }

  /**
   * Claims the marker; before the stored state is read (it may put copies in doubt). Writes wait for the first beat of
   * `keep`; what the run has to read for its beginning need not.
   * @throws targetInUse: another store's engine is at work there.
   */
  async take(signal: AbortSignal): Promise<void> {
    try {
      await retrying(() => this.#take(signal), signal, this.#options.observer);
    } catch (error) {
      this.#goOnWithout(error, signal);
    }
  }

  /**
   * Settles the claim, then beats, until `signal` aborts; then rejects with its reason. @throws leaseLost: another has taken
   * the target over; storeFailed.
   */
  async keep(signal: AbortSignal): Promise<never> {
    const { observer } = this.#options;
    let isBlocked = false;
    for (;;) {
      const beganMs = this.#monotonic();
      try {
        if (this.#unsettled !== undefined) await this.#settle(this.#unsettled, signal);
        await this.#lookAtCopies(signal);
        // Writes may begin with it, so it comes after the look.
        if (!this.#isWithout && this.#unsettled === undefined) await this.#beat(signal);
        if (isBlocked) observer.unblocked();
        isBlocked = false;
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof ReplicationError && isRetriedAutomatically(error) && error.side === 'target') {
          observer.blocked(error, BEAT_RETRY_MS);
          isBlocked = true;
          await pause(BEAT_RETRY_MS, signal);
          continue;
        }
        this.#goOnWithout(error, signal);
      }
      await pause(Math.max(0, beganMs + BEAT_INTERVAL_MS - this.#monotonic()), signal);
    }
  }

  /** The run has ended, no call is under way: whoever comes next need not wait. Never rejects. */
  async leave(): Promise<void> {
    // Claimed is enough: nothing was written before the claim was settled.
    if (!this.#isHeld && this.#unsettled === undefined) return;
    this.#isHeld = false;
    this.#unsettled = undefined;
    this.#validUntilMs = 0;
    const { run, store } = this.#options;
    try {
      await this.#marker.leave(run.id, AbortSignal.timeout(LEAVE_TIMEOUT_MS));
      if (this.#known !== undefined) store.saveMarker(this.#known);
    } catch (error) {
      // The marker's silence has to tell it then, and the store may be a beat behind: both are allowed for.
      this.#options.logger?.debug({ err: error }, "The marker's end could not be told.");
    }
  }

  async #take(signal: AbortSignal): Promise<void> {
    let reading = await this.#marker.read(signal);
    if (reading === undefined) {
      if (this.#known !== undefined) this.#tellMarkerGone();
      await this.#marker.make(signal);
      reading = await this.#marker.read(signal);
      if (reading === undefined) throw markerGone(this.#marker.address);
    }
    const isOther = this.#isHeldByAnother(reading);
    if (isOther && !this.#options.takesOver) {
      await this.#untilStale(reading, signal);
      await this.#take(signal);
      return;
    }
    this.#compare(reading);
    await this.#claim(reading, signal);
    this.#unsettled = { reading, endedMs: this.#monotonic(), isOther };
  }

  async #settle({ reading, endedMs, isOther }: Claim, signal: AbortSignal): Promise<void> {
    // One that lives and is displaced hears of it with its next beat, and what it began then still lands. So does one that
    // came while our claim was on its way, or has come back to life: whoever may write has beaten since, and found the
    // marker its own behind that; a claim keeps beats, so the beat of such a one is seen here.
    if (!isOther) await pause(Math.max(0, endedMs + CLAIM_PAUSE_MS - this.#monotonic()), signal);
    const after = await this.#stillOurs(signal);
    const isAlive = !isSameBeat(after, reading);
    if (isAlive) await this.#untilLeft(undefined, signal);
    else if (isOther) await this.#untilLeft(reading.holder?.id, signal);
    this.#unsettled = undefined;
    this.#isHeld = true;
  }

  #isHeldByAnother({ holder, leftRunId }: MarkerReading): boolean {
    const { run } = this.#options;
    if (holder === undefined || [leftRunId, run.id, this.#staleRunId].includes(holder.id)) return false;
    // Our own earlier run: the store lets only one live. A copy of the data folder elsewhere is another matter.
    const isSamePlace = holder.host === run.host && holder.folder === run.folder;
    return !(isSamePlace && (this.#known?.runIds.includes(holder.id) ?? false));
  }

  /** Resolves when it is silent for good, or gone. @throws targetInUse */
  async #untilStale(first: MarkerReading, signal: AbortSignal): Promise<void> {
    const { observer } = this.#options;
    const staleMs = this.#monotonic() + STALE_MS;
    observer.blocked(waitsFor(first, STALE_MS + LANDING_MARGIN_MS), STALE_MS);
    try {
      for (;;) {
        const isStale = this.#monotonic() >= staleMs;
        await pause(isStale ? LANDING_MARGIN_MS : WATCH_INTERVAL_MS, signal);
        const next = await this.#marker.read(signal);
        if (next === undefined || !this.#isHeldByAnother(next)) return;
        if (next.holder?.id !== first.holder?.id || !isSameBeat(next, first)) throw inUse(next);
        if (!isStale) continue;
        this.#staleRunId = next.holder?.id;
        return;
      }
    } finally {
      observer.unblocked();
    }
  }

  /** Resolves when nothing of that run, or of any, can land any more. @throws leaseLost: displaced ourselves meanwhile. */
  async #untilLeft(runId: string | undefined, signal: AbortSignal): Promise<void> {
    const staleMs = this.#monotonic() + STALE_MS;
    for (let isStale = false; !isStale;) {
      isStale = this.#monotonic() >= staleMs;
      const reading = await this.#marker.read(signal);
      if (reading !== undefined) this.#assertOurs(reading);
      if (runId !== undefined && reading?.leftRunId === runId) return;
      await pause(isStale ? LANDING_MARGIN_MS : WATCH_INTERVAL_MS, signal);
    }
  }

  /** Whether marker and store tell the same of the past. What they do not is on disk before the evidence is written over. */
  #compare({ id, holder, beat }: MarkerReading): void {
    const known = this.#known;
    if (known === undefined || known.id !== id) return;
    const shown = beat?.number ?? 0n;
    if (shown > known.sent) this.#options.store.doubtCopies(storeOutdated(shown, known.sent));
    // A beat of a displaced run may have landed late, over a greater number.
    else if (shown < known.confirmed && beat?.runId === holder?.id) {
      this.#options.store.doubtCopies(targetRestored(shown, known.confirmed));
    }
  }

  async #claim(reading: MarkerReading, signal: AbortSignal): Promise<void> {
    const { run, taskId, store } = this.#options;
    const known = this.#knownOf(reading);
    this.#known = { ...known, runIds: [...known.runIds, run.id] };
    store.saveMarker(this.#known);
    await this.#marker.claim({ ...run, task: taskId }, signal);
  }

  async #beat(signal: AbortSignal): Promise<void> {
    const beganMs = this.#monotonic();
    const reading = await this.#marker.read(signal);
    if (reading?.holder === undefined) {
      this.#tellMarkerGone();
      await this.#take(signal);
      return;
    }
    this.#assertOurs(reading);
    this.#compareRunning(reading);
    const { run, store } = this.#options;
    const known = this.#knownOf(reading);
    const shown = reading.beat?.number ?? 0n;
    const number = (shown > known.sent ? shown : known.sent) + 1n;
    this.#known = { ...known, sent: number, runIds: [run.id] };
    store.saveMarker(this.#known);
    await this.#marker.beat(run.id, number, signal);
    await this.#stillOurs(signal);
    this.#known = { ...this.#known, confirmed: number };
    this.#validFrom(beganMs);
  }

  /** What the store knows of this very marker. */
  #knownOf({ id, createTick }: MarkerReading): StoredMarker {
    const known = this.#known;
    return known?.id === id ? known : { id, createTick, sent: 0n, confirmed: 0n, runIds: known?.runIds ?? [] };
  }

  #compareRunning({ id, beat }: MarkerReading): void {
    const known = this.#known;
    const isOwnBeat = beat?.runId === this.#options.run.id;
    if (known === undefined || known.id !== id || !isOwnBeat || beat.number >= known.confirmed) return;
    const doubt = targetRestored(beat.number, known.confirmed);
    this.#options.store.doubtCopies(doubt);
    for (const copy of [...this.#options.copies()]) this.#options.changed(copy, doubtError(doubt, copy));
  }

  /** Nobody else has claimed the marker up to now. */
  async #stillOurs(signal: AbortSignal): Promise<MarkerReading> {
    const reading = await this.#marker.read(signal);
    if (reading === undefined) throw markerGone(this.#marker.address);
    this.#assertOurs(reading);
    return reading;
  }

  #validFrom(beganMs: number): void {
    this.#validUntilMs = beganMs + VALID_MS;
    this.#conditions.changed();
  }

  #assertOurs(reading: MarkerReading): void {
    if (reading.holder?.id === this.#options.run.id) return;
    this.#validUntilMs = 0;
    this.#isHeld = false;
    throw reading.holder === undefined ? markerGone(this.#marker.address) : lost(reading);
  }

  async #lookAtCopies(signal: AbortSignal): Promise<void> {
    const options = this.#options;
    if (this.#monotonic() < this.#identitiesDueMs) return;
    try {
      const found = await findChangedCopies(options.target, () => options.copies(), signal);
      for (const { copy, error } of found) options.changed(copy, error);
      this.#identitiesDueMs = this.#monotonic() + IDENTITIES_INTERVAL_MS;
    } catch (error) {
      if (signal.aborted || !isRefusal(error)) throw error;
      this.#identitiesDueMs = Number.POSITIVE_INFINITY;
      options.notice(`Whether copies are dropped or replaced on the target is not watched: ${error.message}`);
    }
  }

  #tellMarkerGone(): void {
    this.#known = undefined;
    this.#options.notice("Lifeline's marker was gone from the target; it was made again.");
  }

  /** Only where the target refuses the marker as such: then it is a target like any other, without it. */
  #goOnWithout(error: unknown, signal: AbortSignal): void {
    signal.throwIfAborted();
    if (!isRefusal(error)) throw error;
    this.#isWithout = true;
    this.#isHeld = false;
    this.#unsettled = undefined;
    this.#conditions.changed();
    this.#options.notice(
      `The target takes no marker, so another Lifeline that writes into it would not be noticed: ${error.message}`,
    );
  }
}

/** The target does not let us, whatever the reason; what time mends, and what we say ourselves, is another matter. */
const isRefusal = (error: unknown): error is ReplicationError =>
  error instanceof ReplicationError &&
  error.side === 'target' &&
  !isRetriedAutomatically(error) &&
  !['targetInUse', 'leaseLost'].includes(error.code);

const isSameBeat = ({ beat }: MarkerReading, other: MarkerReading): boolean =>
  beat?.number === other.beat?.number && beat?.runId === other.beat?.runId;
