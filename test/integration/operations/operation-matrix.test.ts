/**
 * Each operation on two real clusters: with nothing else going on, under load, and across a kill and a new start; where the log tells of
 * operations, where it does not and the catalogue alone is left, and with other names on the target.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { snapshotCluster } from '../../../electron/core/drill/compare/cluster-snapshot.ts';
import type { CollectionComparison } from '../../../electron/core/drill/compare/comparison-report.ts';
import { judge } from '../../../electron/core/drill/compare/judge.ts';
import { underSourceNames } from '../../../electron/core/drill/compare/under-source-names.ts';
import { openMilvus } from '../../../electron/core/drill/content/milvus-client.ts';
import { atOnce } from '../../../shared/at-once.ts';
import { announceSeed } from '../../support/lab-figures.ts';
import { IS_FULL, labRandom } from '../../support/lab-seed.ts';
import {
  createItems,
  done,
  index,
  indexParams,
  OperationLab,
  rows,
  type Named,
  type OperationLabOptions,
} from '../../support/operation-lab.ts';
import { OPERATION_DRIVERS, verdictOf, type OperationDriver } from '../../support/operation-drivers.ts';
import { OperationLoad } from '../../support/operation-load.ts';

const WAYS = ['idle', 'under load', 'across a restart'] as const;
type Way = (typeof WAYS)[number];

const WORLDS = ['in the log', 'only in the catalogue', 'under other names'] as const;
type World = (typeof WORLDS)[number];

/** What a log keeps that is not called as Milvus' own settings call it is no channel of operations to the task. */
const CHANNEL = 'common.chanNamePrefix.replicateMsg';
const OPTIONS: Readonly<Record<World, OperationLabOptions>> = {
  'in the log': {},
  'only in the catalogue': { settings: { source: { [CHANNEL]: 'elsewhere' } } },
  'under other names': {
    mapping: { rules: [{ from: { database: 'default' }, to: { database: 'dr_default' } }], databasePrefix: 'dr_' },
  },
};

const random = labRandom('operations');
/** Names change nothing of when an operation is told: they are gone through once. */
const FULL: Readonly<Record<World, readonly Way[]>> = {
  'in the log': WAYS,
  'only in the catalogue': WAYS,
  'under other names': [random.pick(WAYS)],
};
/** `npm test` goes one way in one world. */
const SAMPLED = random.pick(WORLDS);
const TRIED = IS_FULL
  ? WORLDS.map((world) => ({ world, ways: FULL[world] }))
  : [{ world: SAMPLED, ways: [random.pick(WAYS)] }];

const table = new Map(
  OPERATION_DRIVERS.map(({ operation, told }): [string, Record<string, string>] => [operation, { 'told by': told }]),
);

beforeEach(announceSeed);
afterAll(() => {
  console.table(Object.fromEntries(table));
});

const IN_CHANNEL = new Set(
  OPERATION_DRIVERS.filter(({ told }) => told === 'the operation channel').map(({ operation }) => operation),
);

const nameOf = (driver: OperationDriver, way: Way): Named => ({
  name: `m${WAYS.indexOf(way)}_${OPERATION_DRIVERS.indexOf(driver)}`,
});

/** All of its collections are called so, and none of another's. */
const isOf = ({ name }: Named, collection: string): boolean => collection === name || collection.startsWith(`${name}_`);

/** As many as a server makes and loads side by side without a word. */
const PREPARED_AT_ONCE = 8;

async function prepare({ source }: OperationLab, driver: OperationDriver, named: Named): Promise<void> {
  await createItems(source, named);
  await done(source.createIndex(index(named)));
  await driver.prepare?.(source, named);
  if (driver.isLoaded !== true) return;
  await done(source.loadCollectionSync({ collection_name: named.name }));
  await done(source.insert({ collection_name: named.name, data: rows(0, 50) }));
}

/** All rows and definitions of both sides, under the source's names. */
async function compare({ source, target, lab, mapping }: OperationLab): Promise<readonly CollectionComparison[]> {
  // What has no index on either side cannot be loaded, and so not be read.
  for (const { name } of (await done(source.showCollections())).data) {
    const both = await Promise.all(
      [source, target].map((client) => indexParams(client, { name }).catch(() => undefined)),
    );
    if (both.some((params) => params === undefined || Object.keys(params).length > 0)) continue;
    for (const client of [source, target]) await done(client.createIndex(index({ name })));
  }
  const signal = AbortSignal.timeout(COMPARE_TIMEOUT_MS);
  const snapshot = async (side: 'source' | 'target') => {
    const connection = await openMilvus(lab[side].asTarget.milvus, side);
    try {
      return await snapshotCluster(connection, signal, () => undefined);
    } finally {
      await connection.close();
    }
  };
  // Most of the time goes into loading what is not loaded: both sides at once.
  const sides = underSourceNames(...(await Promise.all([snapshot('source'), snapshot('target')])), { mapping });
  const { collections } = judge(sides.source, sides.target, undefined);
  return collections;
}

/** What of one row is not the same on both sides; how many rows were compared. */
function differencesOf(named: Named, comparisons: readonly CollectionComparison[]) {
  const own = comparisons.filter(({ collection }) => isOf(named, collection));
  const wrong = own.filter(({ equal }) => !equal).map((found) => JSON.stringify(found));
  return { wrong, rows: own.reduce((sum, { rowsSource }) => sum + rowsSource, 0) };
}

const COMPARE_TIMEOUT_MS = 120_000;
const WAY_TIMEOUT_MS = 400_000;

// Fields cannot be added to a collection of 2.3.5: that operation is proven in the simulation (test/sim/fields).
describe.each(TRIED)('$world', ({ world: name, ways }) => {
  let world: OperationLab;
  const tally: Record<string, number> = {};
  beforeAll(async () => {
    world = await OperationLab.begin(OPTIONS[name]);
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    console.log('Recorded:', name, tally);
  });

  it.each(ways)('every operation of the source is on the target: %s', { timeout: WAY_TIMEOUT_MS }, async (way) => {
    const { task, source } = world;
    await task.stop();
    // A database of 2.3.5 holds 64 collections.
    for (const { name: earlier } of (await done(source.showCollections())).data) {
      await done(source.dropCollection({ collection_name: earlier }));
    }
    const all = OPERATION_DRIVERS.map((driver) => ({ driver, named: nameOf(driver, way) }));
    await atOnce(PREPARED_AT_ONCE, all, ({ driver, named }) => prepare(world, driver, named));
    expect(await task.untilLevel(), task.lines.join('\n')).toBe(0);
    const shown = all.filter(({ driver }) => name !== 'only in the catalogue' || driver.isUnknownToCatalogue !== true);

    if (way !== 'across a restart') task.start();
    const load = way === 'under load' ? new OperationLoad(source, all) : undefined;
    onTestFinished(() => load?.end());
    let isKilled = false;
    for (const [place, { driver, named }] of all.entries()) {
      if (way === 'across a restart' && place === Math.floor(all.length / 3)) task.start();
      if (way === 'across a restart' && place === Math.floor((2 * all.length) / 3)) {
        await task.kill();
        isKilled = true;
      }
      await driver.act(source, named).catch((error: unknown) => {
        throw new Error(`the source refused ${driver.operation}`, { cause: error });
      });
    }
    expect(isKilled).toBe(way === 'across a restart');
    if (!isKilled) {
      await load?.onceAround();
      // The program that runs brings them over, and while the load goes on: not one that is started to become level.
      for (const { driver, named } of shown) {
        expect(await verdictOf(driver, world, named), `${driver.operation}, ${way}`).toBeUndefined();
      }
      await load?.end();
      await task.stop();
    }
    expect(await task.untilLevel(), task.lines.slice(-40).join('\n')).toBe(0);
    const failures: string[] = [];
    const verdicts = new Map<OperationDriver, string | undefined>();
    for (const { driver, named } of shown) verdicts.set(driver, await verdictOf(driver, world, named));
    // A load writes what no driver looks at; without one the drivers have seen all there is, but for `npm run test:full`.
    const comparisons = load !== undefined || IS_FULL ? await compare(world) : [];
    for (const { driver, named } of all) {
      const { wrong, rows: compared } = differencesOf(named, comparisons);
      const verdict = verdicts.get(driver);
      if (verdict !== undefined) wrong.unshift(verdict);
      const written = load?.rowsOf(driver) ?? 0;
      if (compared < written && driver.isDropping !== true) wrong.push(`${written} rows written, ${compared} compared`);
      const equal = verdicts.has(driver) ? 'equal' : 'not told';
      const row = table.get(driver.operation);
      if (row !== undefined)
        row[`${name}, ${way}`] = wrong[0] ?? (comparisons.length === 0 ? equal : `${equal}, ${compared} rows`);
      failures.push(...wrong.map((one) => `${driver.operation}: ${one}`));
    }
    const events = world.events();
    for (const { operation, outcome, source: teller } of events) {
      const key = `${operation} ${outcome}, from the ${teller}`;
      tally[key] = (tally[key] ?? 0) + 1;
    }
    if (load !== undefined) {
      console.log('Taken by name:', Object.fromEntries(load.taken));
      console.log('Names that nobody bore when they were written to:', Object.fromEntries(load.refusals));
    }
    if (name === 'only in the catalogue') {
      const told = events.filter(({ operation, source: teller }) => teller === 'log' && IN_CHANNEL.has(operation));
      expect(told, 'the log has told of them').toEqual([]);
    }
    expect(failures).toEqual([]);
    expect(load?.unexplained ?? []).toEqual([]);
    expect(events.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
  });
});
