/**
 * The writes of one shard that are under way, and the order that they keep.
 *
 * Rule: a write is sent when every earlier write that is not confirmed yet is known to share no key with it. So writes of one
 * key happen in the order of the log, one after the confirmation of the other, and of different keys in any order; what the
 * rows are in the end does not depend on it. A write of unknown keys has the window for itself.
 *
 * Small writes are joined: one that has not been sent yet takes in a later one of its kind, if nothing that stands between
 * them shares a key with the later one. Nothing waits in order to be joined: what is joined has come in one go (the batch of
 * a tick, all that is there while catching up), or while all places were taken.
 *
 * Confirmations are passed on in the order of the log: of a checkpoint when every write before it is confirmed, however many
 * behind it are. A write that is repeated until its outcome is known holds back those that share a key with it, and the
 * checkpoint; after a failure, or its end, the window sends nothing more.
 */
import type { Checkpoint } from '../../../shared/model/position.ts';
import type { TimeTick } from '../../../shared/time/time-tick.ts';
import { orAborted } from '../runtime/waiting.ts';
import type { JoinedWrite } from './joined-write.ts';

/** In flight at once for one shard: the target's own pipeline is full with that (measured with 2.3.5 on two cores). */
const IN_FLIGHT_MAX = 4;
/** Taken in and not confirmed in the order of the log: how far the others may get ahead of one that is stuck. */
const UNCONFIRMED_MAX = 64;
/** Of writes that are not confirmed: some requests of the size that clients like to send. */
const BYTES_MAX = 8 * 1024 * 1024;
/** Writes that one is compared with in order to be joined. */
const JOIN_REACH = 8;

/** Writes it, or throws when it never will be. */
export type SendWrite = (write: JoinedWrite) => Promise<void>;

export interface WriteWindowOwner {
  /** The write's messages are no longer needed: confirmed, or never to be written. */
  release(write: JoinedWrite): void;
  /** All before `tick` is confirmed. */
  reached(tick: TimeTick): void;
  /** All up to the checkpoint is confirmed. */
  confirmed(checkpoint: Checkpoint): void;
  /** Everything taken in is confirmed. */
  emptied(): void;
  /** A write has failed for good, or the owner at what it was told. Nothing more is sent. */
  failed(error: unknown, write: JoinedWrite | undefined): void;
}

interface Place {
  readonly write: JoinedWrite;
  readonly send: SendWrite;
  state: 'waiting' | 'sent' | 'confirmed';
  /** Earlier writes that share a key with it and are not confirmed yet. */
  readonly after: Set<Place>;
  /** Reached when everything up to here is confirmed. */
  checkpoint: Checkpoint | undefined;
}

export class WriteWindow {
  readonly #owner: WriteWindowOwner;
  readonly #signal: AbortSignal;
  /** In the order of the log; the first one is not confirmed. */
  #places: Place[] = [];
  #sent = 0;
  #bytes = 0;
  #isSendingDue = false;
  #end: { readonly error: unknown } | undefined;
  #changed = Promise.withResolvers<void>();

  /** `signal`: when it aborts nothing more is sent. */
  constructor(owner: WriteWindowOwner, signal: AbortSignal) {
    this.#owner = owner;
    this.#signal = signal;
    this.#changed.promise.catch(() => undefined);
  }

  /** Everything taken in is confirmed. */
  get isEmpty(): boolean {
    return this.#places.length === 0 && this.#end === undefined;
  }

  /**
   * Resolves when the write has its place; it is the window's from then on. One at a time, in the order of the log. Rejects
   * when the window has ended: the write was not taken.
   */
  async take(write: JoinedWrite, send: SendWrite): Promise<void> {
    this.#assertOpen();
    let after = this.#before(write);
    if (this.#join(write, after)) return;
    for (; !this.#hasRoomFor(write); after = this.#before(write)) await this.#whenChanged();
    this.#places.push({ write, send, state: 'waiting', after, checkpoint: undefined });
    this.#bytes += write.byteCount;
    this.#sendSoon();
  }

  /** The checkpoint is reached when all that was taken in is confirmed. */
  mark(checkpoint: Checkpoint): void {
    if (this.#end !== undefined) return;
    const last = this.#places.at(-1);
    if (last === undefined) this.#owner.confirmed(checkpoint);
    else last.checkpoint = checkpoint;
  }

  /** Resolves when everything taken in is confirmed; rejects when it never will be. */
  async whenEmpty(): Promise<void> {
    this.#assertOpen();
    while (!this.isEmpty) await this.#whenChanged();
  }

  /** Nothing more is sent or confirmed. What is under way ends by itself. */
  end(error: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    for (const { write, state } of this.#places) if (state === 'waiting') this.#owner.release(write);
    this.#places = [];
    this.#changed.reject(error);
  }

  /** What must be confirmed before the write is sent. */
  #before(write: JoinedWrite): Set<Place> {
    return new Set(this.#places.filter((place) => mustWait(write, place)));
  }

  /** Into the nearest unsent write of its kind with nothing in between that shares a key with it. */
  #join(write: JoinedWrite, after: ReadonlySet<Place>): boolean {
    for (const place of this.#places.slice(-JOIN_REACH).toReversed()) {
      if (after.has(place)) return false;
      // One that could go at once is not tied to one that has to wait.
      const isAlike = place.after.size > 0 === after.size > 0;
      if (place.state !== 'waiting' || !isAlike || !place.write.tryTake(write)) continue;
      for (const earlier of after) place.after.add(earlier);
      this.#bytes += write.byteCount;
      return true;
    }
    return false;
  }

  #hasRoomFor(write: JoinedWrite): boolean {
    if (this.#places.length === 0) return true;
    return this.#places.length < UNCONFIRMED_MAX && this.#bytes + write.byteCount <= BYTES_MAX;
  }

  /** At the end of this turn of the event loop: what else is there may be joined until then. */
  #sendSoon(): void {
    if (this.#isSendingDue) return;
    this.#isSendingDue = true;
    setImmediate(() => {
      this.#isSendingDue = false;
      this.#sendMore();
    });
  }

  #sendMore(): void {
    for (const place of this.#places) {
      if (this.#end !== undefined || this.#signal.aborted || this.#sent >= IN_FLIGHT_MAX) return;
      if (place.state === 'waiting' && place.after.size === 0) void this.#send(place);
    }
  }

  async #send(place: Place): Promise<void> {
    const { write, send } = place;
    place.state = 'sent';
    this.#sent += 1;
    const failure = await send(write).then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    this.#sent -= 1;
    this.#owner.release(write);
    if (this.#end !== undefined) return;
    if (failure !== undefined) {
      this.#fail(failure.error, write);
      return;
    }
    try {
      this.#confirmed(place);
    } catch (error) {
      // It is written; what could not be done is to make use of that.
      this.#fail(error);
    }
  }

  #fail(error: unknown, write?: JoinedWrite): void {
    this.end(error);
    this.#owner.failed(error, write);
  }

  #confirmed(confirmed: Place): void {
    confirmed.state = 'confirmed';
    this.#bytes -= confirmed.write.byteCount;
    for (const place of this.#places) place.after.delete(confirmed);
    this.#passOn();
    this.#sendMore();
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
    this.#changed.promise.catch(() => undefined);
    if (this.isEmpty) this.#owner.emptied();
  }

  /** Checkpoints leave with the last of what stands before them. */
  #passOn(): void {
    const open = this.#places.findIndex(({ state }) => state !== 'confirmed');
    const done = this.#places.splice(0, open < 0 ? this.#places.length : open);
    const checkpoint = done.findLast((place) => place.checkpoint !== undefined)?.checkpoint;
    if (checkpoint !== undefined) this.#owner.confirmed(checkpoint);
    const [oldest] = this.#places;
    if (oldest !== undefined && done.length > 0) this.#owner.reached(oldest.write.firstTick);
  }

  #whenChanged(): Promise<void> {
    return orAborted(this.#changed.promise, this.#signal);
  }

  #assertOpen(): void {
    if (this.#end !== undefined) throw this.#end.error;
    this.#signal.throwIfAborted();
  }
}

/** Whether the write must not be sent before the earlier one is confirmed. */
const mustWait = (write: JoinedWrite, earlier: Place): boolean =>
  earlier.state !== 'confirmed' && !write.isApartFrom(earlier.write);
