import { flushPromises } from '@vue/test-utils';
import { expect, it, vi } from 'vitest';
import { ContractError } from '../../../shared/contract/client.ts';
import { createFakeClient, errorData, type FakeState } from '../../support/fake-client.ts';
import { calmState } from '../../support/fake-states.ts';
import { mountWindow } from './mount-window.ts';

const HELD = [
  { database: 'default', collection: 'orders', rows: 1_000 },
  { database: 'default', collection: 'customers', rows: 20 },
  { database: 'shop', collection: 'items', rows: 5 },
];

const stateWith = (more: Partial<FakeState> = {}): FakeState => ({
  ...calmState(),
  held: { 'orders-prod': HELD },
  ...more,
});

async function atSelection(state = stateWith()) {
  const client = createFakeClient(state);
  const mounted = await mountWindow(client, '/protections/new');
  const { window, press } = mounted;
  await window.find('input[value="orders-prod"]').setValue(true);
  await press('Next');
  await window.find('input[value="archive"]').setValue(true);
  await press('Next');
  await flushPromises();
  const isNextDisabled = () => window.find<HTMLButtonElement>('button.next').element.disabled;
  return { client, ...mounted, isNextDisabled };
}

it('shows what everything is now, with rows and sizes, before anything is chosen', async () => {
  const { text, isNextDisabled } = await atSelection();
  expect(text()).toContain('3 of 3 collections, 1,025 rows, about 103 kB');
  expect(text()).toContain('default.customers');
  expect(isNextDisabled()).toBe(false);
});

it('chooses from a list by search, and creates with just that', async () => {
  const { client, window, text, press, isNextDisabled } = await atSelection();
  await window.find('input[value="chosen"]').setValue(true);
  expect(isNextDisabled()).toBe(true);
  await window.find('input[aria-label="Search collections"]').setValue('SHOP');
  expect(window.find('[role="group"]').text()).toContain('shop.items');
  expect(window.find('[role="group"]').text()).not.toContain('default.orders');
  await window.find('input[value="shop.items"]').setValue(true);
  expect(text()).toContain('1 ticked');
  await window.find('textarea[aria-describedby="pattern-help"]').setValue('default.cust*');
  expect(isNextDisabled()).toBe(false);
  for (let step = 0; step < 3; step += 1) await press('Next');
  await press('Create protection');
  expect(client.calls.find(({ name }) => name === 'tasks.create')?.input).toMatchObject({
    selection: {
      include: [
        { database: 'shop', collection: 'items' },
        { database: 'default', collection: 'cust*' },
      ],
      exclude: [],
      later: true,
    },
  });
});

it('says which line is no pattern, and goes no further', async () => {
  const { window, text, isNextDisabled } = await atSelection();
  await window.find('textarea[aria-describedby="pattern-help"]').setValue('orders');
  expect(text()).toContain('“orders” is no pattern of the form database.collection.');
  expect(isNextDisabled()).toBe(true);
});

it('shows the names on the target, and says at the end that they are for good', async () => {
  const { client, window, text, press } = await atSelection();
  await window.find('.affixes input').setValue('dr_');
  await window.find('textarea[aria-describedby="rules-help"]').setValue('shop.* = dr_shop.*');
  for (let step = 0; step < 3; step += 1) await press('Next');
  expect(text()).toContain('The copies bear other names, which cannot be changed later.');
  await press('Create protection');
  expect(client.calls.find(({ name }) => name === 'tasks.create')?.input).toMatchObject({
    mapping: { databasePrefix: 'dr_', rules: [{ from: { database: 'shop' }, to: { database: 'dr_shop' } }] },
  });
});

it('says what stands in the way, and goes no further', async () => {
  const message = 'default.a and default.b would both become default.c.';
  const { text, isNextDisabled } = await atSelection(
    stateWith({ conflicts: [{ kind: 'clash', message, collections: [] }] }),
  );
  expect(text()).toContain(message);
  expect(isNextDisabled()).toBe(true);
});

it('goes on where the clusters cannot be asked, says so, and asks again when told to', async () => {
  const client = createFakeClient(stateWith());
  const { window, text, press } = await mountWindow(client, '/protections/new');
  await window.find('input[value="orders-prod"]').setValue(true);
  await press('Next');
  await window.find('input[value="archive"]').setValue(true);
  client.failNext(
    'tasks.preview',
    new ContractError(errorData('unreachable', 'target', 'The target does not answer.')),
  );
  await press('Next');
  await flushPromises();
  expect(text()).toContain('It cannot be looked at now: The target does not answer.');
  expect(window.find<HTMLButtonElement>('button.next').element.disabled).toBe(false);
  await press('Try again');
  await flushPromises();
  expect(text()).toContain('3 of 3 collections');
});

it('leads back to the selection that the core refuses', async () => {
  const { client, text, press } = await atSelection();
  for (let step = 0; step < 3; step += 1) await press('Next');
  const refusal = errorData('invalidInput', 'config', 'It would go round in a loop.', 'Look at the preview.');
  client.failNext('tasks.create', new ContractError({ ...refusal, context: { field: 'selection' } }));
  await press('Create protection');
  expect(text()).toContain('What is copied?');
  expect(text()).toContain('It would go round in a loop.');
});

it('shows of a protection what it replicates and leaves out, and changes it after a look', async () => {
  const state = stateWith();
  const [task] = state.tasks;
  if (task?.status === undefined) throw new Error('no task');
  const followed = task.status.collections.map(({ database, name }) => ({
    database,
    collection: name,
    rows: 10,
  }));
  const selected = {
    ...task,
    selection: { include: [{ database: 'default', collection: '*' }], exclude: [], later: false },
    status: { ...task.status, leftOut: { count: 2, names: ['shop.items', 'shop.old'] } },
  };
  const client = createFakeClient({
    ...state,
    tasks: [selected, ...state.tasks.slice(1)],
    held: { [task.sourceId]: [...followed, { database: 'shop', collection: 'items', rows: 3 }] },
  });
  const { text, press } = await mountWindow(client, `/protection/${task.id}`);
  expect(text()).toContain('default.*. Nothing that is created later.');
  expect(text()).toContain('2 collections of the source are not protected: shop.items, shop.old');
  await press('Change the selection');
  await flushPromises();
  const dialog = document.body.querySelector('.el-dialog');
  expect(dialog?.textContent).toContain('What it matches now');
  const everything = dialog?.querySelector<HTMLInputElement>('input[value="everything"]');
  everything?.click();
  await vi.waitFor(() => expect(dialog?.textContent).toContain('1 collection is added and copied.'));
  const apply = [...(dialog?.querySelectorAll('button') ?? [])].find((button) => button.textContent.trim() === 'Apply');
  apply?.click();
  await flushPromises();
  expect(client.calls.find(({ name }) => name === 'tasks.select')?.input).toMatchObject({
    id: task.id,
    selection: { include: [{ database: '*', collection: '*' }], later: false },
  });
});
