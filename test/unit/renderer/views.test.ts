import { flushPromises } from '@vue/test-utils';
import { expect, it } from 'vitest';
import { useTheme } from '../../../renderer/app/theme.ts';
import { useProblems } from '../../../renderer/app/problems.store.ts';
import { ContractError } from '../../../shared/contract/client.ts';
import { createFakeClient, errorData } from '../../support/fake-client.ts';
import {
  calmState,
  copyingState,
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

it('offers to load what a copy cannot read, once', async () => {
  const state = calmState();
  const [first, ...others] = state.tasks;
  const trouble = {
    error: errorData('notReadable', 'source', 'shop.orders is not loaded on the source.'),
    hint: 'Load it.',
    since: Date.now(),
  };
  const collections = first!.status!.collections.map((one, index) =>
    index === 0 ? { ...one, state: 'held' as const, trouble } : one,
  );
  const status = { ...first!.status!, state: 'held' as const, collections };
  state.tasks = [{ ...first!, start: { kind: 'copy', mayLoad: false }, status }, ...others];
  const client = createFakeClient(state);
  const { press, text } = await mountWindow(client, '/protection/orders');
  await press('Load them for the copy');
  expect(client.calls.at(-1)).toEqual({ name: 'tasks.resume', input: { id: 'orders', mayLoad: true } });
  expect(text()).not.toContain('Load them for the copy');
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

it('leads from source to target, selection, start and name to a plain summary, and creates', async () => {
  const client = createFakeClient(calmState());
  const { window, text, press, router } = await mountWindow(client, '/protections/new');
  await window.find('input[value="orders-prod"]').setValue(true);
  await press('Next');
  expect(text()).toContain('Is the source already.');
  await window.find('input[value="archive"]').setValue(true);
  await press('Next');
  expect(text()).toContain('Everything, also what is created later.');
  await press('Next');
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

it('makes of hundreds of collections only those in sight, and says how many there are', async () => {
  const { window, text } = await mountWindow(createFakeClient(crowdedState(450)), '/protection/orders');
  expect(text()).toContain('450 collections');
  expect(window.findAll('tr.opens').length).toBeLessThan(60);
  expect(window.find('table[aria-rowcount]').attributes('aria-rowcount')).toBe('451');
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

it('shows what the core refuses at the field that it is about, goes there, and says it as a sentence', async () => {
  const client = createFakeClient(calmState());
  const { window, text, press } = await mountWindow(client, '/cluster/orders-prod');
  const refusal = errorData('invalidInput', 'config', 'The port of the broker is missing.', 'Add it.');
  client.failNext('connections.save', new ContractError({ ...refusal, context: { field: 'wal.brokers[0]' } }));
  await press('Save');
  const field = window.find('[data-field="log.addresses"]');
  expect(field.text()).toContain('The port of the broker is missing.');
  const input = field.find('input');
  expect(input.attributes('aria-invalid')).toBe('true');
  expect(document.activeElement).toBe(input.element);
  expect(window.find('[role="alert"]').text()).toContain('Add it.');
  await input.setValue('kafka:9092');
  expect(field.text()).not.toContain('The port of the broker is missing.');
  expect(text()).toContain('Add it.');
});

it('leads back to the step of the wizard that the core refuses', async () => {
  const client = createFakeClient(calmState());
  const { window, text, press } = await mountWindow(client, '/protections/new');
  await window.find('input[value="orders-prod"]').setValue(true);
  await press('Next');
  await window.find('input[value="archive"]').setValue(true);
  await press('Next');
  await press('Next');
  await press('Next');
  await press('Next');
  const refusal = errorData('invalidInput', 'config', 'A protection of this name is there already.', 'Choose another.');
  client.failNext('tasks.create', new ContractError({ ...refusal, context: { field: 'name' } }));
  await press('Create protection');
  expect(text()).toContain('What is it called?');
  expect(text()).toContain('A protection of this name is there already.');
  await press('Next');
  expect(text()).not.toContain('A protection of this name is there already.');
});

it('proposes a copy where the rows of the source can be read, and says what will happen', async () => {
  const client = createFakeClient(calmState());
  const { window, text, press } = await mountWindow(client, '/protections/new');
  await window.find('input[value="orders-prod"]').setValue(true);
  await press('Next');
  await window.find('input[value="archive"]').setValue(true);
  await press('Next');
  await press('Next');
  expect(window.find<HTMLInputElement>('input[value="copy"]').element.checked).toBe(true);
  await window.find('input[type="checkbox"]').setValue(true);
  await press('Next');
  await press('Next');
  expect(text()).toContain('It copies every row that is there now');
  expect(text()).toContain('Collections of orders-prod that are not loaded are loaded for the copy');
  await press('Create protection');
  const { input } = client.calls.find(({ name }) => name === 'tasks.create')!;
  expect(input).toMatchObject({ start: { kind: 'copy', mayLoad: true } });
});

it('offers no copy of a source whose rows cannot be read, and asks for a time that has passed', async () => {
  const client = createFakeClient(calmState());
  const { window, text, press } = await mountWindow(client, '/protections/new');
  await window.find('input[value="analytics"]').setValue(true);
  await press('Next');
  await window.find('input[value="archive"]').setValue(true);
  await press('Next');
  await press('Next');
  expect(window.find('input[value="copy"]').attributes('disabled')).toBeDefined();
  expect(text()).toContain('The address of the source’s Milvus is not known');
  expect(window.find<HTMLInputElement>('input[value="creation"]').element.checked).toBe(true);
  await window.find('input[value="time"]').setValue(true);
  const next = () => window.find<HTMLButtonElement>('button.next').element;
  expect(next().disabled).toBe(true);
  await window.find('input[type="datetime-local"]').setValue('2999-01-01T00:00');
  expect(text()).toContain('Choose a time that has passed.');
  expect(next().disabled).toBe(true);
  await window.find('input[type="datetime-local"]').setValue('2026-01-02T03:04');
  await press('Next');
  await press('Next');
  expect(text()).toContain('It begins with the changes of Jan 2, 2026');
  await press('Create protection');
  const { input } = client.calls.find(({ name }) => name === 'tasks.create')!;
  expect(input).toMatchObject({ start: { kind: 'time', unixMs: new Date('2026-01-02T03:04').getTime() } });
});

it('says how many rows are copied, and keeps what a copy has shown', async () => {
  const client = createFakeClient(copyingState());
  const { window, text } = await mountWindow(client, '/protection/orders');
  expect(text()).toContain('186,000 rows so far.');
  const history = window.find('section[aria-label="Collections that were copied and joined to the log"]');
  expect(history.text()).toContain('shop.orders');
  expect(history.text()).toContain('1,204,300');
  await history.find('tr.row').trigger('click');
  expect(history.text()).toContain('by-dev-rootcoord-dml_0_44811v0');
  expect(history.text()).toContain('470658248950677509');
});

it('pauses everything at once, says so, and takes it back', async () => {
  const client = createFakeClient(calmState());
  const { text, press } = await mountWindow(client, '/protections');
  await press('Pause all (2)');
  expect(client.state.tasks.map(({ desired }) => desired)).toEqual(['paused', 'paused', 'paused']);
  expect(text()).toContain('2 protections were paused.');
  await press('Undo');
  // The one that was paused before stays so.
  expect(client.state.tasks.map(({ desired }) => desired)).toEqual(['running', 'running', 'paused']);
});

it('pauses those that are marked with the keyboard, and no others', async () => {
  const client = createFakeClient(calmState());
  const { window, press } = await mountWindow(client, '/protections');
  const row = window.findAll('tr.row').find((one) => one.text().includes('media library'))!;
  await row.trigger('focus');
  await row.trigger('keydown', { key: ' ' });
  await press('Pause (1)');
  expect(client.state.tasks.filter(({ desired }) => desired === 'paused').map(({ id }) => id)).toEqual([
    'media',
    'nightly',
  ]);
});

it('offers neither pause nor deletion of what was begun from a file', async () => {
  const state = calmState();
  state.tasks = state.tasks.map((one) => ({ ...one, origin: 'file' as const }));
  const { text } = await mountWindow(createFakeClient(state), '/protections');
  expect(text()).toContain('From a file');
  expect(document.querySelector('[aria-label="Pause orders"], [aria-label="Delete orders"]')).toBeNull();
  expect(text()).not.toContain('Pause all');
});

it('gives the bars of the browser the colour of the theme', async () => {
  const { window } = await mountWindow(createFakeClient(calmState()), '/');
  const color = (): string => document.querySelector<HTMLMetaElement>('meta[name="theme-color"]')!.content;
  useTheme(window.vm.$pinia).choose('light');
  await flushPromises();
  const light = color();
  useTheme(window.vm.$pinia).choose('dark');
  await flushPromises();
  expect([light, color()]).toEqual(['#ffffff', '#1a1d24']);
});

it('asks for the log of a drill, and shows in its place why it cannot run', async () => {
  const client = createFakeClient(emptyState());
  const { text, press } = await mountWindow(client, '/lab');
  client.failNext(
    'drill.start',
    new ContractError(errorData('prerequisiteMissing', 'lab', 'Kafka needs Java, which is missing.', 'Install Java.')),
  );
  await press('Run the drill');
  expect(client.calls.at(-1)).toEqual({ name: 'drill.start', input: { rows: 20_000, seconds: 20, wal: 'nats' } });
  expect(text()).toContain('Kafka needs Java, which is missing.');
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
