import { describe, expect, test } from 'vitest';
import { HeadroomMeter, type HeadroomMeasurement } from '../../../../electron/engine/task/headroom.ts';
import type { ChannelRetention } from '../../../../electron/engine/source/wal/wal.ts';
import { asOrdinal } from '../../../../shared/model/position.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const BEGAN_MS = 1_700_000_000_000;
const NO_LIMITS: ChannelRetention = {
  ageMsMax: undefined,
  bytesMax: undefined,
  messagesMax: undefined,
  bytesUsed: undefined,
};

interface Moment {
  /** From the beginning. */
  readonly afterMs: number;
  readonly earliest: number;
  readonly latest: number;
  readonly needed: number;
  /** How old what is needed is; not known unless given. */
  readonly neededAgeMs?: number;
}

function forecast(retention: Partial<ChannelRetention> | undefined, ...moments: Moment[]) {
  const meter = new HeadroomMeter();
  let last: ReturnType<HeadroomMeter['measure']> | undefined;
  for (const { afterMs, earliest, latest, needed, neededAgeMs } of moments) {
    const at = BEGAN_MS + afterMs;
    const measurement: HeadroomMeasurement = {
      at,
      bounds: {
        incarnation: 'made-1',
        earliest: asOrdinal(BigInt(earliest)),
        latest: asOrdinal(BigInt(latest)),
      },
      retention: retention === undefined ? undefined : { ...NO_LIMITS, ...retention },
      needed: BigInt(needed),
      neededMs: neededAgeMs === undefined ? undefined : at - neededAgeMs,
    };
    last = meter.measure(measurement);
  }
  return last;
}

describe('where the log keeps messages for a time', () => {
  const limit = { ageMsMax: 72 * HOUR_MS };

  test('there is no end in sight while the distance stays', () => {
    const steady = { earliest: 1, latest: 1_000, needed: 999, neededAgeMs: 300 };
    expect(
      forecast(limit, { afterMs: 0, ...steady }, { afterMs: MINUTE_MS, ...steady, neededAgeMs: 450 }),
    ).toMatchObject({ leftMs: null, level: 'ok', keptUntilMs: BEGAN_MS + MINUTE_MS + 72 * HOUR_MS - 450 });
  });

  test('a task that stands still has what is left of it', () => {
    const standing = { earliest: 1, latest: 9_000, needed: 500 };
    const moments = [
      { afterMs: 0, ...standing, neededAgeMs: 40 * HOUR_MS },
      { afterMs: MINUTE_MS, ...standing, neededAgeMs: 40 * HOUR_MS + MINUTE_MS },
    ];
    const left = forecast(limit, ...moments);
    expect(left).toMatchObject({ leftMs: 32 * HOUR_MS - MINUTE_MS, level: 'ok' });
    expect(left?.keptUntilMs).toBe(BEGAN_MS + 32 * HOUR_MS);
  });

  test('a task that falls behind at half speed has twice as much', () => {
    const moments = [
      { afterMs: 0, earliest: 1, latest: 9_000, needed: 500, neededAgeMs: 40 * HOUR_MS },
      { afterMs: 2 * MINUTE_MS, earliest: 1, latest: 9_500, needed: 700, neededAgeMs: 40 * HOUR_MS + MINUTE_MS },
    ];
    expect(forecast(limit, ...moments)?.leftMs).toBe(2 * (32 * HOUR_MS - MINUTE_MS));
  });

  test.each([
    [30, 'ok'],
    [50, 'low'],
    [67, 'critical'],
  ] as const)('at an age of %i of 72 hours the level is %s, also while it catches up', (hours, level) => {
    const moments = [
      { afterMs: 0, earliest: 1, latest: 9_000, needed: 500, neededAgeMs: hours * HOUR_MS },
      { afterMs: MINUTE_MS, earliest: 1, latest: 9_100, needed: 900, neededAgeMs: hours * HOUR_MS - MINUTE_MS },
    ];
    expect(forecast(limit, ...moments)).toMatchObject({ leftMs: null, level });
  });

  test('of a log that keeps a minute, a second of standing still is no danger yet, and half a minute is', () => {
    const minute = { ageMsMax: MINUTE_MS };
    const standing = { earliest: 1, latest: 100, needed: 90 };
    const at = (ms: number) => ({ afterMs: ms, ...standing, neededAgeMs: ms });
    expect(forecast(minute, at(0), at(5_000))).toMatchObject({ leftMs: 55_000, level: 'ok' });
    expect(forecast(minute, at(0), at(35_000))).toMatchObject({ leftMs: 25_000, level: 'critical' });
  });

  test('nothing is in danger that has not been written yet', () => {
    expect(forecast(limit, { afterMs: 0, earliest: 501, latest: 500, needed: 501 })).toEqual({
      leftMs: null,
      level: 'ok',
    });
  });

  test('what is removed already is said as nothing left', () => {
    expect(forecast(limit, { afterMs: 0, earliest: 600, latest: 900, needed: 599 })).toMatchObject({
      leftMs: 0,
      level: 'critical',
    });
  });
});

describe('where the log keeps so much', () => {
  test('the end comes when as much has been written as there is room for', () => {
    // 1,000 messages take 100 of 400 bytes: there is room for 4,000. 100 are written a minute, and none confirmed.
    const limit = { bytesMax: 400, bytesUsed: 100 };
    const left = forecast(
      limit,
      { afterMs: 0, earliest: 1, latest: 900, needed: 801 },
      { afterMs: MINUTE_MS, earliest: 1, latest: 1_000, needed: 801 },
    );
    expect(left).toMatchObject({ leftMs: 38 * MINUTE_MS, level: 'ok' });
  });

  test('a task that keeps up is safe however full the log is', () => {
    const limit = { messagesMax: 1_000 };
    const left = forecast(
      limit,
      { afterMs: 0, earliest: 1_001, latest: 2_000, needed: 1_999 },
      { afterMs: MINUTE_MS, earliest: 1_101, latest: 2_100, needed: 2_099 },
    );
    expect(left).toMatchObject({ leftMs: null, level: 'ok' });
  });
});

describe('where the broker does not tell', () => {
  test('it is judged by how fast the beginning of the log has come nearer', () => {
    const left = forecast(
      undefined,
      { afterMs: 0, earliest: 1_000, latest: 9_000, needed: 5_000 },
      { afterMs: MINUTE_MS, earliest: 1_200, latest: 9_200, needed: 5_100 },
    );
    expect(left).toMatchObject({ leftMs: 39 * MINUTE_MS, level: 'ok' });
  });

  test('a log that has never lost anything is in no danger', () => {
    const standing = { earliest: 1, latest: 9_000, needed: 2 };
    expect(forecast(undefined, { afterMs: 0, ...standing }, { afterMs: MINUTE_MS, ...standing })).toMatchObject({
      leftMs: null,
      level: 'ok',
    });
  });

  test('what lies near the beginning of a log that loses messages is in danger', () => {
    const left = forecast(
      undefined,
      { afterMs: 0, earliest: 4_000, latest: 9_000, needed: 4_100 },
      { afterMs: MINUTE_MS, earliest: 4_050, latest: 9_000, needed: 4_100 },
    );
    expect(left).toMatchObject({ leftMs: MINUTE_MS, level: 'critical' });
  });
});

test('a log that was made anew is measured anew', () => {
  const meter = new HeadroomMeter();
  const of = (at: number, incarnation: string, earliest: bigint, needed: bigint) =>
    meter.measure({
      at,
      bounds: { incarnation, earliest: asOrdinal(earliest), latest: asOrdinal(100n) },
      retention: undefined,
      needed,
      neededMs: undefined,
    });
  of(0, 'one', 50n, 60n);
  expect(of(1_000, 'two', 2n, 60n)).toEqual({ leftMs: null, level: 'ok' });
});
