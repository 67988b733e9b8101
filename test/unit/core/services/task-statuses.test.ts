import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { EventEmitter } from 'node:events';
import { EventHub } from '../../../../electron/core/services/event-hub.ts';
import { atRest, TaskStatuses, type Status } from '../../../../electron/core/services/task-statuses.ts';
import type { EngineHost } from '../../../../electron/engine/host/engine-host.ts';
import { silentLogger } from '../../../../electron/engine/runtime/logger.ts';
import { taskStatusSchema } from '../../../../shared/model/task-status.ts';

const NOW_MS = 1_700_000_000_000;

const status: Status = {
  ...{ taskId: 'orders', state: 'following', at: NOW_MS, calls: {}, rowsWritten: 5, rowsDeleted: 0, bytesRead: 9 },
  ...{ messagesRead: 3, unknownMessages: {}, skippedOperations: {}, operationsPending: 0, notices: [] },
  ...{ budgetUsedBytes: 0, budgetPeakBytes: 0 },
  lagMs: { now: 400, p50: 200, p99: 300, max: 300, samples: 5 },
  isInSync: true,
  source: { activity: 'changing' },
  stages: { bottleneck: { stage: 'none', reason: 'Changes are written as they come.' } },
  headroom: [{ channel: 'dml_0', leftMs: 9_000, keptUntilMs: NOW_MS + 9_000, level: 'low' }],
  collections: [
    {
      ...{ id: '1', database: 'shop', name: 'items', state: 'following', rowsWritten: 5, rowsDeleted: 0 },
      ...{ confirmedMs: NOW_MS - 400, lagMs: 400, shardCount: 1 },
      shards: [{ vchannel: 'v0', confirmedMs: NOW_MS - 400, lagMs: 400, waitsFor: 'target' }],
    },
  ],
};

let statuses: TaskStatuses;
let host: EventEmitter;

beforeEach(() => {
  vi.useFakeTimers({ now: NOW_MS });
  statuses = new TaskStatuses(new EventHub(), silentLogger);
  host = Object.assign(new EventEmitter(), { taskId: 'orders' });
  statuses.follow(host as unknown as EngineHost);
  host.emit('status', status);
});
afterEach(() => void vi.useRealTimers());

describe('the status of a task', () => {
  test('is what its thread said last', () => {
    vi.setSystemTime(NOW_MS + 1_000);
    expect(statuses.get('orders')).toEqual(status);
  });

  test('grows older by the clock where its thread stands still', () => {
    for (const silenceMs of [10_000, 11_000]) {
      vi.setSystemTime(NOW_MS + silenceMs);
      const aged = statuses.get('orders');
      expect(aged).toMatchObject({
        isInSync: false,
        lagMs: { now: 400 + silenceMs, p50: 200 },
        collections: [{ lagMs: 400 + silenceMs, shards: [{ lagMs: 400 + silenceMs }] }],
      });
      expect(taskStatusSchema.parse(aged)).toEqual(aged);
    }
    host.emit('status', status);
    vi.setSystemTime(NOW_MS);
    expect(statuses.get('orders')).toEqual(status);
  });

  test('stays as it was when its thread has been stopped', () => {
    statuses.drop('orders');
    vi.setSystemTime(NOW_MS + 60_000);
    expect(statuses.get('orders')).toEqual(status);
  });

  test('says of a paused task nothing that is of the moment, and until when its place is kept', () => {
    const rest = atRest(status, 'paused');
    expect(rest).toMatchObject({ state: 'paused', lagMs: { p50: 200 }, collections: [{ confirmedMs: NOW_MS - 400 }] });
    for (const name of ['isInSync', 'source', 'stages']) expect(rest).not.toHaveProperty(name);
    expect(rest.lagMs).not.toHaveProperty('now');
    expect(rest.collections[0]).not.toHaveProperty('lagMs');
    expect(rest.collections[0]).not.toHaveProperty('shards');
    expect(rest.headroom).toEqual([{ channel: 'dml_0', leftMs: null, keptUntilMs: NOW_MS + 9_000, level: 'low' }]);
  });
});
