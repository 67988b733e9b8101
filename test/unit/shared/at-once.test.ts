import { expect, test } from 'vitest';
import { atOnce } from '../../../shared/at-once.ts';

interface Call {
  readonly item: number;
  readonly end: PromiseWithResolvers<void>;
}

function calls(): { readonly begun: Call[]; readonly work: (item: number) => Promise<void> } {
  const begun: Call[] = [];
  const work = (item: number): Promise<void> => {
    const end = Promise.withResolvers<void>();
    begun.push({ item, end });
    return end.promise;
  };
  return { begun, work };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('begins as many as may run, and the next one when one has ended', async () => {
  const { begun, work } = calls();
  const done = atOnce(2, [1, 2, 3], work);
  expect(begun.map(({ item }) => item)).toEqual([1, 2]);
  begun[1]?.end.resolve();
  await settled();
  expect(begun.map(({ item }) => item)).toEqual([1, 2, 3]);
  for (const { end } of begun) end.resolve();
  await done;
});

test('throws the first failure when what runs has ended, and begins nothing new', async () => {
  const { begun, work } = calls();
  let hasEnded = false;
  const done = atOnce(2, [1, 2, 3], work).finally(() => (hasEnded = true));
  done.catch(() => undefined);
  begun[0]?.end.reject(new Error('first'));
  await settled();
  expect([hasEnded, begun.length]).toEqual([false, 2]);
  begun[1]?.end.reject(new Error('second'));
  await expect(done).rejects.toThrow('first');
  expect(begun).toHaveLength(2);
});

test('has nothing to do without items', async () => {
  await expect(atOnce(3, [], () => Promise.reject(new Error('called')))).resolves.toBeUndefined();
});
