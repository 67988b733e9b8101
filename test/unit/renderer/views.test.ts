import { flushPromises } from '@vue/test-utils';
import { expect, it } from 'vitest';
import { useProblems } from '../../../renderer/app/problems.store.ts';
import { ContractError } from '../../../shared/contract/client.ts';
import { createFakeClient, errorData } from '../../support/fake-client.ts';
import {
  calmState,
  crowdedState,
  DONE_DRILL,
  emptyState,
  RUNNING_DRILL,
  troubledState,
} from '../../support/fake-states.ts';
import { mountWindow } from './mount-window.ts';

it('answers "Are we safe?" in one sentence', async () => {
  const calm = calmState();
  calm.tasks = calm.tasks.slice(0, 2);
  expect((await mountWindow(createFakeClient(calm), '/')).text()).toContain('2 protections, all following, RPO 0.4 s');
  const { text } = await mountWindow(createFakeClient(troubledState()), '/');
  expect(text()).toContain('orders: Blocked for 4 min');
  expect(text()).toContain('The target refuses writes (quota exceeded).');
  expect(text()).toContain('Free memory on the target');
});

it('tells who has nothing yet the next step', async () => {
  const { text, press, router } = await mountWindow(createFakeClient(emptyState()), '/');
  expect(text()).toContain('No protection yet');
  await press('Try it in the lab');
  expect(router.currentRoute.value.name).toBe('lab');
});

it('says that the core did not answer, and asks again', async () => {
  const client = createFakeClient(calmState());
  client.failNext('tasks.list', new Error('Failed to fetch'));
  const { text, press } = await mountWindow(client, '/protections');
  expect(text()).toContain('The core did not answer.');
  await press('Try again');
  expect(text()).toContain('media library');
});

it('does not blame the core for a failure of the window', async () => {
  const client = createFakeClient(calmState());
  const { text, window } = await mountWindow(client, '/');
  useProblems(window.vm.$pinia).report(new TypeError('x is not a function'));
  await flushPromises();
  expect(text()).toContain('Lifeline failed unexpectedly.');
  expect(text()).toContain('x is not a function');
});

it('shows a banner while the line is lost', async () => {
  const client = createFakeClient(calmState());
  const { text } = await mountWindow(client, '/');
  client.setLink('lost', 'The core ended unexpectedly.');
  await flushPromises();
  expect(text()).toContain('does not answer. What you see may be old');
  expect(text()).toContain('The core ended unexpectedly.');
  client.setLink('resumed');
  await flushPromises();
  expect(text()).not.toContain('What you see may be old');
});

it('pauses and resumes', async () => {
  const client = createFakeClient(calmState());
  const { press } = await mountWindow(client, '/protections');
  await press('Pause orders');
  expect(client.state.tasks[0]?.desired).toBe('paused');
  await press('Resume orders');
  expect(client.state.tasks[0]?.desired).toBe('running');
});

it('offers to go on where a collection waits for a person', async () => {
  const client = createFakeClient(troubledState());
  const { press } = await mountWindow(client, '/protection/orders');
  await press('Resume orders');
  expect(client.calls.at(-1)).toEqual({ name: 'tasks.resume', input: { id: 'orders' } });
});

it('asks before it deletes, naming what is kept', async () => {
  const client = createFakeClient(calmState());
  const { text, press, router } = await mountWindow(client, '/protection/orders');
  await press('Delete orders');
  expect(text()).toContain('Kept: all data on orders-prod and on standby.');
  expect(client.state.tasks).toHaveLength(3);
  await press('Delete protection');
  expect(client.state.tasks).toHaveLength(2);
  expect(router.currentRoute.value.name).toBe('protections');
});

it('shows why the core refused to pause', async () => {
  const client = createFakeClient(calmState());
  const { text, press } = await mountWindow(client, '/protections');
  client.failNext(
    'tasks.pause',
    new ContractError(errorData('storeFailed', 'store', 'The disk is full.', 'Free some space.')),
  );
  await press('Pause orders');
  expect(text()).toContain('The disk is full.');
  expect(text()).toContain('Free some space.');
  await press('Dismiss');
  expect(text()).not.toContain('The disk is full.');
});

it('leads from source to target to name to a plain summary, and creates', async () => {
  const client = createFakeClient(calmState());
  const { window, text, press, router } = await mountWindow(client, '/protections/new');
  await window.find('input[value="orders-prod"]').setValue(true);
  await press('Next');
  expect(text()).toContain('Is the source already.');
  await window.find('input[value="archive"]').setValue(true);
  await press('Next');
  await press('Next');
  expect(text()).toContain('It creates the collections on archive');
  expect(text()).toContain('To undo it:');
  await press('Create protection');
  expect(client.state.tasks.at(-1)).toMatchObject({
    name: 'orders-prod → archive',
    sourceId: 'orders-prod',
    targetId: 'archive',
  });
  expect(router.currentRoute.value.name).toBe('protection');
});

it('opens a collection to its error with the advice', async () => {
  const { window, text } = await mountWindow(createFakeClient(troubledState()), '/protection/orders');
  const row = window.findAll('tr.opens').find((one) => one.text().includes('images'))!;
  await row.trigger('keydown', { key: 'Enter' });
  expect(row.attributes('aria-expanded')).toBe('true');
  expect(text()).toContain('Compare the schema and settings of the collection on both sides, then resume.');
});

it('shows hundreds of collections in pages', async () => {
  const { window, text } = await mountWindow(createFakeClient(crowdedState(450)), '/protection/orders');
  expect(text()).toContain('450 collections');
  expect(window.findAll('tr.opens')).toHaveLength(100);
});

it('refuses to remove a cluster that is used, naming the users', async () => {
  const client = createFakeClient(calmState());
  const { text, press } = await mountWindow(client, '/clusters');
  await press('Remove orders-prod');
  expect(text()).toContain('while these protections use it: orders, media');
  expect(client.state.connections).toHaveLength(4);
});

it('shows each hop of a connection test with its sentence', async () => {
  const { text, press } = await mountWindow(createFakeClient(calmState()), '/cluster/orders-prod');
  await press('Test connection');
  expect(text()).toContain('Milvus 2.3.5, signed in as root.');
  expect(text()).toContain('16 channels begin with by-dev.');
  expect(text()).toContain('Everything that was tested works.');
});

it('shows a drill step by step, and its report', async () => {
  const client = createFakeClient({ ...emptyState(), drill: RUNNING_DRILL });
  const { text } = await mountWindow(client, '/lab');
  expect(text()).toContain('12,480 of 20,000 rows');
  client.emit('drill.changed', { drill: DONE_DRILL });
  await flushPromises();
  expect(text()).toContain('Equal: every row of the source is on the target');
  expect(text()).toContain('drill.documents');
});

it('goes to the places by number keys, but not while something is typed', async () => {
  const { window, router } = await mountWindow(createFakeClient(calmState()), '/protection/orders');
  document.body.dispatchEvent(new KeyboardEvent('keydown', { key: '3', bubbles: true }));
  await flushPromises();
  expect(router.currentRoute.value.name).toBe('clusters');
  await router.push('/clusters/new');
  await flushPromises();
  await window.find('input').trigger('keydown', { key: '1' });
  expect(router.currentRoute.value.name).toBe('newCluster');
});

it('speaks Chinese where that is chosen, with the core’s own sentence kept', async () => {
  const { text } = await mountWindow(createFakeClient(troubledState()), '/', 'zh-Hans');
  expect(text()).toContain('orders：受阻，已持续 4 分钟');
  expect(text()).toContain('目标拒绝写入。');
  expect(text()).toContain('The target refuses writes (quota exceeded).');
});
