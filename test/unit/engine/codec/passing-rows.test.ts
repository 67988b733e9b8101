import { describe, expect, test } from 'vitest';
import { shardOfRows } from '../../../../electron/engine/codec/passing-rows.ts';
import { MemorySource } from '../../../support/memory-source.ts';
import { asPChannel } from '../../../../shared/model/ids.ts';
import { rowsOf } from '../../../sim/scenarios.ts';
import { readFileSync } from 'node:fs';

describe('the shard of a message that carries rows', () => {
  test('is read off what Milvus has written, inserts and deletes alike', () => {
    for (const [name, expected] of [
      ['insert-all-types', /^.+_\d+v\d+$/],
      ['delete-all-types', /^.+_\d+v\d+$/],
      ['upsert-insert-all-types', /^.+_\d+v\d+$/],
    ] as const) {
      const payload = readFileSync(new URL(`../../../golden/wal/${name}.bin`, import.meta.url));
      expect(shardOfRows(payload)).toMatch(expected);
    }
  });

  test('is not asked of others, nor of what cannot be read', () => {
    for (const name of [
      'time-tick',
      'create-collection-all-types',
      'drop-partition',
      'load-collection',
      'odd-empty',
      'odd-no-base',
      'odd-no-shard-name',
      'odd-unknown-type',
    ]) {
      const payload = readFileSync(new URL(`../../../golden/wal/${name}.bin`, import.meta.url));
      expect(shardOfRows(payload), name).toBeUndefined();
    }
  });

  test('is that of the message as it is read in full', async () => {
    const source = new MemorySource(1);
    const orders = source.createCollection('orders', { channels: [0] });
    source.insert(orders, rowsOf(0, 3, 'value'));
    const { latest } = await source.wal.bounds(source.channels[0] ?? asPChannel('none'));
    const { payload } = await source.wal.readAt(
      source.channels[0] ?? asPChannel('none'),
      latest,
      new AbortController().signal,
    );
    expect(shardOfRows(payload)).toBe(orders.vchannels[0]);
  });
});
