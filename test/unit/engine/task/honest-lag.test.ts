/**
 * A lag is honest when it grows one second per second while anything stands still between source and target, whether there
 * is work or not. The reading path is the real one; each stage in turn is frozen.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CollectionRegistry } from '../../../../electron/engine/task/collection-registry.ts';
import { ChannelFollower } from '../../../../electron/engine/task/channel-follower.ts';
import { ShardLane, type LaneOwner } from '../../../../electron/engine/task/shard-lane.ts';
import { StatusBoard } from '../../../../electron/engine/task/status-board.ts';
import { TargetPulse } from '../../../../electron/engine/task/target-pulse.ts';
import { ReadBudget } from '../../../../electron/engine/runtime/read-budget.ts';
import { asPChannel, asVChannel } from '../../../../shared/model/ids.ts';
import { ORDINAL_NONE, type Checkpoint } from '../../../../shared/model/position.ts';
import type { TaskStatus } from '../../../../shared/model/task-status.ts';
import { TIME_TICK_ZERO, timeTickFromMs, timeTickToMs } from '../../../../shared/time/time-tick.ts';
import { MemoryWal } from '../../../support/memory-wal.ts';
import { buildCreateCollection, buildInsert, buildTick, type BuiltCollection } from '../../../support/wal-builder.ts';

const CHANNEL = asPChannel('dml_0');
const VCHANNEL = asVChannel('dml_0_1v0');
const COLLECTION: BuiltCollection = {
  id: 1n,
  database: 'default',
  name: 'items',
  vchannels: [VCHANNEL],
  pchannels: [CHANNEL],
  hasPartitionKey: false,
  hasTextKeys: false,
};
const BEGAN_MS = 1_700_000_000_000;
const TICK_MS = 200;
const BUDGET_BYTES = 10_000;

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
};

class StandingBudget extends ReadBudget {
  stands = false;

  override admit(...args: Parameters<ReadBudget['admit']>): ReturnType<ReadBudget['admit']> {
    return this.stands ? new Promise(() => undefined) : super.admit(...args);
  }
}

/** A source, a channel's reader, a lane and a target, on a clock of their own. */
class Path implements LaneOwner {
  nowMs = BEGAN_MS;
  hasLoad = true;
  ticksStand = false;
  /** Calls on the target are answered when this says so; they are held until then. */
  targetStands = false;
  laneStands = false;
  birthsStand = false;
  clockAheadMs = 0;
  readonly wal = new MemoryWal();
  readonly budget = new StandingBudget(BUDGET_BYTES);
  readonly board = new StatusBoard({ now: () => this.nowMs });
  readonly #stop = new AbortController();
  readonly #never = new Promise<never>(() => undefined);
  readonly #pulse = new TargetPulse({
    clock: { now: () => this.nowMs },
    ask: () => (this.targetStands ? this.#never : Promise.resolve()),
    observer: this.board.observer('target'),
  });
  readonly #lane: ShardLane;
  readonly #follower: ChannelFollower;
  #rows = 0n;

  constructor() {
    this.wal.addChannel(CHANNEL);
    const checkpoint: Checkpoint = {
      resume: { kind: 'after', ordinal: ORDINAL_NONE, incarnation: 'made-1' },
      tick: timeTickFromMs(BEGAN_MS),
    };
    this.#follower = new ChannelFollower(
      {
        wal: this.wal,
        budget: this.budget,
        registry: new CollectionRegistry(),
        observer: this.board.observer(CHANNEL),
        signal: this.#stop.signal,
        collectionBorn: () => (this.birthsStand ? this.#never : Promise.resolve()),
        channelConfirmed: () => undefined,
        messageRead: (record, bytes) => void this.board.messageRead(record, bytes, CHANNEL),
        rowsPassed: (bytes) => this.board.rowsPassed(bytes, CHANNEL),
        release: (entry) => this.release(entry),
      },
      { channel: CHANNEL, checkpoint: { resume: checkpoint.resume, tick: TIME_TICK_ZERO } },
    );
    this.#lane = new ShardLane(this, VCHANNEL, checkpoint, ORDINAL_NONE, this.#stop.signal);
    this.#follower.addLane(this.#lane);
    this.board.started();
    this.#follower.run().catch(() => undefined);
  }

  async applyEntries(_lane: ShardLane, entries: Parameters<LaneOwner['applyEntries']>[1]): Promise<void> {
    if (this.laneStands || this.targetStands) await this.#never;
    this.#pulse.answered();
    for (const entry of entries) this.release(entry);
  }
  checkDoubtful(): Promise<void> {
    return Promise.resolve();
  }
  laneChanged(): void {
    this.#follower.laneChanged();
    this.budget.changed();
  }
  laneConfirmed(): void {}
  laneFailed(): void {}
  release(entry: Parameters<LaneOwner['release']>[0]): void {
    this.budget.release(entry.holder ?? this.#follower, entry.heldBytes);
    entry.heldBytes = 0;
  }

  /** Takes all memory away. */
  fillMemory(): void {
    this.budget.hold(this.#follower, BUDGET_BYTES);
  }

  bear(): void {
    const born = { ...COLLECTION, id: 2n, vchannels: ['dml_0_2v0'] };
    this.wal.append(CHANNEL, buildCreateCollection(born, [], timeTickFromMs(this.nowMs + TICK_MS)));
  }

  async pass(ms: number): Promise<void> {
    for (const end = this.nowMs + ms; this.nowMs < end;) {
      this.nowMs += TICK_MS;
      if (this.hasLoad) this.#insert();
      if (!this.ticksStand) this.wal.append(CHANNEL, buildTick(this.#sourceTick()));
      this.#pulse.poll();
      await turns();
    }
  }

  status(): TaskStatus {
    const confirmedMs = timeTickToMs(this.#lane.confirmed.tick);
    const waitsFor = this.#lane.activity === 'working' ? ({ waitsFor: 'target' } as const) : {};
    return this.board.snapshot({
      taskId: 'task',
      collections: [
        {
          ...{ id: '1', database: 'default', name: 'items', state: 'following', rowsWritten: 0, rowsDeleted: 0 },
          ...{ confirmedMs, shardCount: 1, shards: [{ vchannel: VCHANNEL, confirmedMs, ...waitsFor }] },
        },
      ],
      operationsPending: 0,
      budgetUsedBytes: this.budget.usedBytes,
      budgetPeakBytes: this.budget.peakBytes,
      channels: [{ channel: CHANNEL, isInUse: true, waitsForMemory: this.budget.usedBytes >= BUDGET_BYTES }],
      targetSilentSinceMs: this.#pulse.silentSinceMs(),
    });
  }

  /** What stands still is left standing. */
  end(): void {
    this.#stop.abort(new Error('the test ended'));
  }

  #sourceTick() {
    return timeTickFromMs(this.nowMs + this.clockAheadMs);
  }

  #insert(): void {
    const message = { collection: COLLECTION, vchannel: VCHANNEL, partition: { id: 5n, name: '_default' } };
    this.#rows += 1n;
    const tick = this.#sourceTick();
    const payload = buildInsert({ ...message, tick, messageId: this.#rows }, [{ key: this.#rows, value: 'x' }]);
    this.wal.append(CHANNEL, payload);
  }
}

const lagOf = (status: TaskStatus): number => status.lagMs.now ?? Number.NaN;

let path: Path;
beforeEach(() => {
  path = new Path();
});
afterEach(() => path.end());

const STAGES: readonly (readonly [string, (path: Path) => void])[] = [
  ["the source's clock", (frozen) => (frozen.ticksStand = true)],
  ['the broker', (frozen) => frozen.wal.hold(CHANNEL)],
  ['the reader, which gets no memory,', (frozen) => (frozen.budget.stands = true)],
  [
    'the assembler, which waits for news of a birth,',
    (frozen) => {
      frozen.birthsStand = true;
      frozen.bear();
    },
  ],
  [
    'the lane',
    (frozen) => {
      frozen.laneStands = true;
      frozen.hasLoad = true;
    },
  ],
  ['the target', (frozen) => (frozen.targetStands = true)],
];

describe.each([
  ['loaded', true],
  ['idle', false],
] as const)('on a %s path', (_name, hasLoad) => {
  beforeEach(async () => {
    path.hasLoad = hasLoad;
    await path.pass(30_000);
  });

  test('the lag is that of the last tick while nothing stands still', () => {
    const status = path.status();
    expect(lagOf(status)).toBeLessThanOrEqual(TICK_MS);
    expect(status).toMatchObject({
      isInSync: true,
      source: { activity: hasLoad ? 'changing' : 'idle' },
      stages: { bottleneck: { stage: 'none' } },
    });
  });

  test.each(STAGES)('the lag grows one second per second while %s stands still', async (_stage, freeze) => {
    freeze(path);
    // A silent target is noticed within some seconds.
    await path.pass(5_000);
    for (let round = 0; round < 5; round += 1) {
      const before = lagOf(path.status());
      expect(before).toBeGreaterThanOrEqual(4_500 + round * 10_000);
      await path.pass(10_000);
      expect(lagOf(path.status()) - before).toBe(10_000);
    }
    const { collections, isInSync } = path.status();
    expect(isInSync).toBe(false);
    expect(collections[0]?.lagMs).toBe(lagOf(path.status()));
    expect(collections[0]?.shards?.[0]?.lagMs).toBe(lagOf(path.status()));
  });
});

describe('a status names what stands still', () => {
  beforeEach(() => path.pass(2_000));

  test('a silent source, with since when', async () => {
    const since = path.nowMs;
    path.hasLoad = false;
    path.ticksStand = true;
    await path.pass(15_000);
    expect(path.status()).toMatchObject({
      source: { activity: 'silent', sinceMs: since, silentChannels: [CHANNEL] },
      stages: { bottleneck: { stage: 'source', channel: CHANNEL } },
    });
  });

  test('a target that is asked nothing and would not answer', async () => {
    path.hasLoad = false;
    path.targetStands = true;
    await path.pass(6_000);
    expect(path.status().stages?.bottleneck).toMatchObject({ stage: 'target', reason: /has not answered for [56] s/ });
  });

  test('a target that does not keep up', async () => {
    // It still answers other calls.
    path.laneStands = true;
    await path.pass(1_000);
    path.fillMemory();
    await path.pass(2_000);
    expect(path.status()).toMatchObject({
      source: { activity: 'changing' },
      stages: { bottleneck: { stage: 'target', reason: expect.stringContaining('MiB of changes wait') } },
    });
  });

  test('a log that brings nothing of what is behind', async () => {
    path.wal.hold(CHANNEL);
    await path.pass(5_000);
    expect(path.status().stages?.bottleneck).toMatchObject({ stage: 'log', collection: 'default.items' });
  });
});

describe('a source whose clock is ahead', () => {
  test('is noticed, and its lag is counted by its own clock, never negative', async () => {
    path.clockAheadMs = 5_000;
    await path.pass(2_000);
    const status = path.status();
    expect(status.source?.clockAheadMs).toBe(5_000);
    expect(status.notices).toEqual([expect.stringContaining("The source's clock is 5 s ahead of this machine's.")]);
    expect(lagOf(status)).toBe(0);
    path.wal.hold(CHANNEL);
    await path.pass(10_000);
    expect(lagOf(path.status())).toBe(10_000);
  });

  test('is forgotten when it has been set right', async () => {
    path.clockAheadMs = 5_000;
    await path.pass(2_000);
    path.clockAheadMs = 0;
    path.ticksStand = true;
    await path.pass(6_000);
    path.ticksStand = false;
    await path.pass(130_000);
    expect(path.status().source).not.toHaveProperty('clockAheadMs');
    expect(lagOf(path.status())).toBeLessThanOrEqual(TICK_MS);
  });
});
