import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { firstOrdinal, proveStart } from '../../../../electron/engine/source/wal/continuity.ts';
import type { ChannelBounds } from '../../../../electron/engine/source/wal/wal.ts';
import { asPChannel } from '../../../../shared/model/ids.ts';
import { asOrdinal, ORDINAL_NONE } from '../../../../shared/model/position.ts';
import type { ResumePoint } from '../../../../shared/model/position.ts';

const channel = asPChannel('by-dev-rootcoord-dml_3');
const kept = (earliest: bigint, latest: bigint): ChannelBounds => ({
  incarnation: 'a',
  earliest: asOrdinal(earliest),
  latest: asOrdinal(latest),
});
const point = (kind: 'at' | 'after', ordinal: bigint, incarnation = 'a'): ResumePoint => ({
  kind,
  ordinal: asOrdinal(ordinal),
  incarnation,
});
const prove =
  (start: ResumePoint, bounds: ChannelBounds, lowest = 1n) =>
  (): void =>
    proveStart(channel, start, bounds, lowest);

describe('the proof that a reader may begin', () => {
  it('accepts exactly what is kept, and the place behind it', () => {
    fc.assert(
      fc.property(
        fc.bigInt(1n, 50n),
        fc.bigInt(0n, 50n),
        fc.bigInt(-2n, 110n),
        fc.constantFrom('at' as const, 'after' as const),
        (earliest, length, ordinal, kind) => {
          const bounds = kept(earliest, earliest + length - 1n);
          const start = point(kind, ordinal);
          const first = firstOrdinal(start, 1n);
          const isKept = first >= bounds.earliest && first <= bounds.latest;
          const isNext = kind === 'after' && first === bounds.latest + 1n;
          if (isKept || isNext) expect(prove(start, bounds)).not.toThrow();
          else expect(prove(start, bounds)).toThrow(expect.objectContaining({ code: 'positionLost', side: 'wal' }));
        },
      ),
    );
  });

  it('takes "after" what lies below everything as the very beginning, which must still be kept', () => {
    for (const lowest of [0n, 1n]) {
      expect(firstOrdinal(point('after', ORDINAL_NONE), lowest)).toBe(lowest);
      expect(prove(point('after', ORDINAL_NONE), kept(lowest, lowest + 9n), lowest)).not.toThrow();
      expect(prove(point('after', ORDINAL_NONE), kept(lowest, lowest - 1n), lowest)).not.toThrow();
      expect(prove(point('after', ORDINAL_NONE), kept(lowest + 1n, lowest + 9n), lowest)).toThrow(/removed/);
    }
  });

  it('refuses "at" what lies below everything', () => {
    expect(prove(point('at', ORDINAL_NONE), kept(1n, 5n))).toThrow(expect.objectContaining({ code: 'positionLost' }));
  });

  it('refuses the same ordinal in a log that was made again', () => {
    expect(prove(point('after', 3n, 'b'), kept(1n, 9n))).toThrow(/made again/);
  });

  it('names channel, position and what is kept', () => {
    expect(prove(point('at', 4n), kept(10n, 90n))).toThrow(
      'The position in the log of channel by-dev-rootcoord-dml_3 is lost: message 4 is wanted, which has been removed; ' +
        'the log keeps 10 to 90. Copy the data anew to go on.',
    );
    expect(prove(point('after', 91n), kept(91n, 90n))).toThrow(
      /message 91 is not in it.*keeps nothing and ended at 90/,
    );
  });
});
