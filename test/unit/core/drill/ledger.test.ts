import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  LedgerWriter,
  readLedger,
  type LedgerEntry,
  type Outcome,
} from '../../../../electron/core/drill/load/ledger.ts';
import { collectionKey, replayLedger } from '../../../../electron/core/drill/load/ledger-replay.ts';

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lifeline-ledger-'));
  file = join(directory, 'ledger.jsonl');
});
afterEach(() => rm(directory, { recursive: true }));

const place = { database: 'shop', collection: 'orders', incarnation: 1 };
const created: LedgerEntry = { op: 'createCollection', ...place, outcome: 'acknowledged', ackMs: 1 };
const wrote = (
  op: 'insert' | 'upsert',
  rows: [string, string][],
  outcome: Outcome = 'acknowledged',
  partition = 'p',
): LedgerEntry => ({ op, ...place, partition, rows, outcome, ackMs: 2 });
const deleted = (keys: string[], outcome: Outcome = 'acknowledged'): LedgerEntry => ({
  op: 'delete',
  ...place,
  partition: 'p',
  keys,
  outcome,
  ackMs: 3,
});

async function all(entries: AsyncIterable<LedgerEntry>): Promise<LedgerEntry[]> {
  const read: LedgerEntry[] = [];
  for await (const entry of entries) read.push(entry);
  return read;
}
async function replay(...entries: LedgerEntry[]) {
  return replayLedger(Readable.from(entries));
}
async function rowsAfter(...entries: LedgerEntry[]) {
  const { collections } = await replay(...entries);
  const partitions = collections.get(collectionKey('shop', 'orders'))?.partitions;
  return Object.fromEntries([...(partitions?.get('p') ?? [])].map(([key, hashes]) => [key, [...hashes]]));
}

describe('the ledger file', () => {
  it('gives back what was written, and is for its owner only', async () => {
    const entries: LedgerEntry[] = [{ op: 'start', version: 1, seed: 5 }, created, wrote('insert', [['"\n', 'h']])];
    const ledger = new LedgerWriter(file);
    for (const entry of entries) ledger.write(entry);
    ledger.end();
    expect(await all(readLedger(file))).toEqual([...entries, { op: 'end' }]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('stays without its last line when the load did not come to its end', async () => {
    const ledger = new LedgerWriter(file);
    ledger.write(created);
    ledger.close();
    expect((await replayLedger(readLedger(file))).isComplete).toBe(false);
    expect(await readFile(file, 'utf8')).not.toContain('end');
  });

  it('says in a sentence that a line is damaged, and which', async () => {
    await writeFile(file, `${JSON.stringify(created)}\n{"op":"ins`);
    await expect(all(readLedger(file))).rejects.toMatchObject({
      code: 'storeFailed',
      message: expect.stringContaining('line 2') as string,
    });
  });

  it('says in a sentence that it cannot be written', () => {
    expect(() => new LedgerWriter(join(directory, 'nowhere', 'ledger.jsonl'))).toThrow(
      expect.objectContaining({ code: 'storeFailed', side: 'store' }),
    );
  });
});

describe('replayLedger', () => {
  it('keeps the last content of a key, and nothing of a deleted one', async () => {
    const rows = await rowsAfter(
      created,
      wrote('insert', [
        ['1', 'a'],
        ['2', 'b'],
      ]),
      wrote('upsert', [['1', 'c']]),
      deleted(['2', '3']),
    );
    expect(rows).toEqual({ 1: ['c'] });
  });

  it('keeps keys of different partitions apart', async () => {
    const { collections } = await replay(
      created,
      wrote('insert', [['1', 'a']]),
      wrote('insert', [['1', 'b']], 'acknowledged', 'q'),
    );
    expect(collections.get(collectionKey('shop', 'orders'))?.partitions.get('q')?.get('1')).toEqual(['b']);
  });

  it('forgets a dropped partition and a dropped collection', async () => {
    const dropPartition: LedgerEntry = {
      op: 'dropPartition',
      ...place,
      partition: 'p',
      outcome: 'acknowledged',
      ackMs: 4,
    };
    expect(await rowsAfter(created, wrote('insert', [['1', 'a']]), dropPartition)).toEqual({});
    const drop: LedgerEntry = { op: 'dropCollection', ...place, outcome: 'acknowledged', ackMs: 4 };
    const again: LedgerEntry = { ...created, incarnation: 2 };
    expect(await rowsAfter(created, wrote('insert', [['1', 'a']]), drop, again)).toEqual({});
    expect((await replay(created, drop)).collections.size).toBe(0);
  });

  it('allows either outcome where the answer was lost', async () => {
    const first = wrote('insert', [['1', 'a']]);
    expect(await rowsAfter(created, wrote('insert', [['1', 'a']], 'unknown'))).toEqual({ 1: [undefined, 'a'] });
    expect(await rowsAfter(created, first, wrote('upsert', [['1', 'b']], 'unknown'))).toEqual({ 1: ['a', 'b'] });
    expect(await rowsAfter(created, first, deleted(['1'], 'unknown'))).toEqual({ 1: ['a', undefined] });
  });

  it('is certain again after a later operation was acknowledged', async () => {
    const lost = wrote('insert', [['1', 'a']], 'unknown');
    expect(await rowsAfter(created, lost, wrote('upsert', [['1', 'b']]))).toEqual({ 1: ['b'] });
    expect(await rowsAfter(created, lost, deleted(['1']))).toEqual({});
  });

  it('counts acknowledged and lost operations and written rows', async () => {
    const state = await replay(
      { op: 'start', version: 1, seed: 9 },
      created,
      wrote('insert', [
        ['1', 'a'],
        ['2', 'b'],
      ]),
      wrote('upsert', [['1', 'c']], 'unknown'),
      { op: 'end' },
    );
    expect(state).toMatchObject({
      seed: 9,
      isComplete: true,
      operations: { createCollection: 1, insert: 1 },
      operationsUnknown: 1,
      rowsWritten: 2,
      lastAckMs: 2,
    });
  });
});
