import { beforeEach, expect, it } from 'vitest';
import { GapCopies } from '../../../../electron/engine/host/gap-copies.ts';
import { silentLogger } from '../../../../electron/engine/runtime/logger.ts';
import type { GapPolicy } from '../../../../shared/model/gap-policy.ts';
import type { TaskStatus } from '../../../../shared/model/task-status.ts';

type Collection = TaskStatus['collections'][number];

let now = 0;
let begun: (readonly string[])[] = [];
let refusal: Error | undefined;
beforeEach(() => {
  now = 1_000;
  begun = [];
  refusal = undefined;
});

const watching = (policy: GapPolicy): GapCopies =>
  new GapCopies({
    policy,
    logger: silentLogger,
    now: () => now,
    recopy: async (ids) => {
      begun.push(ids);
      if (refusal !== undefined) throw refusal;
    },
  });

const collection = (id: string, name: string, state: Collection['state']): Collection => ({
  id,
  database: 'shop',
  name,
  state,
  rowsWritten: 0,
  rowsDeleted: 0,
  confirmedMs: 0,
  shardCount: 1,
});

function status(collections: Collection[], gapOf: readonly string[]): TaskStatus {
  return {
    taskId: 'orders',
    state: 'held',
    at: now,
    collections,
    calls: {},
    rowsWritten: 0,
    rowsDeleted: 0,
    bytesRead: 0,
    messagesRead: 0,
    unknownMessages: {},
    skippedOperations: {},
    operationsPending: 0,
    lagMs: { p50: 0, p99: 0, max: 0, samples: 0 },
    budgetUsedBytes: 0,
    budgetPeakBytes: 0,
    notices: [],
    ...(gapOf.length === 0 ? {} : { gaps: [{ channel: 'dml_0', vchannels: ['dml_0_1v0'], collections: [...gapOf] }] }),
  };
}

const HELD = [
  collection('1', 'orders', 'held'),
  collection('2', 'items', 'following'),
  collection('3', 'images', 'held'),
];

it('copies just the collections that wait because of a gap, once for each gap', async () => {
  const copies = watching('copy');
  copies.hear(status(HELD, ['shop.orders', 'shop.items']));
  copies.hear(status(HELD, ['shop.orders', 'shop.items']));
  expect(begun).toEqual([['1']]);
  copies.hear(status(HELD, []));
  copies.hear(status(HELD, ['shop.orders']));
  expect(begun).toEqual([['1'], ['1']]);
});

it('leaves a gap to a person unless it is told otherwise, which holds at once', () => {
  const copies = watching('hold');
  copies.hear(status(HELD, ['shop.orders']));
  expect(begun).toEqual([]);
  copies.policy = 'copy';
  copies.hear(status(HELD, ['shop.orders']));
  expect(begun).toEqual([['1']]);
});

it('tries again after a pause where the task refused', async () => {
  const copies = watching('copy');
  refusal = new Error('It is being started.');
  copies.hear(status(HELD, ['shop.orders']));
  await Promise.resolve();
  await Promise.resolve();
  copies.hear(status(HELD, ['shop.orders']));
  expect(begun).toHaveLength(1);
  now += 30_000;
  copies.hear(status(HELD, ['shop.orders']));
  expect(begun).toHaveLength(2);
});
