import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { WalRecord } from '../../../../electron/engine/codec/records.ts';
import type { LogEntry } from '../../../../electron/engine/task/log-entry.ts';
import { TickAssembler, type TickBatch } from '../../../../electron/engine/task/tick-assembler.ts';
import { asVChannel } from '../../../../shared/model/ids.ts';
import { asOrdinal } from '../../../../shared/model/position.ts';
import { asTimeTick } from '../../../../shared/time/time-tick.ts';

const A = asVChannel('dml_0_1v0');
const B = asVChannel('dml_0_2v0');
const ord = (value: number) => asOrdinal(BigInt(value));
const at = (value: number) => asTimeTick(BigInt(value));

interface EntryShape {
  readonly ordinal: number;
  readonly tick: number;
  readonly kind?: WalRecord['kind'];
  readonly id?: number;
}

const entry = ({ ordinal, tick, kind = 'insert', id = 0 }: EntryShape): LogEntry => ({
  ordinal: ord(ordinal),
  kind,
  messageId: BigInt(id),
  beginTick: at(tick),
  endTick: at(tick),
  content: undefined,
  rowCount: 1,
  heldBytes: 0,
  uses: 1,
});

function joined(...shards: readonly (readonly [typeof A, from: number, applied: number])[]): TickAssembler {
  const assembler = new TickAssembler('inc');
  for (const [vchannel, from, applied] of shards) assembler.join(vchannel, ord(from), at(applied));
  return assembler;
}

const ordinals = (batch: TickBatch | undefined): number[] => batch?.entries.map((each) => Number(each.ordinal)) ?? [];
const of = (batches: readonly TickBatch[], vchannel: typeof A) => batches.find((batch) => batch.vchannel === vchannel);

describe('the tick assembler', () => {
  test('hands messages on in the order of their timestamps, deletes before inserts', () => {
    const assembler = joined([A, 1, 0]);
    assembler.push(A, entry({ ordinal: 1, tick: 30 }));
    assembler.push(A, entry({ ordinal: 2, tick: 20 }));
    assembler.push(A, entry({ ordinal: 3, tick: 20, kind: 'delete' }));
    assembler.push(A, entry({ ordinal: 4, tick: 10, kind: 'delete' }));
    const { batches } = assembler.tick(ord(5), at(30));
    expect(ordinals(of(batches, A))).toEqual([4, 3, 2, 1]);
  });

  test('resumes at the tick when nothing stays behind it', () => {
    const assembler = joined([A, 1, 0]);
    assembler.push(A, entry({ ordinal: 1, tick: 10 }));
    const { batches } = assembler.tick(ord(2), at(10));
    expect(of(batches, A)?.checkpoint).toEqual({
      resume: { kind: 'at', ordinal: 2n, incarnation: 'inc' },
      tick: 10n,
    });
  });

  test('keeps what is above the tick, and resumes at the oldest of it', () => {
    const assembler = joined([A, 1, 0]);
    assembler.push(A, entry({ ordinal: 1, tick: 15 }));
    assembler.push(A, entry({ ordinal: 2, tick: 5 }));
    assembler.push(A, entry({ ordinal: 3, tick: 25 }));
    const first = of(assembler.tick(ord(4), at(10)).batches, A);
    expect(ordinals(first)).toEqual([2]);
    expect(first?.checkpoint).toMatchObject({ resume: { ordinal: 1n }, tick: 10n });
    const second = of(assembler.tick(ord(5), at(20)).batches, A);
    expect(ordinals(second)).toEqual([1]);
    expect(second?.checkpoint).toMatchObject({ resume: { ordinal: 3n }, tick: 20n });
  });

  test('drops a message whose id repeats inside one tick, and hands it back to be freed', () => {
    const assembler = joined([A, 1, 0]);
    assembler.push(A, entry({ ordinal: 1, tick: 5, id: 7 }));
    assembler.push(A, entry({ ordinal: 2, tick: 5, id: 7 }));
    assembler.push(A, entry({ ordinal: 3, tick: 5, id: 7, kind: 'delete' }));
    assembler.push(A, entry({ ordinal: 4, tick: 5, id: 0 }));
    assembler.push(A, entry({ ordinal: 5, tick: 5, id: 0 }));
    const { batches, repeated } = assembler.tick(ord(6), at(10));
    expect(ordinals(of(batches, A))).toEqual([3, 1, 4, 5]);
    expect(repeated.map(({ ordinal }) => ordinal)).toEqual([2n]);
  });

  test('does not move on a tick that is read again', () => {
    const assembler = joined([A, 1, 10]);
    expect(assembler.push(A, entry({ ordinal: 3, tick: 10 }))).toBe(false);
    expect(assembler.tick(ord(4), at(10)).batches).toEqual([]);
    expect(assembler.lastTick).toBe(10n);
  });

  test('discards per shard what the shard has applied, never per channel', () => {
    const assembler = joined([A, 1, 20], [B, 1, 5]);
    expect(assembler.push(A, entry({ ordinal: 1, tick: 10 }))).toBe(false);
    expect(assembler.push(B, entry({ ordinal: 2, tick: 10 }))).toBe(true);
    const { batches } = assembler.tick(ord(3), at(15));
    expect(of(batches, A)).toBeUndefined();
    expect(ordinals(of(batches, B))).toEqual([2]);
  });

  test('gives a shard nothing from before its own beginning', () => {
    const assembler = joined([A, 5, 0], [B, 1, 0]);
    expect(assembler.push(A, entry({ ordinal: 2, tick: 10 }))).toBe(false);
    const { batches } = assembler.tick(ord(3), at(12));
    expect(of(batches, A)).toBeUndefined();
    expect(of(batches, B)).toBeDefined();
  });

  test('takes in a shard that joins while the channel is read', () => {
    const assembler = joined([A, 1, 0]);
    assembler.tick(ord(2), at(10));
    assembler.join(B, ord(3), at(11));
    expect(assembler.push(B, entry({ ordinal: 3, tick: 12, kind: 'createCollection' }))).toBe(true);
    expect(ordinals(of(assembler.tick(ord(4), at(12)).batches, B))).toEqual([3]);
  });

  test('returns what was waiting when a shard leaves, and knows it no more', () => {
    const assembler = joined([A, 1, 0]);
    assembler.push(A, entry({ ordinal: 1, tick: 10 }));
    expect(assembler.leave(A).map(({ ordinal }) => ordinal)).toEqual([1n]);
    expect(assembler.push(A, entry({ ordinal: 2, tick: 10 }))).toBe(false);
    expect(assembler.tick(ord(3), at(10)).batches).toEqual([]);
  });

  test('from every checkpoint a second reading hands on exactly what is missing', () => {
    const message = fc.record({ isTick: fc.boolean(), ahead: fc.integer({ min: 1, max: 6 }) });
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 40 }), fc.nat(), (steps, pick) => {
        // A log in which every message is later than the tick before it, as Milvus promises.
        let tick = 0;
        const log = steps.map((step, index) => {
          const value = tick + step.ahead;
          if (step.isTick) tick = value;
          return { ordinal: index + 1, tick: value, isTick: step.isTick };
        });
        const read = (from: number, applied: number) => {
          const assembler = joined([A, from, applied]);
          return log.slice(from - 1).flatMap((each) => {
            if (each.isTick) return assembler.tick(ord(each.ordinal), at(each.tick)).batches;
            assembler.push(A, entry(each));
            return [];
          });
        };
        const whole = read(1, 0);
        if (whole.length === 0) return;
        const cut = pick % whole.length;
        const { checkpoint } = whole[cut] ?? { checkpoint: undefined };
        if (checkpoint === undefined) return;
        const rest = read(Number(checkpoint.resume.ordinal), Number(checkpoint.tick));
        expect(rest.flatMap(ordinals)).toEqual(whole.slice(cut + 1).flatMap(ordinals));
        for (const [index, batch] of whole.entries()) {
          const before = whole[index - 1]?.checkpoint;
          if (before === undefined) continue;
          expect(batch.checkpoint.resume.ordinal >= before.resume.ordinal).toBe(true);
          expect(batch.checkpoint.tick > before.tick).toBe(true);
        }
      }),
    );
  });
});
