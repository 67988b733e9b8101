/** Names and aliases at the target's edge. */
import { expect, test } from 'vitest';
import { mapTarget } from '../../../../electron/engine/target/mapped-target.ts';
import type { Target } from '../../../../electron/engine/target/target.ts';
import { SAME_NAMES, type NameMapping } from '../../../../shared/model/name-mapping.ts';

const { signal } = new AbortController();
const ORDERS = { database: 'shop', collection: 'orders' };
const SALES = { database: 'shop', collection: 'sales' };

function mapped(mapping: Partial<NameMapping>) {
  const calls: unknown[] = [];
  const note =
    (name: string) =>
    (...args: unknown[]): Promise<void> => {
      calls.push([name, ...args.slice(0, -1)]);
      return Promise.resolve();
    };
  const names = ['renameCollection', 'createAlias', 'alterAlias', 'dropAlias', 'describeAlias'];
  const target = Object.fromEntries(names.map((name) => [name, note(name)])) as unknown as Target;
  return { target: mapTarget(target, { ...SAME_NAMES, ...mapping }), calls };
}

test('a rename goes from what the old name is mapped to, to what the new one is', async () => {
  const rules = [{ from: ORDERS, to: { database: 'store', collection: 'all_orders' } }];
  const { target, calls } = mapped({ rules, collectionSuffix: '_dr' });
  await target.renameCollection(ORDERS, SALES, signal);
  const from = { database: 'store', collection: 'all_orders' };
  expect(calls).toEqual([['renameCollection', from, { database: 'shop', collection: 'sales_dr' }]]);
});

test('an alias has the name that a collection of its name would have', async () => {
  const { target, calls } = mapped({ databasePrefix: 'dr_', collectionSuffix: '_dr' });
  await target.createAlias(ORDERS, 'current', signal);
  await target.alterAlias(SALES, 'current', signal);
  await target.describeAlias('shop', 'current', signal);
  await target.dropAlias('shop', 'current', signal);
  expect(calls).toEqual([
    ['createAlias', { database: 'dr_shop', collection: 'orders_dr' }, 'current_dr'],
    ['alterAlias', { database: 'dr_shop', collection: 'sales_dr' }, 'current_dr'],
    ['describeAlias', 'dr_shop', 'current_dr'],
    ['dropAlias', 'dr_shop', 'current_dr'],
  ]);
});

test('an alias that would stand in another database than its collection is refused', async () => {
  const { target, calls } = mapped({ rules: [{ from: ORDERS, to: { database: 'store' } }] });
  await expect(target.createAlias(ORDERS, 'current', signal)).rejects.toMatchObject({ code: 'invalidRequest' });
  expect(calls).toEqual([]);
});
