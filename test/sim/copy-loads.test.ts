/** A copy that has to load what it reads; the load on the source; what is found out before the first page. */
import { beforeEach, describe, expect, test } from 'vitest';
import { asCollectionId } from '../../shared/model/ids.ts';
import { MemoryTask, until } from '../support/memory-engine.ts';
import { MemorySource } from '../support/memory-source.ts';
import { MemoryTarget } from '../support/memory-target.ts';
import { useQuickTimers } from '../support/quick-timers.ts';

beforeEach(useQuickTimers);

const MAY_LOAD = { start: { kind: 'copy', mayLoad: true } } as const;
const MAY_NOT = { start: { kind: 'copy', mayLoad: false } } as const;

function filled(rows = 10) {
  const source = new MemorySource(2);
  const orders = source.createCollection('orders', { channels: [0, 1] });
  source.createIndex(orders);
  source.insert(
    orders,
    Array.from({ length: rows }, (_unused, index) => ({ key: BigInt(index), value: `v${index}` })),
  );
  source.tickAll();
  const task = new MemoryTask(source, new MemoryTarget());
  task.rows.needsLoad = true;
  return { source, orders, task };
}

describe('a collection that is not loaded', () => {
  test('is loaded for its copy and released after it, and its copy is not left loaded', async () => {
    const { source, task } = filled();
    await using ended = task;
    const running = ended.start(MAY_LOAD);
    await running.level();
    expect(task.rows.loads).toEqual(['load orders', 'release orders']);
    expect(task.content()).toEqual(source.content());
    expect(running.status().notices.join()).toContain('has been released again');
    await running.stop();
  });

  test('is left alone where it may not be loaded', async () => {
    const { task } = filled();
    await using ended = task;
    const running = ended.start(MAY_NOT);
    await expect(running.level()).rejects.toMatchObject({ code: 'notReadable' });
    expect(task.rows.loads).toEqual([]);
    await running.stop();
  });

  test('that somebody releases while it is copied is loaded again', async () => {
    const { source, orders, task } = filled();
    await using ended = task;
    let pages = 0;
    task.rows.onPage = (instant) => {
      if (instant !== 'before') return;
      pages += 1;
      if (pages === 3 || pages === 4) orders.isLoaded = false;
    };
    const running = ended.start(MAY_LOAD);
    await running.level();
    expect(task.rows.loads.filter((load) => load.startsWith('load')).length).toBeGreaterThan(1);
    expect(task.rows.loads.at(-1)).toBe('release orders');
    expect(task.content()).toEqual(source.content());
    await running.stop();
  });

  test('is released by a later run when the one that loaded it was killed', async () => {
    const { source, task } = filled();
    await using ended = task;
    let pages = 0;
    const first = ended.start(MAY_LOAD);
    task.rows.onPage = () => {
      pages += 1;
      if (pages === 3) first.steps.isDead = true;
    };
    await until(() => pages >= 3, 'the copy to be in its pages');
    await first.stop();
    expect(task.rows.loads).toEqual(['load orders']);
    const second = ended.start(MAY_LOAD);
    await second.level();
    expect(task.rows.loads).toEqual(['load orders', 'release orders']);
    // Our own load is no reason to load the copy.
    expect(task.content()).toEqual(source.content());
    await second.stop();
  });

  test('is released on both sides after a copy onto a filled one', async () => {
    const { source, orders, task } = filled();
    await using ended = task;
    const first = ended.start(MAY_LOAD);
    await first.level();
    await first.stop();
    source.delete(orders, [4n]);
    source.tickAll();
    task.store.beginRecopy(asCollectionId(orders.id), 'created');
    const second = ended.start(MAY_LOAD);
    await second.level();
    expect(task.content()).toEqual(source.content());
    expect(task.store.loadedForCopy(asCollectionId(orders.id))).toEqual({});
    await second.stop();
  });
});

test('says how many rows there are in all', async () => {
  const { task } = filled(7);
  await using ended = task;
  const running = ended.start(MAY_LOAD);
  await running.level();
  expect(running.status().collections).toMatchObject([{ copy: { rowsCopied: 7, rowsTotal: 7 } }]);
  await running.stop();
});

test('vectors that the source does not return are said before a row is written', async () => {
  const { task } = filled();
  await using ended = task;
  task.rows.missingFields.add('value');
  const running = ended.start(MAY_LOAD);
  await expect(running.level()).rejects.toMatchObject({ code: 'notReadable' });
  expect(task.target.calls.insert).toBeUndefined();
  expect(task.rows.loads).toEqual(['load orders', 'release orders']);
  await running.stop();
});

test('rows of another cluster are not copied', async () => {
  const { task } = filled();
  await using ended = task;
  task.rows.isAnotherCluster = true;
  const running = ended.start(MAY_LOAD);
  await expect(running.level()).rejects.toMatchObject({
    code: 'invalidConfig',
    message: expect.stringContaining(
      'is not the one whose catalog is in etcd: default.orders is another collection there',
    ),
  });
  expect(task.target.calls.insert).toBeUndefined();
  await running.stop();
});
