/** Every recorded message, decoded by the product and held against what protobufjs made of it when it was recorded. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { decodeRecord } from '../../electron/engine/codec/decode.ts';
import { comparable } from '../support/golden-messages.ts';

const folder = join(import.meta.dirname, 'wal');
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.bin'))
  .map((file) => file.slice(0, -'.bin'.length));

interface Golden {
  readonly origin: string;
  readonly expected: { readonly kind: string; readonly what?: string };
}

const load = (name: string): { payload: Uint8Array; golden: Golden } => ({
  payload: new Uint8Array(readFileSync(join(folder, `${name}.bin`))),
  golden: JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as Golden,
});

describe('recorded messages of Milvus 2.3.5', () => {
  test('there is one of every kind that the server writes', () => {
    const kinds = new Set(names.map((name) => load(name).golden.expected.kind));
    expect([...kinds].sort()).toEqual([
      'createCollection',
      'delete',
      'dropCollection',
      'dropPartition',
      'insert',
      'malformed',
      'operation',
      'timeTick',
      'unknown',
    ]);
  });

  test.each(names)('%s decodes to what was expected', (name) => {
    const { payload, golden } = load(name);
    const record = decodeRecord(payload);
    if (golden.expected.kind === 'malformed') {
      expect(record).toMatchObject({ kind: 'malformed' });
      expect(record.kind === 'malformed' && record.what).toContain(golden.expected.what);
      return;
    }
    if (record.kind === 'malformed') throw new Error(`${record.what} at ${record.offset}`);
    expect(comparable(record)).toEqual(golden.expected);
  });

  test('the insert half of an upsert takes its time from its rows, its base having none', () => {
    const insert = decodeRecord(load('upsert-insert-all-types').payload);
    const deletion = decodeRecord(load('delete-partition-all-types').payload);
    expect(insert.kind === 'insert' && insert.beginTick > 0n).toBe(true);
    expect(insert.kind === 'insert' && deletion.kind === 'delete' && insert.endTick === deletion.endTick).toBe(true);
  });

  test('columns are views of the message, not copies', () => {
    const { payload } = load('insert-all-types');
    const record = decodeRecord(payload);
    if (record.kind !== 'insert') throw new Error(record.kind);
    for (const { bytes } of record.fields) expect(bytes.buffer).toBe(payload.buffer);
  });

  test('every prefix of every message is decoded or refused, and never throws', () => {
    for (const name of names) {
      const { payload } = load(name);
      for (let length = 0; length < payload.length; length += 1) {
        const record = decodeRecord(payload.subarray(0, length));
        if (record.kind === 'malformed') expect(record.offset).toBeLessThanOrEqual(length);
      }
    }
  });
});
