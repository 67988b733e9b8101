import { beforeEach, describe, expect, it } from 'vitest';
import { keptSince } from '../../../../electron/engine/jobs/kept-since.ts';
import { asPChannel } from '../../../../shared/model/ids.ts';
import { timeTickFromMs } from '../../../../shared/time/time-tick.ts';
import { MemoryWal } from '../../../support/memory-wal.ts';
import { buildTick } from '../../../support/wal-builder.ts';

const BEGAN_MS = 1_700_000_000_000;
const signal = new AbortController().signal;
let wal: MemoryWal;

/** Ticks of each second from one to another. */
function addChannel(index: number, from: number, to: number): void {
  const channel = asPChannel(`dml_${index}`);
  wal.addChannel(channel);
  for (let second = from; second <= to; second += 1) {
    wal.append(channel, buildTick(timeTickFromMs(BEGAN_MS + second * 1_000)));
  }
}

beforeEach(() => {
  wal = new MemoryWal();
});

describe('from when on a log keeps every change', () => {
  it('is its beginning while nothing was removed, however late some channel was first used', async () => {
    addChannel(0, 10, 90);
    addChannel(1, 50, 90);
    wal.addOperationChannel(asPChannel('replicate-msg'));
    expect(await keptSince(wal, signal)).toEqual({
      oldestMs: BEGAN_MS + 10_000,
      perChannel: [
        { channel: 'dml_0', oldestMs: BEGAN_MS + 10_000 },
        { channel: 'dml_1', oldestMs: BEGAN_MS + 50_000 },
      ],
    });
  });

  it('is the latest beginning of the channels that have lost theirs', async () => {
    for (const index of [0, 1, 2]) addChannel(index, 10, 90);
    wal.expire(asPChannel('dml_0'), 21n);
    wal.expire(asPChannel('dml_1'), 41n);
    expect(await keptSince(wal, signal)).toMatchObject({ oldestMs: BEGAN_MS + 50_000 });
  });

  it('is not known of a log that keeps nothing', async () => {
    addChannel(0, 1, 0);
    expect(await keptSince(wal, signal)).toEqual({ perChannel: [{ channel: 'dml_0' }] });
  });

  it('is found while the log is being removed', async () => {
    addChannel(0, 10, 90);
    const bounds = wal.bounds.bind(wal);
    let asked = 0;
    wal.bounds = async (channel) => {
      const found = await bounds(channel);
      if ((asked += 1) === 1) wal.expire(channel, 31n);
      return found;
    };
    expect(await keptSince(wal, signal)).toMatchObject({ oldestMs: BEGAN_MS + 40_000 });
  });
});
