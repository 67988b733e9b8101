import { flushPromises } from '@vue/test-utils';
import { expect, it } from 'vitest';
import { ContractError } from '../../../shared/contract/client.ts';
import { createFakeClient, errorData } from '../../support/fake-client.ts';
import { calmState, collection, copyingState, status } from '../../support/fake-states.ts';
import { gapState, inUseState, laggingState, quarantineState, silentState } from '../../support/fake-troubles.ts';
import { mountWindow, type MountedWindow } from './mount-window.ts';

const PAGE = '/protection/orders';

async function openRow({ window }: MountedWindow, name: string): Promise<void> {
  const row = window.findAll('tr.opens').find((one) => one.text().includes(name));
  await row?.trigger('click');
  await flushPromises();
}

async function fill(label: string, text: string): Promise<void> {
  const fields = [...document.body.querySelectorAll<HTMLInputElement>('input, textarea')];
  const field = fields.find(
    (one) => one.getAttribute('aria-label') === label || one.closest('label')?.textContent.includes(label) === true,
  );
  if (field === undefined) throw new Error(`There is no field "${label}".`);
  field.value = text;
  field.dispatchEvent(new Event('input'));
  await flushPromises();
}

const isDisabled = (name: string): boolean | undefined =>
  [...document.body.querySelectorAll('button')].findLast((button) => button.textContent.trim() === name)?.disabled;

it('says why a protection lags, and when the log will have removed what is needed', async () => {
  const { text } = await mountWindow(createFakeClient(laggingState()), PAGE);
  expect(text()).toContain('Changes arrive, but late. RPO 4 min.');
  expect(text()).toContain('Why it lags');
  expect(text()).toContain('Target Reading waits, since 254 MiB of changes wait for the target (423 rows/s).');
  expect(text()).toContain('Not in sync: changes are on their way.');
  expect(text()).toContain(
    'At this rate the log removes what is still needed in 3 h 12 min (by-dev-rootcoord-dml_0, shop.orders).',
  );
  expect(text()).toContain('61 messages/s');
  expect(text()).toContain('312,400 rows');
});

it('has its own words for the slowest stage where another language is chosen', async () => {
  const { text } = await mountWindow(createFakeClient(laggingState()), PAGE, 'zh-Hans');
  expect(text()).toContain('目标 变更正在等待目标确认之前的写入。（shop.orders）');
  expect(text()).not.toContain('Reading waits');
});

it('tells a source that writes nothing from one that gives no sign, and both from being in sync', async () => {
  const calm = calmState();
  const [orders, ...others] = calm.tasks;
  const at = orders!.status!.at;
  const idle = { ...orders!.status!, source: { activity: 'idle' as const, sinceMs: at - 180_000 } };
  calm.tasks = [{ ...orders!, status: idle }, ...others];
  const still = (await mountWindow(createFakeClient(calm), PAGE)).text();
  expect(still).toContain('Nothing has been written on the source for 3 min.');
  expect(still).toContain('In sync: the target has every change that the log has shown.');
  expect(still).toContain('The log keeps what is needed; no end is in sight.');

  const silent = (await mountWindow(createFakeClient(silentState()), PAGE)).text();
  expect(silent).toContain('The source has given no sign for 42 s, not even of its clock: by-dev-rootcoord-dml_1.');
  expect(silent).toContain('Not in sync');
  expect(silent).toContain('The source’s clock is 2 s ahead of this machine’s.');
});

it('warns of a log that runs away and of a silent source where one asks whether all is safe', async () => {
  const { text } = await mountWindow(createFakeClient(silentState()), '/');
  expect(text()).toContain('orders: The source has given no sign for 42 s');
  expect(text()).toContain('orders: At this rate the log removes what is still needed in 11 min');
  expect((await mountWindow(createFakeClient(calmState()), '/')).text()).not.toContain('the log removes');
});

it('says how long the log still keeps what a paused protection needs', async () => {
  const state = calmState();
  state.tasks = state.tasks.map((one) => {
    if (one.id !== 'nightly' || one.status === undefined) return one;
    const headroom = one.status.headroom!.map((channel) => ({
      ...channel,
      leftMs: null,
      keptUntilMs: Date.now() + 50.5 * 3_600_000,
    }));
    return { ...one, status: { ...one.status, headroom } };
  });
  const { text } = await mountWindow(createFakeClient(state), '/protection/nightly');
  expect(text()).toContain('Paused: the log keeps what is needed for 2 d 2 h more');
});

it('shows a gap, and copies just its collections again once that is confirmed', async () => {
  const client = createFakeClient(gapState());
  const { text, press } = await mountWindow(client, PAGE);
  expect(text()).toContain('Changes are missing');
  expect(text()).toContain('shop.order_items, shop.orders');
  await press('Copy these again');
  expect(text()).toContain('Rows that orders-prod no longer has are deleted on standby.');
  expect(client.calls.some(({ name }) => name === 'tasks.recopy')).toBe(false);
  await press('Copy again');
  expect(client.calls.find(({ name }) => name === 'tasks.recopy')?.input).toEqual({
    id: 'orders',
    collectionIds: ['44810', '44811'],
  });
  expect(text()).toContain('Being copied again.');
  expect(text()).toMatch(/shop\.orders.{1,80}removed by the log.{1,40}open/);
  expect(text()).toContain('1,204');
  expect(text()).toMatch(/shop\.customers.{1,80}removed by the log.{1,40}closed by a copy/);
});

it('lets a gap be copied without asking from now on', async () => {
  const client = createFakeClient(gapState());
  const { window } = await mountWindow(client, PAGE);
  await window.find('.gaps input[role="switch"]').setValue(true);
  await flushPromises();
  expect(client.calls.at(-1)).toEqual({ name: 'tasks.gapPolicy', input: { id: 'orders', onGap: 'copy' } });
});

it('offers no copy where the rows of the source cannot be read, and says why', async () => {
  const state = gapState();
  state.connections = state.connections.map((one) => ({ ...one, milvus: undefined }));
  const { text } = await mountWindow(createFakeClient(state), PAGE);
  expect(text()).toContain('The address of the source’s Milvus is not known, so its rows cannot be copied.');
  expect(isDisabled('Copy these again')).toBe(true);
});

it('says of a failed collection what, why and what to do, and tries it again alone', async () => {
  const client = createFakeClient(quarantineState());
  const page = await mountWindow(client, PAGE);
  expect(page.text()).toContain('2 of 8 collections wait for you; the others go on.');
  await openRow(page, 'images');
  expect(page.text()).toContain('the vector field "embedding" has dimension 512');
  await page.press('Try shop.images again');
  expect(client.calls).toContainEqual({
    name: 'tasks.retryCollection',
    input: { id: 'orders', collectionId: '44816' },
  });
});

it('does not offer to try again what only a copy can mend', async () => {
  const client = createFakeClient(gapState());
  const page = await mountWindow(client, PAGE);
  await openRow(page, 'order_items');
  await expect(page.press('Try shop.order_items again')).rejects.toThrow('no button');
  await page.press('Copy shop.order_items again');
  expect(page.text()).toContain('Copy shop.order_items again?');
});

it('takes many collections up at once, and says how many refused', async () => {
  const client = createFakeClient(quarantineState());
  const { press, text, window } = await mountWindow(client, PAGE);
  await window.find('input[aria-label="Select all rows"]').setValue(true);
  await flushPromises();
  expect(text()).toContain('8 selected');
  expect(text()).toContain('Copy again (8)');
  client.failNext('tasks.retryCollection', new ContractError(errorData('notFound', 'config', 'It is gone.')));
  await press('Try again (2)');
  expect(client.calls.filter(({ name }) => name === 'tasks.retryCollection')).toHaveLength(2);
  expect(text()).toContain('One collection is taken up again. One refused.');
  expect(text()).toContain('It is gone.');
});

it('leaves collections alone while their protection has stopped as a whole', async () => {
  const state = calmState();
  const trouble = { ...errorTrouble('storeFailed'), since: Date.now() };
  const failed = collection('1', 'orders', { state: 'failed', trouble });
  state.tasks = state.tasks.map((one) =>
    one.id === 'orders' ? { ...one, status: status('orders', [failed], { state: 'failed', trouble }) } : one,
  );
  const page = await mountWindow(createFakeClient(state), PAGE);
  await openRow(page, 'orders');
  expect(page.text()).toContain('The protection itself has stopped. Resume it first.');
});

function errorTrouble(code: string) {
  const { hint, ...error } = errorData(code, 'store', 'The disk failed.', 'Mend it.');
  return { error, hint };
}

it('shows a quarantined message with its cause, place and keys, and skips it only with a reason', async () => {
  const client = createFakeClient(quarantineState());
  const { press, text } = await mountWindow(client, PAGE);
  expect(text()).toContain('2 messages cannot be applied.');
  await press('Inspect');
  expect(text()).toContain('by-dev-rootcoord-dml_0 · 91822');
  expect(text()).toContain('470658247834468382, 470658247834468383');
  expect(text()).toContain('id, title, embedding');
  await press('Skip …');
  expect(text()).toContain('200 rows of shop.images will be missing on the target, or stay as they were before.');
  expect(isDisabled('Skip the message')).toBe(true);
  await fill('Reason', ' Test rows. ');
  await press('Skip the message');
  expect(client.calls.find(({ name }) => name === 'tasks.skipRecord')?.input).toEqual({
    id: 'orders',
    recordId: 'r1',
    reason: 'Test rows.',
  });
  // The next one takes its place, and what was decided stands in the history.
  expect(text()).toContain('It cannot be read at byte 412');
  expect(text()).toContain('One message cannot be applied.');
  expect(text()).toContain('Skipped messages');
});

it('keeps the dialog open and says why a message could not be skipped', async () => {
  const client = createFakeClient(quarantineState());
  const { press, text } = await mountWindow(client, PAGE);
  await press('Inspect');
  await press('Skip …');
  await fill('Reason', 'Test rows.');
  client.failNext('tasks.skipRecord', new ContractError(errorData('notFound', 'config', 'It was decided on already.')));
  await press('Skip the message');
  expect(text()).toContain('It was decided on already.');
});

it('leads from a collection to the message that it waits at', async () => {
  const page = await mountWindow(createFakeClient(quarantineState()), PAGE);
  await openRow(page, 'sessions');
  await page.press('Inspect the message of shop.sessions');
  expect(page.text()).toContain('Unreadable');
});

it('says that the messages could not be asked for, and asks again', async () => {
  const client = createFakeClient(quarantineState());
  client.failNext('tasks.quarantineRecord', new Error('Failed to fetch'));
  const { press, text } = await mountWindow(client, PAGE);
  await press('Inspect');
  expect(text()).toContain('The core did not answer.');
  await press('Try again');
  expect(text()).toContain('First keys');
  await press('Try to apply it again');
  expect(client.calls.find(({ name }) => name === 'tasks.retryCollection')?.input).toEqual({
    id: 'orders',
    collectionId: '44816',
  });
});

it('shows how far a copy is, and changes what it may take of the source while it runs', async () => {
  const client = createFakeClient(copyingState());
  const { press, text } = await mountWindow(client, PAGE);
  expect(text()).toContain('4,920 rows/s.');
  await fill('Rows per second', '0');
  expect(text()).toContain('A whole number above 0, or empty.');
  expect(isDisabled('Apply')).toBe(true);
  await fill('Rows per second', '');
  await fill('MB per second', '2.5');
  await press('Apply');
  expect(client.calls.at(-1)).toEqual({
    name: 'tasks.copyBudget',
    input: { id: 'orders', budget: { bytesPerSecond: 2_500_000 } },
  });
  expect(text()).toContain('It holds from now on.');
});

it('names the other engine, and takes its place only when one is sure', async () => {
  const client = createFakeClient(inUseState());
  const { press, text, window } = await mountWindow(client, PAGE);
  expect(text()).toContain('Another Lifeline writes into the target');
  await press('Take the target over …');
  expect(text()).toContain('The other one runs on dr-2.example.com.');
  expect(isDisabled('Take over')).toBe(true);
  expect(window.exists()).toBe(true);
  const sure = document.body.querySelector<HTMLInputElement>('.sure input');
  sure?.click();
  await flushPromises();
  await press('Take over');
  expect(client.calls.at(-1)).toEqual({ name: 'tasks.resume', input: { id: 'orders', takeOver: true } });
});

it('says how far the log of the chosen source goes back, or why that is not known', async () => {
  const client = createFakeClient(calmState());
  const { press, text, window } = await mountWindow(client, '/protections/new');
  const choose = async (value: string): Promise<void> => {
    await window.find(`input[value="${value}"]`).setValue(true);
  };
  client.failNext(
    'connections.oldestKept',
    new ContractError(errorData('unreachable', 'wal', 'Kafka does not answer.')),
  );
  await choose('orders-prod');
  await press('Next');
  await choose('standby');
  await press('Next');
  await press('Next');
  await choose('oldest');
  await flushPromises();
  expect(text()).toContain('How far the log goes back could not be found out: Kafka does not answer.');
  await press('Back');
  await press('Next');
  expect(text()).toContain('The log goes back to');
  expect(text()).toContain('Rows with a time to live expire by the target’s clock');
});

it('begins at positions that were pasted, once they can be read', async () => {
  const client = createFakeClient(calmState());
  const { press, text, window } = await mountWindow(client, '/protections/new');
  await window.find('input[value="orders-prod"]').setValue(true);
  await press('Next');
  await window.find('input[value="standby"]').setValue(true);
  await press('Next');
  await press('Next');
  await window.find('input[value="positions"]').setValue(true);
  expect(isDisabled('Next')).toBe(true);
  await fill('Positions as JSON', '{"dml_0": "no base64"}');
  expect(text()).toContain('The position of dml_0 is not base64.');
  expect(isDisabled('Next')).toBe(true);
  await fill('Positions as JSON', '{"dml_0": "Cg=="}');
  await window.find('.gap input').setValue(true);
  await press('Next');
  await press('Next');
  expect(text()).toContain('If the log loses changes, it copies the collections concerned again without asking.');
  await press('Create protection');
  expect(client.calls.find(({ name }) => name === 'tasks.create')?.input).toMatchObject({
    start: { kind: 'positions', positions: { dml_0: 'Cg==' } },
    onGap: 'copy',
  });
});
