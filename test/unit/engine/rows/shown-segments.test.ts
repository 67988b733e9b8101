/** When queries show what was imported. */
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { asPartitionId } from '../../../../shared/model/ids.ts';
import { whenShown, type SegmentCalls } from '../../../../electron/engine/source/rows/shown-segments.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  vi.setTimerTickMode('nextTimerAsync');
  onTestFinished(() => void vi.useRealTimers());
});

const FLUSHED = 4;
const IMPORTING = 7;
const PARTITION = 70n;
const imported = { database: 'default', collection: 'a', partitions: [asPartitionId(PARTITION)], segments: [1n, 2n] };

interface Look {
  readonly stored: readonly (readonly [id: number, state?: number, rows?: number, partition?: bigint])[];
  readonly shown: readonly number[];
}

/** Answers with one look after the other, the last one again and again. */
function server(...looks: readonly Look[]) {
  let at = -1;
  const state = { looks: 0 };
  const answer = (name: string): unknown => {
    if (name === 'GetPersistentSegmentInfo') {
      at = Math.min(at + 1, looks.length - 1);
      state.looks += 1;
      const infos = (looks[at]?.stored ?? []).map(([id, segmentState = FLUSHED, rows = 10, partition = PARTITION]) => ({
        segmentID: String(id),
        partitionID: String(partition),
        numRows: String(rows),
        state: segmentState,
      }));
      return { infos };
    }
    return { infos: (looks[at]?.shown ?? []).map((id) => ({ segmentID: String(id) })) };
  };
  const rpc = { call: (name: string) => Promise.resolve(answer(name)) } as unknown as SegmentCalls;
  return { rpc, state };
}

const signal = new AbortController().signal;

describe('what was imported is shown', () => {
  test('when queries answer from all that the imports have made', async () => {
    const { rpc, state } = server(
      { stored: [[1], [2]], shown: [] },
      { stored: [[1], [2]], shown: [1] },
      { stored: [[1], [2], [9]], shown: [2, 1] },
    );
    await whenShown(rpc, imported, signal);
    expect(state.looks).toBe(3);
  });

  test('when it was compacted and queries answer from all that there is', async () => {
    const { rpc, state } = server(
      { stored: [[1], [2]], shown: [8] },
      { stored: [[3], [8]], shown: [8] },
      { stored: [[3], [8]], shown: [8, 3] },
    );
    await whenShown(rpc, imported, signal);
    expect(state.looks).toBe(3);
  });

  test('when nothing names what was made: all that there is but what is empty, of another import, or of a dropped partition', async () => {
    const { rpc, state } = server(
      { stored: [[1]], shown: [] },
      { stored: [[1], [4, FLUSHED, 0], [5, IMPORTING], [6, FLUSHED, 10, 71n]], shown: [1] },
    );
    await whenShown(rpc, { ...imported, segments: [] }, signal);
    expect(state.looks).toBe(2);
  });

  test('or it is said that it takes long, to be asked again', async () => {
    const { rpc } = server({ stored: [[1], [2]], shown: [1] });
    await expect(whenShown(rpc, imported, signal)).rejects.toMatchObject({ code: 'notReady', side: 'source' });
  });
});
