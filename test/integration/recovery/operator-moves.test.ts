/**
 * What an operator does when something has gone wrong, on real servers: a part of the log that is lost, a second engine on
 * the same pair, a beginning where another tool has stopped, a message that the target refuses for good. Each case ends
 * with both sides equal by key and content. `npm test` runs one of them, chosen by `LIFELINE_LAB_SEED`.
 */
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { DataType } from '@zilliz/milvus2-sdk-node';
import { afterEach, beforeEach, describe, expect, it, vi, type TestContext } from 'vitest';
import { checked } from '../../../electron/core/drill/content/milvus-client.ts';
import { FINGERPRINTS, SHOP_ORDERS, STOCK } from '../../../electron/core/drill/load/blueprints.ts';
import { LoadedCollection } from '../../../electron/core/drill/load/loaded-collection.ts';
import type { Random } from '../../../electron/core/drill/load/random.ts';
import type { LabOptions } from '../../../electron/core/lab/lab.ts';
import { readMsgPosition } from '../../../electron/engine/source/catalog/etcd-messages.ts';
import { asTimeTick, timeTickToMs } from '../../../shared/time/time-tick.ts';
import { announceSeed, attachFigures } from '../../support/lab-figures.ts';
import { createSteady, runSteady } from '../../support/lab-load.ts';
import { IS_FULL, labRandom } from '../../support/lab-seed.ts';
import { OperatedLab, type Operator } from '../../support/operated-lab.ts';

const CASE_TIMEOUT_MS = 400_000;

/** Those that `npm test` chooses from: less than a minute each. */
const SHORT = ['copied gap', 'positions', 'quarantine'] as const;
const CHOSEN = labRandom('operator moves').pick(SHORT);
const isChosen = (name: (typeof SHORT)[number]): boolean => IS_FULL || name === CHOSEN;

let world: OperatedLab;
const open: OperatedLab[] = [];
const begin = async (settings?: LabOptions['settings']): Promise<Operator> => {
  world = await OperatedLab.begin(settings);
  open.push(world);
  return world.operator();
};

beforeEach(announceSeed);
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

async function becomesEqual(context: TestContext, options?: { readonly withLedger?: boolean }): Promise<void> {
  const { rowsSource, durationMs } = await world.assertEqual(options);
  attachFigures(context, { rowsCompared: rowsSource, comparisonMs: durationMs });
}

async function createLoaded(blueprint: typeof STOCK, random: Random): Promise<LoadedCollection> {
  const collection = await LoadedCollection.create(world.session, blueprint, random.fork(blueprint.collection));
  await collection.createIndexes();
  await collection.load();
  return collection;
}

describe('changes that the log has removed while a task was paused', { timeout: CASE_TIMEOUT_MS }, () => {
  /** Five shards on four channels: the last collection shares its channel with the first. */
  const SETTINGS = { source: { 'rootCoord.dmlChannelNum': 4 } };

  async function createThree(random: Random): Promise<readonly LoadedCollection[]> {
    const collections: LoadedCollection[] = [];
    for (const blueprint of [{ ...SHOP_ORDERS, database: 'default' }, FINGERPRINTS, STOCK]) {
      collections.push(await createLoaded(blueprint, random));
    }
    return collections;
  }

  const writeAll = (collections: readonly LoadedCollection[]): Promise<unknown> =>
    Promise.all(
      collections.map(async (collection) => {
        await collection.insert(200);
        await collection.upsert(20);
        await collection.delete(20);
        await collection.insert(50);
      }),
    );

  /** By NATS' own means: what stands in the channel now is gone. */
  async function purge(channel: string): Promise<void> {
    const { wal } = world.lab.source.asSource;
    if (wal.kind !== 'nats') throw new Error('This lab has no NATS.');
    const connection = await connect({ servers: wal.servers });
    try {
      await (await jetstreamManager(connection)).streams.purge(channel);
    } finally {
      await connection.close();
    }
  }

  /** By collection: its channels, as the certificates of their joins name its shards. */
  async function channelsOf(operator: Operator, id: string): Promise<ReadonlyMap<string, readonly string[]>> {
    const { joins } = await operator.core.client.call('tasks.history', { id });
    return new Map(
      joins.map(({ collection, shards }) => [
        collection,
        shards.map(({ vchannel }) => vchannel.slice(0, vchannel.lastIndexOf('_'))),
      ]),
    );
  }

  /** Paused, written to, robbed of the channel, written to again, resumed. */
  async function loseWhilePaused(
    operator: Operator,
    id: string,
    collections: readonly LoadedCollection[],
    channel: string,
  ): Promise<void> {
    await operator.pause(id);
    await writeAll(collections);
    await purge(channel);
    await writeAll(collections);
    await operator.core.client.call('tasks.resume', { id });
  }

  it.runIf(isChosen('copied gap'))(
    'are declared, and a copy of just what they concern begins by itself where the policy says so',
    async (context) => {
      const operator = await begin(SETTINGS);
      const collections = await createThree(labRandom('copied gap'));
      await writeAll(collections);
      const id = await operator.create({ name: 'shop', start: { kind: 'copy' }, onGap: 'copy' });
      await operator.untilConfirmed(id);
      const channels = await channelsOf(operator, id);
      const [, robbed = ''] = channels.get('fingerprints') ?? [];
      const pausedMs = Date.now();
      await loseWhilePaused(operator, id, collections, robbed);

      const { gaps: shown } = await operator.untilConfirmed(id);
      expect(shown).toBeUndefined();
      const { gaps, joins } = await operator.core.client.call('tasks.history', { id });
      expect(gaps).toMatchObject([
        { channel: robbed, database: 'default', collection: 'fingerprints', reason: 'removed' },
      ]);
      const [gap] = gaps;
      expect(gap?.vchannel).toMatch(new RegExp(`^${robbed}_`));
      expect(Number(gap?.to?.ordinal)).toBeGreaterThan(Number(gap?.from.ordinal));
      expect(gap?.from.ms).toBeGreaterThan(0);
      expect(gap?.to?.ms).toBeGreaterThan(gap?.from.ms ?? Infinity);
      expect(gap?.foundAt).toBeGreaterThan(pausedMs);
      // The others were not touched: they have the certificates of their first copies.
      const again = joins.filter(({ isRecopy }) => isRecopy === true);
      expect(again).toMatchObject([{ collection: 'fingerprints', sourceDoubles: '0' }]);
      expect(again[0]?.joined).toBeGreaterThan(gap?.foundAt ?? Infinity);
      expect(joins).toHaveLength(3);
      await becomesEqual(context);
    },
  );

  it.runIf(IS_FULL)(
    'hold every collection on the channel until its copy is ordered, while the others stream on',
    async (context) => {
      const operator = await begin(SETTINGS);
      const { client } = operator.core;
      const collections = await createThree(labRandom('held gap'));
      const [, fingerprints] = collections;
      await writeAll(collections);
      const id = await operator.create({ name: 'shop', start: { kind: 'copy' }, onGap: 'hold' });
      await operator.untilConfirmed(id);
      const [shared = ''] = (await channelsOf(operator, id)).get('stock') ?? [];
      await loseWhilePaused(operator, id, collections, shared);

      const isHeld = ({ state }: { readonly state: string }): boolean => state === 'held';
      const held = await operator.until(id, (status) => status.collections.filter(isHeld).length === 2);
      const concerned = held.collections.filter(isHeld);
      expect(concerned.map(({ name }) => name).toSorted()).toEqual(['orders', 'stock']);
      for (const { name, trouble } of concerned) {
        expect(trouble?.error).toMatchObject({ code: 'positionLost', side: 'wal' });
        expect(trouble?.error.message).toMatch(
          new RegExp(
            `^Changes of default\\.${name} from \\d{4}-\\S+ to \\d{4}-\\S+ are missing: the log has removed them`,
          ),
        );
      }
      expect(held.gaps).toMatchObject([{ channel: shared, collections: ['default.orders', 'default.stock'] }]);
      expect(held.gaps?.[0]?.vchannels).toHaveLength(2);
      await fingerprints?.insert(100);
      await operator.untilConfirmed(id, ['fingerprints']);
      expect((await client.call('tasks.history', { id })).gaps).toHaveLength(2);

      await client.call('tasks.recopy', { id, collectionIds: concerned.map((one) => one.id) });
      await writeAll(collections);
      const { gaps } = await operator.untilConfirmed(id);
      expect(gaps).toBeUndefined();
      const { joins } = await client.call('tasks.history', { id });
      const again = joins.filter(({ isRecopy }) => isRecopy === true);
      expect(again.map(({ collection }) => collection).toSorted()).toEqual(['orders', 'stock']);
      await becomesEqual(context);
    },
  );
});

describe('a second engine on the same source and target', { timeout: CASE_TIMEOUT_MS }, () => {
  /** Of the load that goes on all the while. */
  const ROUND = { rows: 300, seconds: 2, onRowsInserted: (): void => undefined };
  const ROUNDS_AFTER = IS_FULL ? 10 : 1;

  it.runIf(IS_FULL)('is refused with the name of the first, and after a take-over goes on alone', async (context) => {
    const first = await begin();
    const random = labRandom('second engine');
    const collections = await createSteady(world.session, random, 'pair');
    for (const collection of collections) await collection.insert(100);
    const firstId = await first.create({ name: 'first', start: { kind: 'copy' } });
    await first.untilConfirmed(firstId);
    let roundsLeft = Infinity;
    const load = (async (): Promise<void> => {
      for (let round = 0; roundsLeft > 0; round += 1, roundsLeft -= 1) {
        await runSteady(world.session, collections, random.fork(`round ${round}`), ROUND);
      }
    })();
    // Thrown where it is awaited.
    load.catch(() => undefined);

    const second = await world.operator();
    const secondId = await second.create({ name: 'second', start: { kind: 'copy' } });
    const refused = await second.until(secondId, ({ trouble }) => trouble?.error.code === 'targetInUse');
    expect(refused.state).toBe('held');
    expect(refused.trouble?.error.message).toContain(`task ${firstId} on `);
    expect(refused.trouble?.error.message).toContain(`data folder ${first.folder}`);
    expect(refused.collections).toEqual([]);
    await first.untilConfirmed(firstId);

    await second.core.client.call('tasks.resume', { id: secondId, takeOver: true });
    const ended = await first.until(firstId, ({ trouble }) => trouble?.error.code === 'leaseLost');
    expect(ended.state).toBe('held');
    expect(ended.trouble?.error.message).toContain(`task ${secondId} on `);
    expect(ended.trouble?.error.message).toContain(`data folder ${second.folder}`);
    // The copies are the first one's: what they hold is for a person to decide on.
    const found = await second.until(
      secondId,
      (status) => status.collections.length === 3 && status.collections.every(({ state }) => state === 'held'),
    );
    for (const { trouble } of found.collections) {
      expect(trouble?.error).toMatchObject({ code: 'storeOutdated', side: 'store' });
      expect(trouble?.error.message).toMatch(/^The target holds a copy of default\.\w+ that another task has made/);
    }
    await second.core.client.call('tasks.recopy', {
      id: secondId,
      collectionIds: found.collections.map(({ id }) => id),
    });

    roundsLeft = ROUNDS_AFTER;
    await load;
    await second.untilConfirmed(secondId);
    await becomesEqual(context);
    expect((await first.status(firstId))?.trouble?.error.code).toBe('leaseLost');
    // It does not come back by itself, nor by a mere resume.
    await first.core.client.call('tasks.resume', { id: firstId });
    const outside = await first.until(firstId, ({ trouble }) => trouble?.error.code === 'targetInUse');
    expect(outside.trouble?.error.message).toContain(`task ${secondId} on `);
  });
});

describe('a task that begins at given positions', { timeout: CASE_TIMEOUT_MS }, () => {
  const ROWS = 300;
  const BLUEPRINT = { ...STOCK, collection: 'begun', shards: 2 };
  /** After a flush it is written at once; otherwise once a minute (2.3.5). */
  const POSITION_TIMEOUT_MS = 100_000;

  /** As milvus-cdc and milvus-backup take them: what data nodes have stored of each shard. */
  async function channelCheckpoints(afterMs: number): Promise<Record<string, string>> {
    const etcd = world.etcd('source');
    try {
      return await vi.waitUntil(
        async () => {
          const stored = await etcd.getAll().prefix('lab-source/meta/datacoord-meta/channel-cp/').buffers();
          const found = Object.entries(stored).map(([key, bytes]): [string, Buffer] => [
            key.slice(key.lastIndexOf('/') + 1),
            bytes,
          ]);
          const isNew = found.filter(
            ([, bytes]) => timeTickToMs(asTimeTick(readMsgPosition(bytes).timestamp)) > afterMs,
          );
          if (isNew.length < BLUEPRINT.shards) return undefined;
          return Object.fromEntries(found.map(([name, bytes]) => [name, bytes.toString('base64')]));
        },
        { timeout: POSITION_TIMEOUT_MS, interval: 500 },
      );
    } finally {
      etcd.close();
    }
  }

  it.runIf(isChosen('positions'))(
    'brings exactly what comes behind them, by key where another tool may have written',
    async (context) => {
      const operator = await begin();
      const random = labRandom('positions');
      const collection = await LoadedCollection.create(world.session, BLUEPRINT, random);
      await collection.insert(ROWS, 'north');
      await collection.flush();
      const positions = await channelCheckpoints(Date.now());
      await collection.upsert(20, 'north');
      await collection.insert(ROWS, 'south');
      await collection.delete(10, 'south');
      const id = await operator.create({ name: 'goes on', start: { kind: 'positions', positions } });
      const { calls } = await operator.untilConfirmed(id);
      expect(calls).toMatchObject({ upsert: expect.any(Number) });
      expect(calls['insert']).toBeUndefined();
      await collection.createIndexes();
      await collection.load();
      await collection.insert(50, 'south');
      expect((await operator.untilConfirmed(id)).calls['insert']).toBeGreaterThan(0);

      const { missing, extra, different, doublesTarget } = await world.comparisonOf('begun');
      expect({ missing, extra, different, doublesTarget }).toEqual({
        missing: ROWS - 20,
        extra: 0,
        different: 0,
        doublesTarget: 0,
      });
      // What only the source has goes, and with it the rest of what was there before.
      await collection.delete(ROWS, 'north');
      await operator.untilConfirmed(id);
      await becomesEqual(context);
    },
  );
});

describe('a message that the target refuses for good', { timeout: CASE_TIMEOUT_MS }, () => {
  /** What the target's proxy takes in one call; 256 MiB on the source. Read with each start (2.3.5). */
  const LIMIT = 'proxy.grpc.serverMaxRecvSize';
  const CALL_BYTES_MAX = 256 * 1024;
  const SHORT_TEXT = 10;
  /** Ten of them are too large for one call. */
  const LONG_TEXT = 40_000;

  const rowsOf = (keys: readonly number[], length: number) =>
    keys.map((id) => ({ id, body: { text: 'x'.repeat(length) }, embedding: [id, 1, 2, 3] }));
  const numbers = (from: number, below: number) => Array.from({ length: below - from }, (_, n) => from + n);
  const names = (collection: string) => ({ collection_name: collection });

  async function create(collection: string): Promise<void> {
    const { client } = world.session.connection;
    const fields = [
      { name: 'id', data_type: DataType.Int64, is_primary_key: true },
      { name: 'body', data_type: DataType.JSON },
      { name: 'embedding', data_type: DataType.FloatVector, dim: 4 },
    ];
    const request = { ...names(collection), fields, shards_num: 1 };
    await checked('source', 'createCollection', client.createCollection(request));
    const index = { field_name: 'embedding', index_name: 'flat', index_type: 'FLAT', metric_type: 'L2' };
    await checked('source', 'createIndex', client.createIndex({ ...names(collection), ...index }));
    await checked('source', 'load', client.loadCollection(names(collection)));
  }

  async function write(
    call: 'insert' | 'upsert',
    collection: string,
    keys: readonly number[],
    length: number,
  ): Promise<void> {
    const { client } = world.session.connection;
    const data = rowsOf(keys, length) as never;
    await checked('source', call, client[call]({ ...names(collection), data }));
  }

  /** Two collections that are followed, onto a target that takes less in one call than the source. */
  async function followed() {
    const target: Record<string, number> = { [LIMIT]: CALL_BYTES_MAX };
    const operator = await begin({ target });
    for (const collection of ['letters', 'others']) {
      await create(collection);
      await write('insert', collection, numbers(0, 100), SHORT_TEXT);
    }
    const id = await operator.create({ name: 'letters', start: { kind: 'copy' } });
    await operator.untilConfirmed(id);
    const raiseLimit = async (): Promise<void> => {
      target[LIMIT] = 1_000 * CALL_BYTES_MAX;
      await world.lab.target.instance.stop();
      await world.lab.target.instance.start();
    };
    return { operator, id, raiseLimit };
  }

  /** One message of ten rows that is refused; then later ones on some of its keys, on keys before it, and on new ones. */
  async function writeRefused(operator: Operator, id: string) {
    await write('insert', 'letters', numbers(200, 210), LONG_TEXT);
    const failed = await operator.untilCollection(id, 'letters', ({ state }) => state === 'failed');
    await write('upsert', 'letters', [7, 200], SHORT_TEXT + 1);
    const expr = 'id in [8, 201]';
    await checked('source', 'delete', world.session.connection.client.deleteEntities({ ...names('letters'), expr }));
    await write('insert', 'letters', numbers(300, 310), SHORT_TEXT);
    await write('upsert', 'others', numbers(0, 10), SHORT_TEXT + 1);
    await operator.untilConfirmed(id, ['others']);
    return failed;
  }

  it.runIf(isChosen('quarantine'))(
    'is kept and shown, holds its collection alone, and goes in when the limit was raised and it is tried again',
    async (context) => {
      const { operator, id, raiseLimit } = await followed();
      const { client } = operator.core;
      const { id: collectionId, trouble } = await writeRefused(operator, id);
      expect(trouble?.error).toMatchObject({ code: 'messageTooLarge', side: 'target' });
      expect(trouble?.error.message).toMatch(/^The target at \S+ refused a message of Insert as too large \(/);
      expect(trouble?.hint).toBe('Raise the limits of message size on the target, then resume.');

      const { records } = await client.call('tasks.quarantine', { id });
      expect(records).toMatchObject([
        { collectionId, collection: 'letters', kind: 'insert', rowCount: 10, cause: { code: 'messageTooLarge' } },
      ]);
      const [record] = records;
      const recordId = record?.id ?? '';
      expect(record?.byteCount).toBeGreaterThan(CALL_BYTES_MAX);
      const content = await client.call('tasks.quarantineRecord', { id, recordId });
      expect(content.isCut).toBe(true);
      expect(content.summary).toMatchObject({ kind: 'insert', rowCount: 10 });
      expect(content.summary.firstKeys?.slice(0, 3)).toEqual(['200', '201', '202']);
      expect(content.summary.columns?.toSorted()).toEqual(['body', 'embedding', 'id']);
      // Nothing that came after it is there.
      expect(await world.countOnTarget('letters')).toBe(100);
      expect(await world.countOnTarget('letters', 'id in [8]')).toBe(1);

      // As long as the limit holds it is refused again, and stays one record.
      await client.call('tasks.retryCollection', { id, collectionId });
      const isLater = (one: { readonly trouble?: { readonly since: number } | undefined }): boolean =>
        (one.trouble?.since ?? 0) > (trouble?.since ?? Infinity);
      await operator.untilCollection(id, 'letters', (one) => one.state === 'failed' && isLater(one));
      expect((await client.call('tasks.quarantine', { id })).records).toHaveLength(1);

      await raiseLimit();
      await client.call('tasks.retryCollection', { id, collectionId });
      await operator.untilConfirmed(id);
      expect((await client.call('tasks.quarantine', { id })).records).toEqual([]);
      await becomesEqual(context, { withLedger: false });
    },
  );

  it.runIf(IS_FULL)('is left out with a reason, which is kept, and what came after it goes in', async (context) => {
    const { operator, id, raiseLimit } = await followed();
    const { client } = operator.core;
    const { id: collectionId } = await writeRefused(operator, id);
    const { records } = await client.call('tasks.quarantine', { id });
    const recordId = records[0]?.id ?? '';
    await expect(client.call('tasks.skipRecord', { id, recordId, reason: ' ' })).rejects.toThrow(/reason/);
    const reason = 'These letters are too long for the target.';
    await client.call('tasks.skipRecord', { id, recordId, reason });
    const { notices } = await operator.untilConfirmed(id);
    expect(notices.join('\n')).toMatch(
      /Left out of default\.letters: insert message \d+\. Reason given: These letters/,
    );
    const decided = { id: recordId, decision: { kind: 'skip', reason } };
    expect((await client.call('tasks.quarantine', { id })).records).toMatchObject([decided]);
    // Of its ten rows one was written again later, one deleted.
    const { missing, extra, different, doublesTarget } = await world.comparisonOf('letters', { withLedger: false });
    const rows = { missing, extra, different, doublesTarget };
    expect(rows).toEqual({ missing: 8, extra: 0, different: 0, doublesTarget: 0 });

    // The decision outlives the run.
    await operator.pause(id);
    await client.call('tasks.resume', { id });
    await write('insert', 'letters', [400], SHORT_TEXT);
    await operator.untilConfirmed(id);
    expect((await client.call('tasks.quarantine', { id })).records).toMatchObject([decided]);
    // What is missing comes with a new copy.
    await raiseLimit();
    await client.call('tasks.recopy', { id, collectionIds: [collectionId] });
    await operator.untilConfirmed(id);
    const { joins } = await client.call('tasks.history', { id });
    const again = joins.find(({ collection }) => collection === 'letters');
    expect(again).toMatchObject({ isRecopy: true, rowsDeleted: '0', rowsCopied: '119' });
    await becomesEqual(context, { withLedger: false });
  });
});
