/**
 * How much the readers of one connection may have on its way to them, together.
 *
 * The server ends a connection to which it has more than `max_pending` unsent, 64 MiB by default ("Slow Consumer
 * Detected", seen with Milvus 2.3.5). What it has begun to write counts until all of it is written
 * (nats-server 2.9.17, server/client.go, flushOutbound), by which time we may have asked for as much again. So half of
 * that is the most, and this stays below it. A reader that waits at the log's end holds its credit for as long as it
 * waits, which is why each has a share of its own instead of a turn.
 */

/** For all readers' ordinary requests. */
const SHARED_BYTES_MAX = 16 * 1024 * 1024;
/** Of one request; larger ones were measured not to be faster. */
const SHARE_BYTES_MAX = 1024 * 1024;
/** Below this a request would not hold a good number of small messages. */
const SHARE_BYTES_MIN = 16 * 1024;

export class NatsCredit {
  #readers = 0;
  #isTaken = false;
  readonly #waiting: ((giveBack: () => void) => void)[] = [];

  addReader(): void {
    this.#readers += 1;
  }

  removeReader(): void {
    this.#readers -= 1;
  }

  /** What one reader may ask for now, in bytes. */
  get share(): number {
    const share = Math.floor(SHARED_BYTES_MAX / Math.max(1, this.#readers));
    return Math.max(SHARE_BYTES_MIN, Math.min(SHARE_BYTES_MAX, share));
  }

  /**
   * Leave to ask for one message that is larger than a share, in turn, since the server may take it as large as
   * it likes (Milvus: 8 MiB). Such a message is known to be there, so nobody waits long.
   * @returns how to give the leave back; may be called twice.
   */
  takeTurn(signal: AbortSignal): Promise<() => void> {
    if (!this.#isTaken) {
      this.#isTaken = true;
      return Promise.resolve(this.#leave());
    }
    return new Promise((resolve, reject) => {
      const entry = (giveBack: () => void): void => {
        signal.removeEventListener('abort', onAbort);
        resolve(giveBack);
      };
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1);
        reject(signal.reason as Error);
      };
      this.#waiting.push(entry);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  #leave(): () => void {
    let isBack = false;
    return () => {
      if (isBack) return;
      isBack = true;
      const next = this.#waiting.shift();
      if (next === undefined) this.#isTaken = false;
      else next(this.#leave());
    };
  }
}
