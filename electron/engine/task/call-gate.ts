/**
 * Calls of one collection go through here. While its copy is being renamed none is under way: one that was sent under the old
 * name might land after that name is another collection's.
 */
import { Conditions } from '../runtime/waiting.ts';

export class CallGate {
  readonly #conditions = new Conditions();
  #inside = 0;
  #isClosed = false;

  /** Resolves when the gate is open. To be disposed when the call has ended. */
  async enter(signal: AbortSignal): Promise<Disposable> {
    await this.#conditions.until(() => !this.#isClosed, signal);
    this.#inside += 1;
    return {
      [Symbol.dispose]: () => {
        this.#inside -= 1;
        this.#conditions.changed();
      },
    };
  }

  /** Resolves when nothing is inside any more, and nothing enters before it is disposed. */
  async close(signal: AbortSignal): Promise<Disposable> {
    await this.#conditions.until(() => !this.#isClosed, signal);
    this.#isClosed = true;
    const open = (): void => {
      this.#isClosed = false;
      this.#conditions.changed();
    };
    try {
      await this.#conditions.until(() => this.#inside === 0, signal);
    } catch (error) {
      open();
      throw error;
    }
    return { [Symbol.dispose]: open };
  }
}
