import { flushPromises } from '@vue/test-utils';
import { describe, expect, it } from 'vitest';
import { useProblems } from '../../../renderer/app/problems.store.ts';
import { useClusters } from '../../../renderer/features/clusters/clusters.store.ts';
import { useLab } from '../../../renderer/features/lab/lab.store.ts';
import { useProtections } from '../../../renderer/features/protections/protections.store.ts';
import { ContractError } from '../../../shared/contract/client.ts';
import { createFakeClient, errorData } from '../../support/fake-client.ts';
import { calmState, collection, emptyState, status } from '../../support/fake-states.ts';
import { withStores } from './mount-window.ts';

function started(state = calmState()) {
  const client = createFakeClient(state);
  const app = withStores(client);
  return { client, run: <T>(use: () => T): T => app.runWithContext(use) };
}

describe('the protections', () => {
  it('are loaded, and follow what the core says of them', async () => {
    const { client, run } = started();
    const store = run(useProtections);
    expect(store.loading.kind).toBe('loading');
    await flushPromises();
    expect(store.loading.kind).toBe('ready');
    expect(store.shown.map(({ task, state }) => `${task.name} ${state}`)).toEqual([
      'orders following',
      'media library following',
      'nightly reports paused',
    ]);

    const next = status('orders', [collection('1', 'orders', { rowsWritten: 7 })], { at: Date.now() + 1000 });
    client.emit('task.status', { id: 'orders', status: next });
    expect(store.byId('orders')?.task.status?.rowsWritten).toBe(7);
  });

  it('drop an answer that was overtaken by a later one', async () => {
    const { client, run } = started();
    const gate = client.hold('tasks.list');
    const store = run(useProtections);
    client.state.tasks = client.state.tasks.slice(0, 1);
    void store.reload();
    await flushPromises();
    gate.release(1);
    await flushPromises();
    expect(store.tasks).toHaveLength(1);
    gate.release(0);
    await flushPromises();
    expect(store.tasks).toHaveLength(1);
  });

  it('drop an answer that was overtaken by an event', async () => {
    const { client, run } = started();
    const gate = client.hold('tasks.list');
    const store = run(useProtections);
    await flushPromises();
    client.emit('tasks.changed', { tasks: [] });
    gate.release(0);
    await flushPromises();
    expect(store.tasks).toEqual([]);
  });

  it('keep the newer status when a list brings an older one', async () => {
    const { client, run } = started();
    const store = run(useProtections);
    await flushPromises();
    const newer = status('orders', [], { at: Date.now() + 60_000, rowsWritten: 99 });
    client.emit('task.status', { id: 'orders', status: newer });
    await store.reload();
    expect(store.byId('orders')?.task.status?.rowsWritten).toBe(99);
  });

  it('are asked for again when the line is back', async () => {
    const { client, run } = started();
    const store = run(useProtections);
    await flushPromises();
    client.setLink('lost');
    client.state.tasks = [];
    client.setLink('resumed');
    await flushPromises();
    expect(store.tasks).toEqual([]);
  });

  it('say that they could not be loaded, and keep what was there', async () => {
    const { client, run } = started();
    const store = run(useProtections);
    await flushPromises();
    client.failNext('tasks.list', new Error('Failed to fetch'));
    await store.reload();
    expect(store.loading.kind).toBe('failed');
    expect(store.tasks).toHaveLength(3);
  });

  it('are created, paused, resumed and deleted', async () => {
    const { run } = started();
    const store = run(useProtections);
    await flushPromises();
    const task = await store.create({ name: 'new', sourceId: 'orders-prod', targetId: 'archive' });
    expect(store.byId(task.id)?.state).toBe('initializing');
    await store.pause(task.id);
    expect(store.byId(task.id)?.state).toBe('paused');
    await store.resume(task.id);
    expect(store.byId(task.id)?.state).toBe('initializing');
    await store.remove(task.id);
    expect(store.byId(task.id)).toBeUndefined();
  });
});

describe('the clusters', () => {
  it('never hold a secret that was saved', async () => {
    const { run } = started(emptyState());
    const store = run(useClusters);
    await store.save({ name: 'one', milvus: { address: 'host:19530', username: 'root', password: 'hush' } });
    expect(JSON.stringify(store.clusters)).not.toContain('hush');
    expect(store.clusters[0]?.secretsSet).toEqual(['milvus.password']);
  });

  it('pass on why one in use cannot be removed', async () => {
    const { run } = started();
    const store = run(useClusters);
    await flushPromises();
    await expect(store.remove('standby')).rejects.toThrow('is used by orders, media, nightly');
    expect(store.byId('standby')).toBeDefined();
  });
});

describe('the lab', () => {
  it('is shown as its events say, also when the answer to an order comes later', async () => {
    const { client, run } = started(emptyState());
    const store = run(useLab);
    await flushPromises();
    const gate = client.hold('lab.start');
    const ordered = store.start();
    await flushPromises();
    client.emit('lab.changed', { lab: { state: 'running' } });
    gate.release(0);
    await ordered;
    expect(store.lab?.state).toBe('running');
  });

  it('passes a refusal on', async () => {
    const { client, run } = started(emptyState());
    const store = run(useLab);
    client.failNext('drill.start', new ContractError(errorData('conflict', 'config', 'A drill is running already.')));
    await expect(store.startDrill({ rows: 100, seconds: 0 })).rejects.toThrow('A drill is running already.');
  });
});

it('shows the last few problems until they are dismissed', async () => {
  const { run } = started();
  const store = run(useProblems);
  for (const n of [1, 2, 3, 4]) await store.guard(() => Promise.reject(new Error(String(n))));
  expect(store.problems.map(({ thrown }) => (thrown as Error).message)).toEqual(['2', '3', '4']);
  store.dismiss(store.problems[0]!.id);
  expect(store.problems).toHaveLength(2);
});
