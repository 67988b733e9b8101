import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CheckpointTracker } from '../../../../electron/engine/task/checkpoint-tracker.ts';
import { asPChannel, asVChannel } from '../../../../shared/model/ids.ts';
import { asOrdinal, type Checkpoint } from '../../../../shared/model/position.ts';
import type { CheckpointUpdate, TaskStore } from '../../../../shared/model/task-state.ts';
import { asTimeTick } from '../../../../shared/time/time-tick.ts';

const checkpoint = (tick: number): Checkpoint => ({
  resume: { kind: 'at', ordinal: asOrdinal(BigInt(tick)), incarnation: 'inc' },
  tick: asTimeTick(BigInt(tick)),
});
const shard = asVChannel('dml_0_1v0');
const channel = asPChannel('dml_0');

function tracking(save: (update: CheckpointUpdate) => void = () => undefined) {
  const saved: { epoch: number; shards: number[]; channels: number[] }[] = [];
  const failed = vi.fn();
  const store: Pick<TaskStore, 'saveCheckpoints'> = {
    saveCheckpoints: (epoch, update) => {
      save(update);
      const ticks = (of: ReadonlyMap<unknown, Checkpoint>): number[] =>
        [...of.values()].map(({ tick }) => Number(tick));
      saved.push({ epoch, shards: ticks(update.shards), channels: ticks(update.channels) });
    },
  };
  return { tracker: new CheckpointTracker(store as TaskStore, 3, failed), saved, failed };
}

describe('the checkpoint tracker', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  test('stores what was confirmed meanwhile together, the last of each', () => {
    const { tracker, saved } = tracking();
    tracker.confirmShard(shard, checkpoint(1));
    tracker.confirmShard(shard, checkpoint(2));
    tracker.confirmChannel(channel, checkpoint(3));
    expect(saved).toEqual([]);
    vi.runAllTimers();
    expect(saved).toEqual([{ epoch: 3, shards: [2], channels: [3] }]);
    vi.runAllTimers();
    expect(saved).toHaveLength(1);
    tracker.confirmShard(shard, checkpoint(4));
    vi.runAllTimers();
    expect(saved[1]).toEqual({ epoch: 3, shards: [4], channels: [] });
  });

  test('stores at once when it is told to, and then has nothing left', () => {
    const { tracker, saved } = tracking();
    tracker.flush();
    expect(saved).toEqual([]);
    tracker.confirmShard(shard, checkpoint(1));
    tracker.flush();
    vi.runAllTimers();
    expect(saved).toHaveLength(1);
  });

  test('tells of a store that refuses, and keeps what it could not store', () => {
    let isFull = true;
    const { tracker, saved, failed } = tracking(() => {
      if (isFull) throw new Error('disk full');
    });
    tracker.confirmShard(shard, checkpoint(1));
    vi.runAllTimers();
    expect(failed).toHaveBeenCalledWith(expect.objectContaining({ message: 'disk full' }));
    isFull = false;
    tracker.flush();
    expect(saved).toEqual([{ epoch: 3, shards: [1], channels: [] }]);
  });

  test('touches the store no more once it is closed', () => {
    const { tracker, saved } = tracking();
    tracker.confirmShard(shard, checkpoint(1));
    tracker.close();
    tracker.confirmShard(shard, checkpoint(2));
    vi.runAllTimers();
    expect(saved).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
