import { describe, expect, test } from 'vitest';
import { WriteSlots } from '../../../../electron/engine/task/write-slots.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const never = new AbortController().signal;

/** Calls that ask for a slot; those that have it, by name. */
class Asked {
  readonly begun: string[] = [];
  readonly #slots = new WriteSlots(3, 100);
  readonly #releases = new Map<string, () => void>();

  async ask(name: string, byteCount: number, signal = never): Promise<void> {
    void this.#slots.take(byteCount, signal).then(
      (release) => {
        this.begun.push(name);
        this.#releases.set(name, release);
      },
      () => undefined,
    );
    await turn();
  }

  async end(name: string): Promise<void> {
    const release = this.#releases.get(name);
    release?.();
    // Once is enough.
    release?.();
    await turn();
  }
}

describe('the slots of a target', () => {
  test('are given to as many calls as may be', async () => {
    const asked = new Asked();
    for (const name of ['a', 'b', 'c', 'd', 'e']) await asked.ask(name, 1);
    expect(asked.begun).toEqual(['a', 'b', 'c']);
    await asked.end('b');
    expect(asked.begun).toEqual(['a', 'b', 'c', 'd']);
  });

  test('are given to as many bytes as may be, in the order of asking', async () => {
    const asked = new Asked();
    await asked.ask('a', 60);
    await asked.ask('b', 60);
    await asked.ask('small', 10);
    expect(asked.begun).toEqual(['a']);
    await asked.end('a');
    expect(asked.begun).toEqual(['a', 'b', 'small']);
  });

  test('are all for one call that is larger than the room', async () => {
    const asked = new Asked();
    await asked.ask('a', 1);
    await asked.ask('huge', 1_000);
    await asked.ask('b', 1);
    expect(asked.begun).toEqual(['a']);
    await asked.end('a');
    expect(asked.begun).toEqual(['a', 'huge']);
    await asked.end('huge');
    expect(asked.begun).toEqual(['a', 'huge', 'b']);
  });

  test('are not waited for any more when the signal aborts, and those behind go on', async () => {
    const asked = new Asked();
    const stop = new AbortController();
    await asked.ask('a', 60);
    await asked.ask('b', 60, stop.signal);
    await asked.ask('c', 10);
    stop.abort(new Error('stopped'));
    await turn();
    expect(asked.begun).toEqual(['a', 'c']);
    await expect(new WriteSlots().take(1, stop.signal)).rejects.toThrow('stopped');
  });
});
