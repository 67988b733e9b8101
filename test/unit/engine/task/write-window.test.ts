import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JoinedWrite } from '../../../../electron/engine/task/joined-write.ts';
import { WriteWindow } from '../../../../electron/engine/task/write-window.ts';
import { asOrdinal, type Checkpoint } from '../../../../shared/model/position.ts';
import { asTimeTick } from '../../../../shared/time/time-tick.ts';
import { deleting, inserting, insertingUnknown, rowsOf } from './write-pieces.ts';

const checkpoint = (tick: number): Checkpoint => ({
  resume: { kind: 'at', ordinal: asOrdinal(BigInt(tick)), incarnation: 'inc' },
  tick: asTimeTick(BigInt(tick)),
});
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** What is sent waits until it is answered. */
class Sent {
  readonly events: string[] = [];
  readonly open = new Map<string, PromiseWithResolvers<void>>();
  readonly stop = new AbortController();
  /** Thrown at what is told. */
  refusal: Error | undefined;
  readonly window = new WriteWindow(
    {
      release: (write) => void this.events.push(`released ${nameOf(write)}`),
      reached: (tick) => void this.events.push(`reached ${tick}`),
      confirmed: ({ tick }) => {
        if (this.refusal !== undefined) throw this.refusal;
        this.events.push(`confirmed ${tick}`);
      },
      emptied: () => void this.events.push('empty'),
      failed: (error, write) =>
        void this.events.push(`failed ${write === undefined ? '' : nameOf(write)}: ${(error as Error).message}`),
    },
    this.stop.signal,
  );

  async take(...writes: readonly JoinedWrite[]): Promise<void> {
    for (const write of writes) await this.window.take(write, (sent) => this.#send(sent));
  }

  /** Names of what is on its way. */
  get underWay(): string[] {
    return [...this.open.keys()];
  }

  async answer(name: string, error?: Error): Promise<void> {
    const answered = this.open.get(name);
    if (answered === undefined) throw new Error(`${name} is not on its way; ${this.underWay.join(', ')}`);
    this.open.delete(name);
    if (error === undefined) answered.resolve();
    else answered.reject(error);
    await turn();
  }

  #send(write: JoinedWrite): Promise<void> {
    const answered = Promise.withResolvers<void>();
    this.open.set(nameOf(write), answered);
    return answered.promise;
  }
}

const nameOf = (write: JoinedWrite): string =>
  `${write.call === 'delete' ? '-' : '+'}${
    write.call === 'delete'
      ? [...write.deletedKeys().values].join(',')
      : rowsOf(write.fields())
          .map((row) => row.split(':')[0])
          .join(',')
  }`;

/** Too large to be joined. */
const large = (...keys: number[]) => inserting(keys, { text: 'x'.repeat(1024 * 1024) });

describe('the window of writes', () => {
  test('sends writes of different keys side by side, as many as may be', async () => {
    const sent = new Sent();
    await sent.take(large(1), large(2), large(3), large(4), large(5));
    await turn();
    expect(sent.underWay).toEqual(['+1', '+2', '+3', '+4']);
    await sent.answer('+3');
    expect(sent.underWay).toEqual(['+1', '+2', '+4', '+5']);
  });

  test('sends a write that shares a key with an earlier one when that is confirmed, and others before it', async () => {
    const sent = new Sent();
    await sent.take(large(1, 7), deleting([7]), inserting([7]), inserting([8]));
    await turn();
    expect(sent.underWay).toEqual(['+1,7', '+8']);
    await sent.answer('+1,7');
    expect(sent.underWay).toEqual(['+8', '-7']);
    await sent.answer('-7');
    expect(sent.underWay).toEqual(['+8', '+7']);
  });

  test('gives a write of unknown keys the window for itself', async () => {
    const sent = new Sent();
    await sent.take(large(1), insertingUnknown(), large(2));
    await turn();
    expect(sent.underWay).toEqual(['+1']);
    await sent.answer('+1');
    expect(sent.underWay.length).toBe(1);
    await sent.answer(sent.underWay[0] ?? '');
    expect(sent.underWay).toEqual(['+2']);
  });

  test('joins what comes in one go', async () => {
    const sent = new Sent();
    await sent.take(inserting([1]), inserting([2]), deleting([8]), inserting([3]), deleting([9]));
    await turn();
    expect(sent.underWay).toEqual(['+1,2,3', '-8,9']);
  });

  test('joins nothing across a write that shares a key', async () => {
    const sent = new Sent();
    await sent.take(inserting([1]), deleting([1]), inserting([1]), inserting([2]));
    await turn();
    expect(sent.underWay).toEqual(['+1,2']);
    await sent.answer('+1,2');
    await sent.answer('-1');
    expect(sent.underWay).toEqual(['+1']);
  });

  test('lets a joined write wait for what any of its parts must wait for', async () => {
    const sent = new Sent();
    await sent.take(large(7), large(8));
    await turn();
    await sent.take(deleting([7]), deleting([8]));
    await sent.answer('+7');
    expect(sent.underWay).toEqual(['+8']);
    await sent.answer('+8');
    expect(sent.underWay).toEqual(['-7,8']);
  });

  test('does not tie a write that could go at once to one that has to wait', async () => {
    const sent = new Sent();
    await sent.take(large(7));
    await turn();
    await sent.take(deleting([7]), deleting([1]));
    await turn();
    expect(sent.underWay).toEqual(['+7', '-1']);
  });

  test('takes nothing more into a write that was sent', async () => {
    const sent = new Sent();
    await sent.take(inserting([1]));
    await turn();
    await sent.take(inserting([2]));
    await turn();
    expect(sent.underWay).toEqual(['+1', '+2']);
  });

  test('passes a checkpoint on when all before it is confirmed, not sooner', async () => {
    const sent = new Sent();
    await sent.take(large(1));
    sent.window.mark(checkpoint(10));
    await sent.take(inserting([2], { at: 12, text: 'x'.repeat(1024 * 1024) }));
    sent.window.mark(checkpoint(20));
    sent.window.mark(checkpoint(30));
    await turn();
    await sent.answer('+2');
    expect(sent.events).toEqual(['released +2']);
    await sent.answer('+1');
    expect(sent.events).toEqual(['released +2', 'released +1', 'confirmed 30', 'empty']);
  });

  test('says how far everything is confirmed inside of a batch', async () => {
    const sent = new Sent();
    await sent.take(large(1), inserting([2], { at: 12, text: 'x'.repeat(1024 * 1024) }));
    await turn();
    await sent.answer('+1');
    expect(sent.events).toEqual(['released +1', 'reached 12']);
  });

  test('passes a checkpoint on at once when nothing stands before it', () => {
    const sent = new Sent();
    sent.window.mark(checkpoint(10));
    expect(sent.events).toEqual(['confirmed 10']);
  });

  test('takes no more than may be open, and goes on when the oldest is confirmed', async () => {
    const sent = new Sent();
    for (let key = 0; key < 64; key += 1) await sent.take(inserting([key], { partition: `p${key}` }));
    const last = sent.take(inserting([64], { partition: 'p64' }));
    await turn();
    for (let key = 1; key < 64; key += 1) await sent.answer(`+${key}`);
    expect(sent.underWay).toEqual(['+0']);
    await sent.answer('+0');
    await last;
    await turn();
    expect(sent.underWay).toEqual(['+64']);
  });

  test('takes no more bytes than may be open, but always one write', async () => {
    const sent = new Sent();
    const huge = (key: number) => inserting([key], { text: 'x'.repeat(9 * 1024 * 1024) });
    await sent.take(huge(1));
    const second = sent.take(huge(2));
    await turn();
    expect(sent.underWay).toEqual(['+1']);
    await sent.answer('+1');
    await second;
    await turn();
    expect(sent.underWay).toEqual(['+2']);
  });

  test('sends nothing more after a failure, tells of it once, and lets everything go', async () => {
    const sent = new Sent();
    await sent.take(large(1), large(2), deleting([1]));
    sent.window.mark(checkpoint(10));
    const emptied = expect(sent.window.whenEmpty()).rejects.toThrow('refused');
    await turn();
    await sent.answer('+1', new Error('refused'));
    await emptied;
    await sent.answer('+2');
    expect(sent.events).toEqual(['released +1', 'released -1', 'failed +1: refused', 'released +2']);
    expect([sent.underWay, sent.window.isEmpty]).toEqual([[], false]);
    sent.window.mark(checkpoint(20));
    await expect(sent.take(inserting([5]))).rejects.toThrow('refused');
    expect(sent.events).not.toContain('confirmed 20');
  });

  test('ends when what it tells cannot be taken in', async () => {
    const sent = new Sent();
    await sent.take(large(1), deleting([1]));
    sent.window.mark(checkpoint(10));
    await turn();
    await sent.answer('+1');
    sent.refusal = new Error('disk full');
    await sent.answer('-1');
    expect(sent.events.slice(1)).toEqual(['reached 1', 'released -1', 'failed : disk full']);
    await expect(sent.take(inserting([5]))).rejects.toThrow('disk full');
  });

  test('lets go of what was not sent when it is ended, and of the rest when that ends', async () => {
    const sent = new Sent();
    await sent.take(large(1), deleting([1]));
    await turn();
    sent.window.end(new Error('stopped'));
    expect(sent.events).toEqual(['released -1']);
    await sent.answer('+1');
    expect(sent.events).toEqual(['released -1', 'released +1']);
  });

  test('sends nothing once its signal has aborted', async () => {
    const sent = new Sent();
    await sent.take(large(1), deleting([1]));
    await turn();
    sent.stop.abort(new Error('ended'));
    await sent.answer('+1');
    expect(sent.underWay).toEqual([]);
    await expect(sent.take(inserting([5]))).rejects.toThrow('ended');
  });

  test('ends with the same rows as one write after the other, whatever the order of the answers', async () => {
    const key = fc.integer({ min: 1, max: 6 });
    const change = fc.record({ isDelete: fc.boolean(), keys: fc.uniqueArray(key, { minLength: 1, maxLength: 3 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 12 }), fc.infiniteStream(fc.nat(7)), async (changes, picks) => {
        const rows = new Map<number, string[]>();
        const expected = new Map<number, string[]>();
        const apply = (to: Map<number, string[]>, write: JoinedWrite): void => {
          if (write.call === 'delete') for (const each of write.deletedKeys().values) to.delete(Number(each));
          else {
            for (const row of rowsOf(write.fields())) {
              const each = Number(row.split(':')[0]);
              to.set(each, [...(to.get(each) ?? []), row]);
            }
          }
        };
        const open: { readonly write: JoinedWrite; readonly answered: PromiseWithResolvers<void> }[] = [];
        const confirmedAt: number[] = [];
        const window = new WriteWindow(
          {
            release: () => undefined,
            reached: () => undefined,
            confirmed: ({ tick }) => void confirmedAt.push(Number(tick)),
            emptied: () => undefined,
            failed: (error) => {
              throw error;
            },
          },
          new AbortController().signal,
        );
        const answerOne = async (): Promise<void> => {
          await turn();
          const [at = 0] = picks;
          const [answered] = open.splice(at % Math.max(1, open.length), 1);
          if (answered === undefined) return;
          apply(rows, answered.write);
          answered.answered.resolve();
        };
        for (const [index, { isDelete, keys }] of changes.entries()) {
          const make = () =>
            isDelete ? deleting(keys, { at: index + 1 }) : inserting(keys, { at: index + 1, text: `${index}` });
          apply(expected, make());
          await window.take(make(), (write) => {
            const answered = Promise.withResolvers<void>();
            open.push({ write, answered });
            return answered.promise;
          });
          window.mark(checkpoint(index + 1));
          const [pick = 0] = picks;
          if (pick > 4) await answerOne();
        }
        while (!window.isEmpty) await answerOne();
        const sorted = (found: Map<number, string[]>) =>
          [...found].map(([each, held]) => [each, held.toSorted()]).toSorted();
        expect(sorted(rows)).toEqual(sorted(expected));
        expect(confirmedAt).toEqual(confirmedAt.toSorted((a, b) => a - b));
        if (changes.length > 0) expect(confirmedAt.at(-1)).toBe(changes.length);
      }),
      { numRuns: 200 },
    );
  });
});
