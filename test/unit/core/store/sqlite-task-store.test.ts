import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openDatabase } from '../../../../electron/core/store/database.ts';
import { SqliteTaskStore } from '../../../../electron/core/store/sqlite-task-store.ts';
import { asCollectionId, asTaskId } from '../../../../shared/model/ids.ts';
import { asOrdinal } from '../../../../shared/model/position.ts';
import { asTimeTick } from '../../../../shared/time/time-tick.ts';
import {
  CHANNEL,
  checkpointAt,
  COLLECTION,
  fillStore,
  FIRST_STATE,
  OTHER_CHANNEL,
  OTHER_SHARD,
  PARTITION,
  SHARD,
  TICK,
} from '../../../support/store-samples.ts';

let folder: string;
let file: string;
let database: DatabaseSync;
let store: SqliteTaskStore;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-store-'));
  file = join(folder, 'data', 'lifeline.db');
  database = openDatabase(file);
  store = new SqliteTaskStore(database, asTaskId('one'));
});
afterEach(() => {
  if (database.isOpen) database.close();
  rmSync(folder, { recursive: true, force: true });
});

const shardTick = (): bigint | undefined =>
  store.load()?.shards.find(({ vchannel }) => vchannel === SHARD)?.checkpoint.tick;
const update = (ordinal: bigint, tick: bigint, incarnation?: string) => ({
  shards: new Map([[SHARD, checkpointAt(ordinal, tick, incarnation)]]),
  channels: new Map(),
});

describe('a task in the store', () => {
  test('has not begun until it is begun', () => {
    expect(store.load()).toBeUndefined();
  });

  test('is read as it was written, 64-bit values exactly, also by another process later', () => {
    expect(store.begin(FIRST_STATE)).toBe(1);
    expect(store.load()).toEqual({ ...FIRST_STATE, epoch: 1, databases: [], droppedPartitions: [], writesUntilMs: 0 });
    database.close();
    database = openDatabase(file);
    store = new SqliteTaskStore(database, asTaskId('one'));
    expect(store.load()).toEqual({ ...FIRST_STATE, epoch: 1, databases: [], droppedPartitions: [], writesUntilMs: 0 });
  });

  test('is begun whole or not at all', () => {
    const [shard] = FIRST_STATE.shards;
    if (shard === undefined) throw new Error('no shard');
    expect(() => store.begin({ ...FIRST_STATE, shards: [shard, shard] })).toThrow(/could not begin the task/);
    expect(store.load()).toBeUndefined();
    expect(store.begin(FIRST_STATE)).toBe(1);
    expect(() => store.begin(FIRST_STATE)).toThrow(expect.objectContaining({ code: 'storeFailed', side: 'store' }));
  });

  test('does not see what is of another task', () => {
    store.begin(FIRST_STATE);
    const other = new SqliteTaskStore(database, asTaskId('two'));
    expect(other.load()).toBeUndefined();
    other.begin(FIRST_STATE);
    other.updateCollection(COLLECTION, { phase: 'dropped' });
    other.saveCheckpoints(1, { shards: new Map(), channels: new Map([[CHANNEL, checkpointAt(99n, 99n)]]) });
    expect(store.load()).toEqual({ ...FIRST_STATE, epoch: 1, databases: [], droppedPartitions: [], writesUntilMs: 0 });
  });

  test('takes up new channels, collections and shards', () => {
    store.begin({ ...FIRST_STATE, channels: [], collections: [], shards: [] });
    for (const channel of FIRST_STATE.channels) store.addChannel(channel);
    for (const collection of FIRST_STATE.collections) store.addCollection(collection);
    for (const shard of FIRST_STATE.shards) store.addShard(shard);
    expect(store.load()).toEqual({ ...FIRST_STATE, epoch: 1, databases: [], droppedPartitions: [], writesUntilMs: 0 });
  });

  test('keeps what a collection already knows when its phase changes', () => {
    store.begin(FIRST_STATE);
    store.updateCollection(COLLECTION, { phase: 'creating' });
    store.updateCollection(COLLECTION, { phase: 'created', targetId: 9_007_199_254_740_993n });
    store.updateCollection(COLLECTION, { phase: 'dropping', dropTick: asTimeTick(TICK + 1n) });
    store.setOperationsUntil(COLLECTION, asOrdinal(12n));
    expect(store.load()?.collections[0]).toMatchObject({
      phase: 'dropping',
      targetId: 9_007_199_254_740_993n,
      dropTick: TICK + 1n,
      operationsUntil: 12n,
    });
  });

  test('forgets the shards and partitions of a collection that is dropped, and still knows its name', () => {
    store.begin(FIRST_STATE);
    store.addDroppedPartition(COLLECTION, PARTITION);
    store.addDroppedPartition(COLLECTION, PARTITION);
    expect(store.load()?.droppedPartitions).toEqual([{ collectionId: COLLECTION, partitionId: PARTITION }]);
    store.updateCollection(COLLECTION, { phase: 'dropped' });
    expect(store.load()).toMatchObject({ shards: [], droppedPartitions: [], collections: [{ phase: 'dropped' }] });
    // A checkpoint of its shards may still be on its way.
    store.saveCheckpoints(1, update(30n, TICK + 9n));
    expect(store.load()?.shards).toEqual([]);
  });
});

describe('checkpoints in the store', () => {
  beforeEach(() => void store.begin(FIRST_STATE));

  test('move forward together', () => {
    store.saveCheckpoints(1, {
      shards: new Map([
        [SHARD, checkpointAt(5n, TICK)],
        [OTHER_SHARD, checkpointAt(6n, TICK + 1n)],
      ]),
      channels: new Map([[CHANNEL, checkpointAt(12n, TICK)]]),
    });
    const state = store.load();
    expect(state?.shards.map(({ checkpoint }) => checkpoint.resume.ordinal)).toEqual([5n, 6n]);
    expect(state?.channels[0]?.checkpoint).toEqual(checkpointAt(12n, TICK));
  });

  test('stay where they are when they are written again', () => {
    store.saveCheckpoints(1, update(5n, TICK));
    store.saveCheckpoints(1, update(5n, TICK));
    expect(shardTick()).toBe(TICK);
  });

  test.each([
    ['an older tick', 6n, TICK - 1n],
    ['an older message', 4n, TICK + 1n],
  ])('never move back: %s is refused, and nothing of the update is stored', (_what, ordinal, tick) => {
    store.saveCheckpoints(1, update(5n, TICK));
    const both = {
      shards: new Map([
        [OTHER_SHARD, checkpointAt(8n, TICK + 8n)],
        [SHARD, checkpointAt(ordinal, tick)],
      ]),
      channels: new Map([[CHANNEL, checkpointAt(50n, TICK)]]),
    };
    expect(() => store.saveCheckpoints(1, both)).toThrow(expect.objectContaining({ code: 'bug', side: 'store' }));
    expect(store.load()?.shards.map(({ checkpoint }) => checkpoint.resume.ordinal)).toEqual([5n, 1n]);
    expect(store.load()?.channels[0]?.checkpoint.resume.ordinal).toBe(10n);
  });

  test('never move into another log within their epoch', () => {
    expect(() => store.saveCheckpoints(1, update(500n, TICK + 1n, 'another log'))).toThrow(/move back/);
    expect(shardTick()).toBe(TICK - 1n);
  });

  test('of another epoch are refused', () => {
    for (const epoch of [0, 2]) {
      expect(() => store.saveCheckpoints(epoch, update(9n, TICK + 1n))).toThrow(
        expect.objectContaining({ code: 'bug' }),
      );
    }
    expect(shardTick()).toBe(TICK - 1n);
  });

  test('move back deliberately, which opens a new epoch and ends the old one', () => {
    store.saveCheckpoints(1, update(9n, TICK + 5n));
    expect(store.rewind(update(3n, TICK, 'another log'))).toBe(2);
    expect(store.load()).toMatchObject({ epoch: 2 });
    expect(shardTick()).toBe(TICK);
    expect(() => store.saveCheckpoints(1, update(20n, TICK + 20n))).toThrow(/epoch 1 was refused/);
    store.saveCheckpoints(2, update(4n, TICK + 1n, 'another log'));
    expect(shardTick()).toBe(TICK + 1n);
    expect(() => store.saveCheckpoints(2, update(4n, TICK, 'another log'))).toThrow(/move back/);
  });

  test('that were not rewound still do not move back in the new epoch', () => {
    store.saveCheckpoints(1, { shards: new Map(), channels: new Map([[CHANNEL, checkpointAt(20n, TICK)]]) });
    const epoch = store.rewind(update(3n, TICK));
    const back = { shards: new Map(), channels: new Map([[CHANNEL, checkpointAt(15n, TICK - 1n)]]) };
    expect(() => store.saveCheckpoints(epoch, back)).toThrow(/move back/);
  });

  test('of what the store does not know are passed over', () => {
    store.saveCheckpoints(1, { shards: new Map(), channels: new Map([[OTHER_CHANNEL, checkpointAt(1n, 1n, 'new')]]) });
    store.updateCollection(asCollectionId(1n), { phase: 'dropped' });
    expect(store.load()?.channels[1]?.checkpoint.resume.ordinal).toBe(1n);
  });
});

describe('a copy in the store', () => {
  test('is pinned with its shards, and knows how far it is by partition', () => {
    store.begin({
      ...FIRST_STATE,
      shards: [],
      collections: FIRST_STATE.collections.map((of) => ({ ...of, copy: 'due' })),
    });
    store.beginCopy(COLLECTION, FIRST_STATE.shards);
    expect(store.load()).toMatchObject({ collections: [{ copy: 'copying' }], shards: [{}, {}] });
    const text = {
      partition: 'p',
      confirmedKey: 'ü',
      intentKey: 'z',
      isDone: false,
      rowCount: 7n,
      doubledRowCount: 1n,
    };
    const number = { ...text, partition: '', confirmedKey: undefined, intentKey: 2n ** 63n - 1n, isDone: true };
    store.saveCopyProgress(COLLECTION, text);
    store.saveCopyProgress(COLLECTION, number);
    expect(store.copyProgress(COLLECTION)).toEqual(expect.arrayContaining([text, number]));
  });

  test('ends with its intents at E, and joins with a certificate in place of its progress', () => {
    store.begin(FIRST_STATE);
    store.saveCopyProgress(COLLECTION, {
      partition: 'p',
      confirmedKey: 1n,
      intentKey: 1n,
      isDone: true,
      rowCount: 1n,
      doubledRowCount: 0n,
    });
    store.endCopy(COLLECTION, new Map([[SHARD, asOrdinal(99n)]]));
    expect(store.load()).toMatchObject({ collections: [{ copy: 'copied' }], shards: [{ intent: 99n }, {}] });
    const certificate = {
      collectionId: COLLECTION.toString(),
      database: 'shop',
      collection: 'orders ü',
      rowsCopied: '1',
      sourceDoubles: '0',
      copyBegan: 1,
      copyEnded: 2,
      joined: 3,
      shards: [],
    };
    store.recordJoin(COLLECTION, certificate);
    expect(store.joins()).toEqual([certificate]);
    expect(store.copyProgress(COLLECTION)).toEqual([]);
    expect(store.load()).toMatchObject({ collections: [{ copy: 'joined' }] });
  });

  test('keeps intents and the end of its last writes', () => {
    store.begin(FIRST_STATE);
    store.saveIntents(
      new Map([
        [SHARD, asOrdinal(5n)],
        [OTHER_SHARD, asOrdinal(6n)],
      ]),
    );
    store.setWritesUntil(1_800_000_000_000);
    expect(store.load()).toMatchObject({ writesUntilMs: 1_800_000_000_000, shards: [{ intent: 5n }, { intent: 6n }] });
  });
});

describe("the store's file", () => {
  test('and its folder are their owner’s alone', () => {
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'data')).mode & 0o777).toBe(0o700);
  });

  test('of a newer version is refused and left untouched', () => {
    database.close();
    const newer = new DatabaseSync(file);
    newer.exec('PRAGMA journal_mode = DELETE; PRAGMA user_version = 99');
    newer.close();
    const before = readFileSync(file);
    expect(() => openDatabase(file)).toThrow(/newer version of Lifeline \(format 99/);
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test('that is no store is refused with a sentence, and left untouched', () => {
    const other = join(folder, 'notes.txt');
    writeFileSync(other, 'Nothing to see here, and certainly not a database of any kind. '.repeat(50));
    const before = readFileSync(other);
    expect(() => openDatabase(other)).toThrow(expect.objectContaining({ code: 'storeFailed', side: 'store' }));
    expect(readFileSync(other).equals(before)).toBe(true);
  });

  test('that is damaged is refused when it is read', () => {
    store.begin(FIRST_STATE);
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    database.close();
    const bytes = readFileSync(file);
    bytes.fill(0xa5, 4096);
    writeFileSync(file, bytes);
    expect(() => {
      database = openDatabase(file);
      new SqliteTaskStore(database, asTaskId('one')).load();
    }).toThrow(expect.objectContaining({ code: 'storeFailed', side: 'store' }));
  });

  test('that cannot be made is refused with a sentence', () => {
    expect(() => openDatabase(join(file, 'below', 'lifeline.db'))).toThrow(
      expect.objectContaining({ code: 'storeFailed', side: 'store' }),
    );
  });

  test.each(readdirSync(import.meta.dirname).filter((name) => /^format-\d+\.db$/.test(name)))(
    'of an earlier format is brought up to date and read: %s',
    (name) => {
      const old = join(folder, 'old.db');
      copyFileSync(join(import.meta.dirname, name), old);
      using opened = openDatabase(old);
      using expected = openDatabase(join(folder, 'expected.db'));
      fillStore(new SqliteTaskStore(expected, asTaskId('recorded')));
      const read = new SqliteTaskStore(opened, asTaskId('recorded')).load();
      expect(read).toBeDefined();
      const filled = new SqliteTaskStore(expected, asTaskId('recorded')).load();
      // Intents are newer than these files: how far writes had gone is not known.
      expect(read).toEqual({ ...filled, shards: filled?.shards.map((shard) => ({ ...shard, intent: undefined })) });
    },
  );
});
