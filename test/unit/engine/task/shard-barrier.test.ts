import { describe, expect, test, vi } from 'vitest';
import { ShardBarriers } from '../../../../electron/engine/task/shard-barrier.ts';
import { asVChannel, type VChannel } from '../../../../shared/model/ids.ts';
import { TIME_TICK_ZERO, asTimeTick, type TimeTick } from '../../../../shared/time/time-tick.ts';

const [A, B, C] = [asVChannel('a'), asVChannel('b'), asVChannel('c')];
const at = (value: number): TimeTick => asTimeTick(BigInt(value));

function barriers(...shards: VChannel[]) {
  const progress = new Map<VChannel, TimeTick>();
  const made = new ShardBarriers(shards, (vchannel) => progress.get(vchannel) ?? TIME_TICK_ZERO);
  return { made, progress };
}

describe('shard barriers', () => {
  test('run the action once, when every shard has arrived', async () => {
    const { made } = barriers(A, B);
    const action = vi.fn(() => Promise.resolve());
    const first = made.arrive('drop', at(5), A, action);
    expect(action).not.toHaveBeenCalled();
    expect(made.awaited()).toEqual([B]);
    const second = made.arrive('drop', at(5), B, action);
    await Promise.all([first, second]);
    expect(action).toHaveBeenCalledTimes(1);
    expect(made.awaited()).toBeUndefined();
  });

  test('count a shard that is past them without having met them', async () => {
    const { made, progress } = barriers(A, B);
    const action = vi.fn(() => Promise.resolve());
    const waiting = made.arrive('drop', at(5), A, action);
    progress.set(B, at(4));
    made.progressed();
    expect(action).not.toHaveBeenCalled();
    progress.set(B, at(5));
    made.progressed();
    await waiting;
    expect(action).toHaveBeenCalledTimes(1);
  });

  test('wait for a shard that has not been met at all', () => {
    const { made } = barriers(A, B, C);
    const action = vi.fn(() => Promise.resolve());
    void made.arrive('drop', at(5), A, action);
    void made.arrive('drop', at(5), B, action);
    made.progressed();
    expect(action).not.toHaveBeenCalled();
    expect(made.awaited()).toEqual([C]);
  });

  test('let a late shard wait for the action that is already under way', async () => {
    const { made, progress } = barriers(A, B);
    const going = Promise.withResolvers<void>();
    const action = vi.fn(() => going.promise);
    progress.set(B, at(5));
    const first = made.arrive('drop', at(5), A, action);
    const second = made.arrive('drop', at(5), B, action);
    going.resolve();
    await Promise.all([first, second]);
    expect(action).toHaveBeenCalledTimes(1);
  });

  test('tell everyone who waits that the action failed, and can be met again', async () => {
    const { made } = barriers(A, B);
    const first = made.arrive('drop', at(5), A, () => Promise.reject(new Error('refused')));
    const second = made.arrive('drop', at(5), B, () => Promise.resolve());
    await expect(first).rejects.toThrow('refused');
    await expect(second).rejects.toThrow('refused');
    const again = Promise.all([A, B].map((shard) => made.arrive('drop', at(5), shard, () => Promise.resolve())));
    await expect(again).resolves.toBeDefined();
  });

  test('of different keys do not wait for each other', async () => {
    const { made } = barriers(A, B);
    const done: string[] = [];
    const act = (name: string) => () => Promise.resolve(void done.push(name));
    void made.arrive('collection', at(9), A, act('collection'));
    await Promise.all([
      made.arrive('partition', at(5), A, act('partition')),
      made.arrive('partition', at(5), B, act('')),
    ]);
    expect(done).toEqual(['partition']);
  });
});
