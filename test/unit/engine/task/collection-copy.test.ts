import { expect, test } from 'vitest';
import { copyRows, type CopyContext } from '../../../../electron/engine/task/collection-copy.ts';
import type { PageAnswer } from '../../../../electron/engine/task/pages-ahead.ts';
import { asCollectionId } from '../../../../shared/model/ids.ts';
import type { CopyProgress } from '../../../../shared/model/task-state.ts';

const page = (key: bigint): PageAnswer => ({
  keys: { type: 'int64', values: BigInt64Array.of(key) },
  fields: [],
  rowCount: 1,
  doubledRows: 0,
});

test('a partition that goes while it is copied is done with when nothing of it is on its way to the target', async () => {
  const progress = new Map<string, CopyProgress>();
  const written = Promise.withResolvers<void>();
  const deleted = Promise.withResolvers<number>();
  const context: CopyContext = {
    store: {
      copyProgress: () => [...progress.values()],
      saveCopyProgress: (_id, one) => void progress.set(one.partition, one),
    },
    readPage: (_partition, after) => Promise.resolve(after === undefined ? page(1n) : 'gone'),
    ensurePartition: () => Promise.resolve(),
    write: () => written.promise,
    deleteOthers: () => deleted.promise,
    copied: () => undefined,
  };
  let isDone = false as boolean;
  const done = copyRows(context, { id: asCollectionId(1n), partitions: ['p'] }).then(() => (isDone = true));
  const turns = async () => {
    for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
  };
  await turns();
  expect(isDone).toBe(false);
  written.resolve();
  await turns();
  expect(isDone).toBe(false);
  deleted.resolve(0);
  await done;
  expect(progress.get('p')?.isDone).toBe(false);
});
