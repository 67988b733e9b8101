import { describe, expect, test } from 'vitest';
import type { LogEntry } from '../../../../electron/engine/task/log-entry.ts';
import { ShardLane, type LaneActivity, type LaneOwner } from '../../../../electron/engine/task/shard-lane.ts';
import { asVChannel } from '../../../../shared/model/ids.ts';
import { asOrdinal, type Checkpoint } from '../../../../shared/model/position.ts';
import { asTimeTick } from '../../../../shared/time/time-tick.ts';

const vchannel = asVChannel('dml_0_1v0');
const checkpoint = (tick: number): Checkpoint => ({
  resume: { kind: 'at', ordinal: asOrdinal(BigInt(tick)), incarnation: 'inc' },
  tick: asTimeTick(BigInt(tick)),
});
const entry = (tick: number): LogEntry => ({
  ordinal: asOrdinal(BigInt(tick)),
  kind: 'insert',
  messageId: 0n,
  beginTick: asTimeTick(BigInt(tick)),
  endTick: asTimeTick(BigInt(tick)),
  content: undefined,
  rowCount: 1,
  heldBytes: 1,
  uses: 1,
});
const batch = (tick: number, ...ticks: number[]) => ({
  vchannel,
  entries: ticks.map(entry),
  checkpoint: checkpoint(tick),
});
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

class Owner implements LaneOwner {
  readonly applied: number[] = [];
  readonly released: number[] = [];
  readonly confirmed: number[] = [];
  readonly activities: LaneActivity[] = [];
  failure: unknown;
  gate: (lane: ShardLane, entries: readonly LogEntry[]) => Promise<void> = () => Promise.resolve();

  async applyEntries(lane: ShardLane, entries: readonly LogEntry[]): Promise<void> {
    await this.gate(lane, entries);
    this.applied.push(...entries.map(({ ordinal }) => Number(ordinal)));
  }
  checkDoubtful(): Promise<void> {
    return Promise.resolve();
  }
  laneChanged(lane: ShardLane): void {
    if (this.activities.at(-1) !== lane.activity) this.activities.push(lane.activity);
  }
  laneConfirmed(lane: ShardLane): void {
    this.confirmed.push(Number(lane.confirmed.tick));
  }
  laneFailed(_lane: ShardLane, error: unknown): void {
    this.failure = error;
  }
  release(released: LogEntry): void {
    this.released.push(Number(released.ordinal));
  }
}

function lane(owner: Owner, signal = new AbortController().signal): ShardLane {
  return new ShardLane(owner, vchannel, checkpoint(1), asOrdinal(0n), signal);
}

describe('a shard lane', () => {
  test('confirms a tick without changes at once while it has nothing to do', () => {
    const owner = new Owner();
    lane(owner).enqueue(batch(5));
    expect(owner.confirmed).toEqual([5]);
  });

  test('applies one batch after the other and confirms each when it is done', async () => {
    const owner = new Owner();
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let next = 0;
    owner.gate = () => gates[next++]?.promise ?? Promise.resolve();
    const made = lane(owner);
    made.enqueue(batch(5, 3, 4));
    made.enqueue(batch(8, 7));
    await turn();
    expect([owner.applied, owner.confirmed]).toEqual([[], []]);
    gates[0]?.resolve();
    await turn();
    expect([owner.applied, owner.confirmed]).toEqual([[3, 4], [5]]);
    gates[1]?.resolve();
    await turn();
    expect([owner.applied, owner.confirmed]).toEqual([
      [3, 4, 7],
      [5, 8],
    ]);
    expect(made.activity).toBe('idle');
  });

  test('never confirms an empty tick before the work in front of it', async () => {
    const owner = new Owner();
    const gate = Promise.withResolvers<void>();
    owner.gate = () => gate.promise;
    const made = lane(owner);
    made.enqueue(batch(5, 3));
    made.enqueue(batch(6));
    made.enqueue(batch(7));
    await turn();
    expect(owner.confirmed).toEqual([]);
    gate.resolve();
    await turn();
    expect(owner.confirmed).toEqual([5, 7]);
  });

  test('shows progress inside a batch, and takes nothing back', async () => {
    const owner = new Owner();
    const gate = Promise.withResolvers<void>();
    owner.gate = (each) => {
      each.reached(asTimeTick(9n));
      each.reached(asTimeTick(4n));
      return gate.promise;
    };
    const made = lane(owner);
    made.enqueue(batch(10, 9));
    await turn();
    expect(made.progress).toBe(8n);
    expect(made.confirmed.tick).toBe(1n);
    gate.resolve();
    await turn();
    expect(made.progress).toBe(10n);
  });

  test('says while it waits for others that it is waiting, not working', async () => {
    const owner = new Owner();
    const gate = Promise.withResolvers<void>();
    owner.gate = (each) => each.waitFor(gate.promise);
    const made = lane(owner);
    made.enqueue(batch(5, 3));
    await turn();
    expect(made.activity).toBe('waiting');
    gate.resolve();
    await turn();
    expect(owner.activities).toEqual(['working', 'waiting', 'working', 'idle']);
  });

  test('stops waiting when its owner ends', async () => {
    const owner = new Owner();
    const stop = new AbortController();
    owner.gate = (each) => each.waitFor(new Promise(() => undefined));
    const made = lane(owner, stop.signal);
    made.enqueue(batch(5, 3));
    await turn();
    stop.abort(new Error('ended'));
    await turn();
    expect(owner.failure).toMatchObject({ message: 'ended' });
  });

  test('confirms nothing after a failure, and reports it', async () => {
    const owner = new Owner();
    owner.gate = () => Promise.reject(new Error('refused'));
    const made = lane(owner);
    made.enqueue(batch(5, 3));
    made.enqueue(batch(6));
    await turn();
    expect(owner.failure).toMatchObject({ message: 'refused' });
    expect(owner.confirmed).toEqual([]);
  });

  test('lets everything go when it is stopped, and takes nothing more', async () => {
    const owner = new Owner();
    const gate = Promise.withResolvers<void>();
    owner.gate = () => gate.promise;
    const made = lane(owner);
    made.enqueue(batch(5, 3));
    made.enqueue(batch(7, 6));
    await turn();
    made.stop();
    expect(owner.released).toEqual([6]);
    made.enqueue(batch(9, 8));
    expect(owner.released).toEqual([6, 8]);
    gate.resolve();
    await turn();
    expect(owner.confirmed).toEqual([]);
    expect(made.activity).toBe('stopped');
  });
});
