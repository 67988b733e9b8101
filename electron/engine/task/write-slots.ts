/**
 * How much the target is given to do at once, over all shards and collections of a task: it is not faster with more, only
 * later with each. Whoever asks first is served first; a shard has few writes at a time, so that none waits for more than
 * one turn of all the others.
 */

/** Small calls wait for the target's own log more than for its processors. */
const CALLS_AT_ONCE_MAX = 8;
/**
 * Four calls of 1,000 rows of 128 floats: one target process is as fast with two of them, and with eight slower by a third
 * (2.3.5 on two cores); one that is 20 ms away gets 100 MB/s so.
 */
const BYTES_AT_ONCE_MAX = 2 * 1024 * 1024;

interface Asking {
  readonly byteCount: number;
  readonly begin: () => void;
}

export class WriteSlots {
  readonly #callsMax: number;
  readonly #bytesMax: number;
  readonly #waiting: Asking[] = [];
  #calls = 0;
  #bytes = 0;

  constructor(callsMax: number = CALLS_AT_ONCE_MAX, bytesMax: number = BYTES_AT_ONCE_MAX) {
    this.#callsMax = callsMax;
    this.#bytesMax = bytesMax;
  }

  /**
   * Resolves when it is the turn of a call with so many bytes, which lasts until what is given is called. One that is larger
   * than all the room goes alone. Rejects as the signal aborts.
   */
  async take(byteCount: number, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#waiting.length === 0 && this.#hasRoomFor(byteCount)) this.#occupy(byteCount);
    else await this.#turn(byteCount, signal);
    let isHeld = true;
    return () => {
      if (isHeld) this.#release(byteCount);
      isHeld = false;
    };
  }

  #turn(byteCount: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const asking: Asking = {
        byteCount,
        begin: () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(asking), 1);
        // It may have stood in the way of smaller ones.
        this.#beginNext();
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(asking);
    });
  }

  #release(byteCount: number): void {
    this.#calls -= 1;
    this.#bytes -= byteCount;
    this.#beginNext();
  }

  #beginNext(): void {
    for (let [next] = this.#waiting; next !== undefined && this.#hasRoomFor(next.byteCount); [next] = this.#waiting) {
      this.#waiting.shift();
      this.#occupy(next.byteCount);
      next.begin();
    }
  }

  #hasRoomFor(byteCount: number): boolean {
    return this.#calls === 0 || (this.#calls < this.#callsMax && this.#bytes + byteCount <= this.#bytesMax);
  }

  #occupy(byteCount: number): void {
    this.#calls += 1;
    this.#bytes += byteCount;
  }
}
