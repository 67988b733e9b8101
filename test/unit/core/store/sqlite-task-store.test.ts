import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { openDatabase } from '../../../../electron/core/store/database.ts';
import { SqliteTaskStore } from '../../../../electron/core/store/sqlite-task-store.ts';
import { asCollectionId, asPChannel, asTaskId, asVChannel } from '../../../../shared/model/ids.ts';
import { EVERYTHING } from '../../../../shared/model/selection.ts';
import { asOrdinal } from '../../../../shared/model/position.ts';
import type { OperationEvent } from '../../../../shared/model/operation-event.ts';
import type { QuarantinedRecord } from '../../../../shared/model/quarantine.ts';
import type { TaskRun, TaskStore } from '../../../../shared/model/task-state.ts';
import { asTimeTick } from '../../../../shared/time/time-tick.ts';
import { contentOf } from '../../../support/store-dump.ts';
import {
  CHANNEL,
  checkpointAt,
  COLLECTION,
  FIRST_STATE,
  OTHER_CHANNEL,
  OTHER_SHARD,
  PARTITION,
  SHARD,
  TICK,
  fillCopies,
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
    expect(store.load()).toEqual({
      ...FIRST_STATE,
      epoch: 1,
      databases: [],
      seenDatabases: [],
      aliases: [],
      droppedPartitions: [],
      writesUntilMs: 0,
    });
    database.close();
    database = openDatabase(file);
    store = new SqliteTaskStore(database, asTaskId('one'));
    expect(store.load()).toEqual({
      ...FIRST_STATE,
      epoch: 1,
      databases: [],
      seenDatabases: [],
      aliases: [],
      droppedPartitions: [],
      writesUntilMs: 0,
    });
  });

  test('changes its selection in one go: what leaves is gone with all that is known of it, what comes is there', () => {
    store.begin(FIRST_STATE);
    fillCopies(store);
    const [sample] = FIRST_STATE.collections;
    if (sample === undefined) throw new Error('no collection');
    const added = { ...sample, id: asCollectionId(9n), name: 'added', vchannels: [], copy: 'due' as const };
    const selection = { include: [{ database: 'shop', collection: 'added' }], exclude: [], later: false };
    store.addDroppedPartition(COLLECTION, PARTITION);
    store.saveAlias({ database: 'shop', alias: 'current', collectionId: COLLECTION });
    store.applySelection({ selection, removed: [COLLECTION], added: [added], shards: [] });
    const stored = store.load();
    expect(stored?.collections.map(({ name }) => name)).toEqual(['copied', 'added']);
    expect(stored?.shards.some(({ collectionId }) => collectionId === COLLECTION)).toBe(false);
    expect(stored?.droppedPartitions).toEqual([]);
    expect(stored?.aliases).toEqual([]);
    expect(store.joins()).toEqual([]);
    expect(stored?.scope).toEqual({ ...FIRST_STATE.scope, selection });
    // Refused, it leaves all as it was.
    expect(() =>
      store.applySelection({ selection, removed: [added.id], added: [sample, sample], shards: [] }),
    ).toThrow();
    expect(store.load()).toEqual(stored);
  });

  test('knows what databases of the source were called', () => {
    store.begin(FIRST_STATE);
    store.addSeenDatabase({ id: 470_670_978_906_787_276n, name: 'shop' });
    store.addSeenDatabase({ id: 5n, name: 'old' });
    store.addSeenDatabase({ id: 5n, name: 'new' });
    expect(store.load()?.seenDatabases).toEqual([
      { id: 470_670_978_906_787_276n, name: 'shop' },
      { id: 5n, name: 'new' },
    ]);
    store.removeSeenDatabase(470_670_978_906_787_276n);
    store.removeSeenDatabase(7n);
    expect(store.load()?.seenDatabases).toEqual([{ id: 5n, name: 'new' }]);
  });

  test('knows imports: those that were left out until the collection is copied, none of what is not followed', () => {
    store.begin(FIRST_STATE);
    const [sample] = FIRST_STATE.collections;
    if (sample === undefined) throw new Error('no collection');
    const other = asCollectionId(9n);
    store.addCollection({ ...sample, id: other, name: 'other', vchannels: [], copy: 'due' });
    store.addImport({ id: 5n, collectionId: COLLECTION, isLeftOut: true });
    store.addImport({ id: 6n, collectionId: other, isLeftOut: true });
    store.beginCopy(other, [], [7n]);
    const [begun] = FIRST_STATE.imports;
    expect(store.load()?.imports).toEqual([
      begun,
      { id: 5n, collectionId: COLLECTION, isLeftOut: true },
      { id: 6n, collectionId: other, isLeftOut: false },
      { id: 7n, collectionId: other, isLeftOut: false },
    ]);
    store.forgetImports([6n, 8n]);
    const selection = { include: [], exclude: [], later: false };
    store.applySelection({ selection, removed: [COLLECTION], added: [], shards: [] });
    expect(store.load()?.imports).toEqual([{ id: 7n, collectionId: other, isLeftOut: false }]);
    store.updateCollection(other, { phase: 'dropped' });
    expect(store.load()?.imports).toEqual([]);
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
    expect(store.load()).toEqual({
      ...FIRST_STATE,
      epoch: 1,
      databases: [],
      seenDatabases: [],
      aliases: [],
      droppedPartitions: [],
      writesUntilMs: 0,
    });
  });

  test('takes up new channels, collections and shards', () => {
    store.begin({ ...FIRST_STATE, channels: [], collections: [], shards: [] });
    for (const channel of FIRST_STATE.channels) store.addChannel(channel);
    for (const collection of FIRST_STATE.collections) store.addCollection(collection);
    for (const shard of FIRST_STATE.shards) store.addShard(shard);
    expect(store.load()).toEqual({
      ...FIRST_STATE,
      epoch: 1,
      databases: [],
      seenDatabases: [],
      aliases: [],
      droppedPartitions: [],
      writesUntilMs: 0,
    });
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

  test('keeps the properties that a copy has been given', () => {
    store.begin(FIRST_STATE);
    store.setProperties(COLLECTION, [{ key: 'a', value: '1' }]);
    expect(store.load()?.collections[0]?.properties).toEqual([{ key: 'a', value: '1' }]);
  });

  test('keeps the schema that a copy has grown to', () => {
    store.begin(FIRST_STATE);
    store.setSchema(COLLECTION, Uint8Array.of(1, 2, 3));
    expect([...(store.load()?.collections[0]?.schema ?? [])]).toEqual([1, 2, 3]);
  });

  test('keeps a rename that is under way, and the aliases that were made', () => {
    store.begin(FIRST_STATE);
    store.beginRename(COLLECTION, { database: 'shop', name: 'renamed' });
    expect(store.load()?.collections[0]?.renamingTo).toEqual({ database: 'shop', name: 'renamed' });
    store.endRename(COLLECTION, { database: 'shop', name: 'renamed' });
    expect(store.load()?.collections[0]).toMatchObject({ database: 'shop', name: 'renamed' });
    expect(store.load()?.collections[0]?.renamingTo).toBeUndefined();
    store.saveAlias({ database: 'shop', alias: 'current', collectionId: COLLECTION });
    expect(store.load()?.aliases).toEqual([{ database: 'shop', alias: 'current', collectionId: COLLECTION }]);
    store.removeAlias({ database: 'shop', alias: 'current' });
    expect(store.load()?.aliases).toEqual([]);
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

describe('the lease of a task', () => {
  const run = (id: string): TaskRun => ({ id, host: 'one', folder: '/data', pid: 7, began: 1_795_440_000_000 });
  const other = (): SqliteTaskStore => new SqliteTaskStore(database, asTaskId('one'));
  beforeEach(() => void store.begin(FIRST_STATE));

  test('is not to be had of a task that has not begun', () => {
    expect(new SqliteTaskStore(database, asTaskId('two')).takeLease(run('a'))).toBeUndefined();
  });

  test('is a new epoch, and tells of the run before', () => {
    const first = store.takeLease(run('a'));
    expect(first).toMatchObject({ task: { epoch: 2, run: { id: 'a' } }, previousRun: undefined });
    const second = other().takeLease(run('b'));
    expect(second).toMatchObject({ task: { epoch: 3, run: { id: 'b' } }, previousRun: run('a') });
    expect(store.load()).toMatchObject({ epoch: 3, run: run('b') });
  });

  test('carries checkpoints over: they do not move back in the new epoch', () => {
    store.saveCheckpoints(1, update(9n, TICK + 5n));
    store.takeLease(run('a'));
    expect(() => store.saveCheckpoints(2, update(8n, TICK + 4n))).toThrow(/move back/);
    store.saveCheckpoints(2, update(10n, TICK + 6n));
    expect(shardTick()).toBe(TICK + 6n);
  });

  const [channel] = FIRST_STATE.channels;
  const [collection] = FIRST_STATE.collections;
  const [shard] = FIRST_STATE.shards;
  if (channel === undefined || collection === undefined || shard === undefined) throw new Error('no samples');
  const progress = {
    partition: 'p',
    confirmedKey: 1n,
    intentKey: 1n,
    isDone: false,
    rowCount: 1n,
    doubledRowCount: 0n,
    deletedRowCount: 0n,
  };
  const marker = { id: 1n, createTick: asTimeTick(2n), sent: 3n, confirmed: 2n, runIds: ['a'] };
  const certificate = {
    ...{ collectionId: '1', database: 'd', collection: 'c', rowsCopied: '0', sourceDoubles: '0' },
    ...{ copyBegan: 1, copyEnded: 2, joined: 3, shards: [] },
  };
  const gap = {
    ...{ channel: 'c', vchannel: 'v', collectionId: '1', database: 'd', collection: 'c', reason: 'removed' as const },
    ...{ from: { ordinal: '1', tick: '1' }, to: { ordinal: '2' }, foundAt: 1 },
  };
  const quarantined: QuarantinedRecord = {
    ...{ id: 'q', collectionId: '1', database: 'd', collection: 'c', vchannel: 'v', channel: 'c', ordinal: '1' },
    ...{ tickMs: 1, kind: 'insert', byteCount: 1, rowCount: 1, since: 1 },
    cause: { code: 'bug', side: 'wal', message: 'It is.', context: {}, causes: [] },
  };
  const operation: OperationEvent = {
    ...{ id: 'o', at: 1, tick: '1', source: 'log', operation: 'flush', database: 'd', outcome: 'waiting' },
  };
  const WRITES: Record<string, (store: TaskStore) => unknown> = {
    addChannel: (of) => of.addChannel({ ...channel, channel: asPChannel('new') }),
    addCollection: (of) => of.addCollection({ ...collection, id: asCollectionId(9n) }),
    addShard: (of) => of.addShard({ ...shard, vchannel: asVChannel('new') }),
    applySelection: (of) => of.applySelection({ selection: EVERYTHING, removed: [], added: [], shards: [] }),
    updateCollection: (of) => of.updateCollection(COLLECTION, { phase: 'created', targetId: 5n }),
    beginRename: (of) => of.beginRename(COLLECTION, { database: 'shop', name: 'sales' }),
    endRename: (of) => of.endRename(COLLECTION, { database: 'shop', name: 'sales' }),
    saveAlias: (of) => of.saveAlias({ database: 'shop', alias: 'current', collectionId: COLLECTION }),
    removeAlias: (of) => of.removeAlias({ database: 'shop', alias: 'current' }),
    addImport: (of) => of.addImport({ id: 5n, collectionId: COLLECTION, isLeftOut: true }),
    forgetImports: (of) => of.forgetImports([5n]),
    setProperties: (one) => one.setProperties(COLLECTION, [{ key: 'a', value: '1' }]),
    setSchema: (one) => one.setSchema(COLLECTION, Uint8Array.of(1)),
    setOperationsUntil: (of) => of.setOperationsUntil(COLLECTION, asOrdinal(12n)),
    beginRecopy: (of) => of.beginRecopy(COLLECTION, 'created'),
    setLoadedForCopy: (of) => of.setLoadedForCopy(COLLECTION, 'source', undefined),
    beginCopy: (of) => of.beginCopy(COLLECTION, []),
    saveCopyProgress: (of) => of.saveCopyProgress(COLLECTION, progress),
    endCopy: (of) => of.endCopy(COLLECTION, new Map([[SHARD, asOrdinal(99n)]])),
    recordJoin: (of) => of.recordJoin(COLLECTION, certificate),
    saveIntents: (of) => of.saveIntents(new Map([[SHARD, asOrdinal(99n)]])),
    setWritesUntil: (of) => of.setWritesUntil(1),
    saveMarker: (of) => of.saveMarker(marker),
    doubtCopies: (of) => of.doubtCopies({ code: 'targetChanged', message: 'Put back.' }),
    recordGap: (of) => of.recordGap(gap),
    addQuarantined: (of) => of.addQuarantined(quarantined, Uint8Array.of(1)),
    recordOperation: (of) => of.recordOperation(operation),
    decideOperation: (of) => of.decideOperation('o', 'skip'),
    decideQuarantined: (of) => of.decideQuarantined('q', { kind: 'skip', reason: 'no', at: 1 }),
    clearQuarantined: (of) => of.clearQuarantined(COLLECTION),
    addDatabase: (of) => of.addDatabase('new'),
    removeDatabase: (of) => of.removeDatabase('new'),
    addSeenDatabase: (of) => of.addSeenDatabase({ id: 5n, name: 'new' }),
    removeSeenDatabase: (of) => of.removeSeenDatabase(5n),
    addDroppedPartition: (of) => of.addDroppedPartition(COLLECTION, PARTITION),
    saveCheckpoints: (of) => of.saveCheckpoints(2, update(9n, TICK + 5n)),
    rewind: (of) => of.rewind(update(9n, TICK + 5n)),
  };

  test('is asked for by everything that writes', () => {
    const reads = ['load', 'copyProgress', 'loadedForCopy', 'joins', 'gaps', 'quarantine', 'quarantinedBytes'];
    reads.push('operations', 'operationDecisions');
    const others = ['constructor', 'begin', 'takeLease', ...reads];
    const writes = Object.getOwnPropertyNames(SqliteTaskStore.prototype).filter((name) => !others.includes(name));
    expect(Object.keys(WRITES).toSorted()).toEqual(writes.toSorted());
  });

  test.each(Object.entries(WRITES))('that was lost refuses %s, and nothing is stored', (_name, write) => {
    store.takeLease(run('a'));
    other().takeLease(run('b'));
    const before = contentOf(database);
    expect(() => write(store)).toThrow(expect.objectContaining({ code: 'leaseLost', side: 'store' }));
    expect(() => write(store)).toThrow(/Another run of the task one has taken it over \(process 7 on one/);
    expect(contentOf(database)).toEqual(before);
  });

  test.each(Object.entries(WRITES))('that is held allows %s', (_name, write) => {
    store.takeLease(run('a'));
    expect(() => write(store)).not.toThrow();
  });

  test('is needed as soon as one run has taken it', () => {
    other().takeLease(run('a'));
    expect(() => store.setWritesUntil(5)).toThrow(expect.objectContaining({ code: 'leaseLost' }));
  });

  test('goes along with a rewind', () => {
    store.takeLease(run('a'));
    expect(store.rewind(update(3n, TICK, 'another log'))).toBe(3);
    store.saveCheckpoints(3, update(4n, TICK + 1n, 'another log'));
    expect(shardTick()).toBe(TICK + 1n);
  });

  test('lets what is known of the target be kept, until a new copy ends the doubt', () => {
    store.takeLease(run('a'));
    store.updateCollection(COLLECTION, { phase: 'created', targetId: 5n, targetCreateTick: asTimeTick(TICK) });
    store.saveMarker(marker);
    store.doubtCopies({ code: 'storeOutdated', message: 'Put back.' });
    expect(store.load()).toMatchObject({
      marker,
      collections: [{ targetCreateTick: TICK, doubt: { code: 'storeOutdated', message: 'Put back.' } }],
    });
    store.updateCollection(COLLECTION, { phase: 'created' });
    store.beginCopy(COLLECTION, []);
    expect(store.load()?.collections[0]).toMatchObject({ targetCreateTick: TICK, doubt: undefined });
    store.doubtCopies({ code: 'storeOutdated', message: 'Put back.' });
    store.beginRecopy(COLLECTION, 'created');
    store.doubtCopies({ code: 'storeOutdated', message: 'Put back again.' });
    expect(store.load()?.collections[0]).toMatchObject({ copy: 'due', doubt: undefined });
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
      deletedRowCount: 2n,
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
      deletedRowCount: 0n,
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

  test('that is no store is refused with a sentence, and left untouched', () => {
    const other = join(folder, 'notes.txt');
    writeFileSync(other, 'Nothing to see here, and certainly not a database of any kind. '.repeat(50));
    const before = readFileSync(other);
    expect(() => openDatabase(other)).toThrow(expect.objectContaining({ code: 'storeFailed', side: 'store' }));
    expect(readFileSync(other).equals(before)).toBe(true);
  });

  test('that cannot be made is refused with a sentence', () => {
    expect(() => openDatabase(join(file, 'below', 'lifeline.db'))).toThrow(
      expect.objectContaining({ code: 'storeFailed', side: 'store' }),
    );
  });
});
