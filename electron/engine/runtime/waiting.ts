/** Small pieces for waiting that every part of the engine shares. */

/** `promise`, or a rejection with the signal's reason as soon as it aborts. The promise itself goes on. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    // Nobody will hear of it any more, which is no reason to end the process.
    promise.catch(() => undefined);
    return Promise.reject(signal.reason as Error);
  }
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** Rejects with the signal's reason. On the global timer, which a simulation can take the place of. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  try {
    await orAborted(promise, signal);
  } finally {
    clearTimeout(timer);
  }
}

/** Waiters on conditions over changing state: each is asked again whenever `changed` is called. */
export class Conditions {
  readonly #waiters = new Set<{ isMet: () => boolean; resolve: () => void }>();

  /** Resolves when `isMet` answers yes; rejects with the signal's reason. */
  async until(isMet: () => boolean, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (isMet()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter = { isMet, resolve };
    this.#waiters.add(waiter);
    try {
      await orAborted(promise, signal);
    } finally {
      this.#waiters.delete(waiter);
    }
  }

  changed(): void {
    for (const waiter of this.#waiters) if (waiter.isMet()) waiter.resolve();
  }
}

/** Runs one thing after the other, in the order of asking. A failure is its caller's alone. */
export class SerialLane {
  #tail: Promise<unknown> = Promise.resolve();

  run<T>(body: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(body, body);
    this.#tail = result.catch(() => undefined);
    return result;
  }
}

/** A lane for each key. One that nobody waits in is not kept. */
export class SerialLanes {
  readonly #lanes = new Map<string, { readonly lane: SerialLane; running: number }>();

  async run<T>(key: string, body: () => Promise<T>): Promise<T> {
    const held = this.#lanes.get(key) ?? { lane: new SerialLane(), running: 0 };
    this.#lanes.set(key, held);
    held.running += 1;
    try {
      return await held.lane.run(body);
    } finally {
      held.running -= 1;
      if (held.running === 0) this.#lanes.delete(key);
    }
  }
}
