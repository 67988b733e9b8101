import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FINGERPRINTS, SHOP_ORDERS, VARCHAR_BYTES_MAX } from '../../../../electron/core/drill/load/blueprints.ts';
import { runLane } from '../../../../electron/core/drill/load/lane.ts';
import { LiveKeys } from '../../../../electron/core/drill/load/live-keys.ts';
import type { LoadedCollection } from '../../../../electron/core/drill/load/loaded-collection.ts';
import { seededRandom } from '../../../../electron/core/drill/load/random.ts';
import { int64Key, makeRow, varcharKey } from '../../../../electron/core/drill/load/row-values.ts';
import { startLoad } from '../../../../electron/core/drill/load/run-load.ts';

const MANY = 20_000;

describe('keys', () => {
  it('never repeat, and include the extremes of their type', () => {
    const integers = Array.from({ length: MANY }, (_, n) => int64Key(n));
    expect(new Set(integers).size).toBe(MANY);
    expect(integers).toEqual(
      expect.arrayContaining(['-9223372036854775807', '9223372036854775806', '0', '-1', '9007199254740993']),
    );
    const texts = Array.from({ length: MANY }, (_, n) => varcharKey(n));
    expect(new Set(texts).size).toBe(MANY);
    expect(texts).toContain('');
  });

  it('leave out the two that Milvus cannot name or return', () => {
    const integers = new Set(Array.from({ length: MANY }, (_, n) => int64Key(n)));
    expect(integers.has('-9223372036854775808')).toBe(false);
    expect(integers.has('9223372036854775807')).toBe(false);
  });
});

describe('rows', () => {
  it('follow from the seed alone', () => {
    expect(makeRow(SHOP_ORDERS, '1', seededRandom(3))).toEqual(makeRow(SHOP_ORDERS, '1', seededRandom(3)));
    expect(makeRow(SHOP_ORDERS, '1', seededRandom(3))).not.toEqual(makeRow(SHOP_ORDERS, '1', seededRandom(4)));
  });

  it('of a dynamic collection survive the copy through JSON that the client library makes', () => {
    const random = seededRandom(1);
    for (let n = 0; n < 500; n += 1) {
      const row = makeRow(SHOP_ORDERS, int64Key(n), random);
      expect(JSON.parse(JSON.stringify(row))).toStrictEqual(row);
    }
  });

  it('stay within the limits of their fields', () => {
    const random = seededRandom(2);
    for (let n = 0; n < 500; n += 1) {
      const row = makeRow(FINGERPRINTS, varcharKey(n), random);
      expect(row['bits']).toHaveLength(32);
      expect(Buffer.byteLength(row['id'] as string)).toBeLessThanOrEqual(VARCHAR_BYTES_MAX);
    }
  });
});

describe('LiveKeys', () => {
  it('gives out every key once, until there are none', () => {
    const keys = new LiveKeys();
    keys.add(['a', 'b', 'c', 'd']);
    const random = seededRandom(1);
    const taken = [...keys.take(3, random), ...keys.take(3, random)];
    expect(taken.toSorted()).toEqual(['a', 'b', 'c', 'd']);
    expect(keys.take(1, random)).toEqual([]);
  });
});

describe('a lane', () => {
  it('inserts exactly its rows and lets every event happen once, in order', async () => {
    let inserted = 0;
    const happened: number[] = [];
    const collection = {
      blueprint: SHOP_ORDERS,
      insert: (count: number) => {
        inserted += count;
        return Promise.resolve();
      },
      upsert: () => Promise.resolve(),
      delete: () => Promise.resolve(),
    } as unknown as LoadedCollection;
    await runLane({
      rows: 1_000,
      seconds: 0,
      startedMs: performance.now(),
      random: seededRandom(1),
      signal: new AbortController().signal,
      events: [0, 0.5, 0.5, 1].map((atShare, n) => ({
        atShare,
        run: () => {
          expect(inserted).toBeGreaterThanOrEqual(atShare * 1_000);
          happened.push(n);
        },
      })),
      places: () => [{ collection, weight: 1 }],
      onRowsInserted: () => undefined,
    });
    expect(inserted).toBe(1_000);
    expect(happened).toEqual([0, 1, 2, 3]);
  });
});

describe('startLoad', () => {
  const request = async () => {
    const directory = await mkdtemp(join(tmpdir(), 'lifeline-load-'));
    onTestFinished(() => rm(directory, { recursive: true }));
    return {
      source: { address: '127.0.0.1:1' },
      rows: 10,
      seconds: 0,
      seed: 1,
      ledgerFile: join(directory, 'ledger.jsonl'),
      signal: new AbortController().signal,
    };
  };

  it('says in one sentence that the source cannot be reached, within 5 s', async () => {
    const startedMs = performance.now();
    await expect(startLoad(await request())).rejects.toMatchObject({
      code: 'unreachable',
      side: 'source',
      message: 'The source cannot be reached at 127.0.0.1:1. Check the address, and that the server is running.',
    });
    expect(performance.now() - startedMs).toBeLessThan(5_000);
  });

  it('ends its process and gives the reason when it is told to stop', async () => {
    const stopping = new AbortController();
    const loading = startLoad({ ...(await request()), signal: stopping.signal });
    stopping.abort(new Error('Enough.'));
    await expect(loading).rejects.toThrow('Enough.');
  });
});
