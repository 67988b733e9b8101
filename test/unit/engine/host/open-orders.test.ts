import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { OpenOrders } from '../../../../electron/engine/host/open-orders.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function asked(orders: OpenOrders): { request: number; answer: Promise<unknown> } {
  let request = 0;
  const answer = orders.ask((number) => (request = number));
  answer.catch(() => undefined);
  return { request, answer };
}

it('gives each order its own answer, in whatever order they come', async () => {
  const orders = new OpenOrders();
  const [first, second] = [asked(orders), asked(orders)];
  orders.take({ kind: 'answer', request: second.request, result: 'second' });
  orders.take({ kind: 'answer', request: first.request, result: undefined });
  expect(await second.answer).toBe('second');
  expect(await first.answer).toBeUndefined();
});

it('passes on what the engine refuses, as the error that it was', async () => {
  const orders = new OpenOrders();
  const { request, answer } = asked(orders);
  const error = new ReplicationError('notFound', 'internal', 'There is no such message.');
  orders.take({ kind: 'answer', request, error: error.toData() });
  await expect(answer).rejects.toMatchObject({ code: 'notFound', message: 'There is no such message.' });
});

it('ends all that is open when the thread has ended, and hears nothing afterwards', async () => {
  const orders = new OpenOrders();
  const { request, answer } = asked(orders);
  orders.endAll();
  orders.take({ kind: 'answer', request, result: 'late' });
  await expect(answer).rejects.toMatchObject({ code: 'notReady' });
});

it('does not wait for ever, and says that it may still happen', async () => {
  const orders = new OpenOrders();
  const { answer } = asked(orders);
  await vi.advanceTimersByTimeAsync(60_000);
  await expect(answer).rejects.toMatchObject({ code: 'timeout', message: expect.stringContaining('may still') });
});
