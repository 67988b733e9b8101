import { flushPromises } from '@vue/test-utils';
import { expect, it } from 'vitest';
import {
  isDefault,
  sameSettings,
  toOperationSettings,
  toSettingsForm,
} from '../../../renderer/features/protections/operation-settings.ts';
import { createFakeClient } from '../../support/fake-client.ts';
import { calmState } from '../../support/fake-states.ts';
import { historyState, questionState } from '../../support/fake-troubles.ts';
import { mountWindow } from './mount-window.ts';

const PAGE = '/protection/orders';

async function choose(label: string, value: string): Promise<void> {
  const field = [...document.body.querySelectorAll<HTMLSelectElement | HTMLInputElement>('select, input')].find(
    (one) => one.closest('label')?.querySelector('span')?.textContent === label,
  );
  if (field === undefined) throw new Error(`There is no field "${label}".`);
  field.value = value;
  field.dispatchEvent(new Event(field.tagName === 'SELECT' ? 'change' : 'input'));
  await flushPromises();
}

it('shows what waits for a decision with what can be done, and sends the decision', async () => {
  const client = createFakeClient(questionState());
  const { text, press, window } = await mountWindow(client, PAGE);
  expect(text()).toContain('2 operations wait for your decision.');
  expect(text()).toMatch(/Drop a partition.{0,40}north/);
  expect(text()).toMatch(/messageType 2110.*This version cannot apply it/);
  expect(window.findAll('[role=alert] button').map((button) => button.text())).toEqual([
    'Apply it',
    'Skip it',
    'Skip it',
  ]);
  await press('Apply it');
  expect(client.calls.find(({ name }) => name === 'tasks.decideOperation')?.input).toEqual({
    id: 'orders',
    operationId: 'drop/1/2',
    decision: 'apply',
  });
  expect(text()).toContain('One operation waits for your decision.');
});

it('says of what waits without holding anything up that the rest goes on', async () => {
  const state = questionState();
  const [orders, ...others] = state.tasks;
  if (orders?.status === undefined) throw new Error('no protection');
  const collections = orders.status.collections.map((one) => ({ ...one, state: 'following' as const }));
  const asked = { ...orders, status: { ...orders.status, state: 'held' as const, collections } };
  const { text } = await mountWindow(createFakeClient({ ...state, tasks: [asked, ...others] }), PAGE);
  expect(text()).toContain('An operation waits for your decision. What does not depend on it goes on.');
});

it('says what the core answers to a decision that came too late', async () => {
  const client = createFakeClient(questionState());
  const { text, press } = await mountWindow(client, PAGE);
  client.state.operations = {};
  await press('Apply it');
  expect(text()).toContain('No operation "drop/1/2" waits for a decision any more.');
});

it('shows the operations of a collection in its details', async () => {
  const client = createFakeClient(questionState());
  const { text, window } = await mountWindow(client, PAGE);
  await window.find('tr.opens').trigger('click');
  await flushPromises();
  expect(text()).toMatch(/Create an index.{0,60}Log.{0,20}Applied/);
  expect(text()).toContain('A later flush of the collection was there already.');
});

const HISTORY = '[aria-label="History of operations"]';

it('shows what became of databases and rights, and of a collection that is gone, with the protection', async () => {
  const client = createFakeClient(historyState());
  const { text, press, window } = await mountWindow(client, PAGE);
  const shown = (): number => window.findAll(`${HISTORY} tbody tr`).length;
  expect(text()).toMatch(/Create a database.{0,20}shop.{0,20}Log.{0,20}Applied/);
  expect(text()).toMatch(/Grant or revoke.{0,60}Failed.{0,20}The target refused it\./);
  expect(text()).toMatch(/Drop a collection.{0,20}default\.of_last_week.{0,20}Catalogue/);
  expect(shown()).toBe(20);
  await press('Show all 33');
  expect(shown()).toBe(33);
  expect(text()).not.toContain('Older ones are not shown.');
});

it('says that the history goes back further than it shows', async () => {
  const client = createFakeClient({ ...historyState(), areOperationsCut: true });
  const { text, press } = await mountWindow(client, PAGE);
  await press('Show all 33');
  expect(text()).toContain('Older ones are not shown.');
});

it('shows what waits once: with its question while it runs, in the history while it does not', async () => {
  const state = questionState();
  const { window } = await mountWindow(createFakeClient(state), PAGE);
  expect(window.find(HISTORY).text()).not.toContain('Waits for you');
  expect(window.find(HISTORY).text()).toContain('Create an index');
  const [orders, ...others] = state.tasks;
  if (orders?.status === undefined) throw new Error('no protection');
  const paused = { ...orders, status: { ...orders.status, state: 'paused' as const, operationsWaiting: 0 } };
  const { window: later } = await mountWindow(createFakeClient({ ...state, tasks: [paused, ...others] }), PAGE);
  expect(later.find(HISTORY).text()).toContain('Waits for you');
});

it('says that there has been no operation, and lists the first one soon after', async () => {
  const client = createFakeClient(calmState());
  const { text } = await mountWindow(client, PAGE);
  expect(text()).toContain('No operation has been seen yet.');
  const status = client.state.tasks[0]?.status;
  if (status === undefined) throw new Error('no protection');
  client.state.operations = historyState().operations;
  client.emit('task.status', { id: 'orders', status: { ...status, at: status.at + 10_000 } });
  await flushPromises();
  expect(text()).not.toContain('No operation has been seen yet.');
  expect(text()).toMatch(/Create a database.{0,20}shop/);
});

it('changes policies and overrides of a protection that runs', async () => {
  const client = createFakeClient(calmState());
  const { press } = await mountWindow(client, PAGE);
  await choose('Drop a collection', 'ask');
  await choose('Replicas', '2');
  await choose('Resource groups', 'rg1, rg2');
  await press('Apply these settings');
  expect(client.calls.find(({ name }) => name === 'tasks.operationSettings')?.input).toEqual({
    id: 'orders',
    settings: {
      policies: { dropCollection: 'ask' },
      overrides: { replicaNumber: 2, resourceGroups: ['rg1', 'rg2'] },
    },
  });
});

it('does not offer to apply what nobody knows', async () => {
  await mountWindow(createFakeClient(calmState()), PAGE);
  const offered = (label: string) =>
    [...document.body.querySelectorAll('label')]
      .find((one) => one.querySelector('span')?.textContent === label)
      ?.querySelectorAll('option').length;
  expect(offered('Drop a collection')).toBe(3);
  expect(offered('Anything that this version does not know')).toBe(2);
});

it('keeps a number out that Milvus would refuse', async () => {
  const client = createFakeClient(calmState());
  const { text } = await mountWindow(client, PAGE);
  await choose('Shards', '65');
  expect(text()).toContain('From 1 to 64, or empty.');
});

it('sends only what differs from the defaults, and reads back the same', () => {
  const form = toSettingsForm();
  expect(toOperationSettings(form)).toEqual({});
  expect(isDefault({})).toBe(true);
  form.policies.unknown = 'skip';
  form.shardNumber = ' 4 ';
  form.consistencyLevel = 'Strong';
  form.replicateRights = true;
  const settings = toOperationSettings(form);
  expect(settings).toEqual({
    policies: { unknown: 'skip' },
    replicateRights: true,
    overrides: { shardNumber: 4, consistencyLevel: 'Strong' },
  });
  expect(sameSettings(settings, toOperationSettings(toSettingsForm(settings)))).toBe(true);
  expect(toOperationSettings({ ...form, replicaNumber: '0' })).toBeUndefined();
});
