/** Things that happen to a source, in a fixed order. */
import type { MemorySource } from '../support/memory-source.ts';
import type { Row } from '../support/wal-builder.ts';

export const rowsOf = (from: number, to: number, value: string): Row[] =>
  Array.from({ length: to - from }, (_unused, index) => ({
    key: BigInt(from + index),
    value: `${value}-${from + index}`,
  }));

/** Needs three channels. */
export function everyKindOfChange(source: MemorySource): void {
  source.createDatabase('shop');
  const orders = source.createCollection('orders', { database: 'shop', channels: [0, 1] });
  const namesake = source.createCollection('orders', { channels: [1, 2] });
  source.insert(orders, rowsOf(0, 6, 'shop'));
  source.insert(namesake, rowsOf(0, 4, 'default'));
  source.tickAll();
  source.createIndex(orders);
  source.load(orders);
  source.delete(orders, [1n, 2n]);
  source.upsert(orders, rowsOf(3, 7, 'replaced'));
  source.upsert(namesake, rowsOf(2, 6, 'insert-first'), '_default', true);
  source.createPartition(orders, 'north');
  source.insert(orders, rowsOf(20, 24, 'north'), 'north');
  source.tickAll();
  source.dropPartition(orders, 'north');
  source.createPartition(orders, 'north');
  source.insert(orders, rowsOf(22, 26, 'north-again'), 'north');
  source.createPartition(namesake, 'empty');
  source.tickAll();
  source.dropCollection(namesake);
  const again = source.createCollection('orders', { channels: [2, 0] });
  source.insert(again, rowsOf(0, 5, 'again'));
  source.createIndex(again);
  source.tickAll();
  const keyed = source.createCollection('keyed', { channels: [1], hasPartitionKey: true, hasTextKeys: true });
  source.insert(keyed, [
    { key: 'a', value: 'x' },
    { key: 'b', value: 'y' },
  ]);
  source.upsert(keyed, [{ key: 'b', value: 'z' }]);
  source.delete(keyed, ['a']);
  source.createDatabase('gone');
  const lost = source.createCollection('lost', { database: 'gone', channels: [0] });
  source.insert(lost, rowsOf(0, 2, 'lost'));
  source.tickAll();
  source.dropCollection(lost);
  source.dropDatabase('gone');
  source.createDatabase('gone');
  source.flush(orders);
  source.tickAll();
}
