/**
 * The promise on real servers: whatever is killed, and whenever, both sides end equal by key and content, no key twice.
 * `LIFELINE_LAB_SEED=n` repeats the rows and the moments. In `npm test` the cases are fewer kills in one lab, one after the
 * other; in `npm run test:full` each has a lab of its own.
 */
import { afterAll, afterEach, beforeEach, describe, expect, it, type TestContext } from 'vitest';
import { ARCHIVE_EVENTS, SESSIONS, SESSIONS_AGAIN } from '../../../electron/core/drill/load/blueprints.ts';
import { LoadedCollection } from '../../../electron/core/drill/load/loaded-collection.ts';
import type { Random } from '../../../electron/core/drill/load/random.ts';
import { runWorkload } from '../../../electron/core/drill/load/workload.ts';
import { announceSeed, attachFigures } from '../../support/lab-figures.ts';
import { LabLife } from '../../support/lab-life.ts';
import { createSteady, runSteady } from '../../support/lab-load.ts';
import { Moments } from '../../support/lab-moments.ts';
import { IS_FULL, labRandom, randomPlaces, spreadPlaces } from '../../support/lab-seed.ts';

const CASE_TIMEOUT_MS = 900_000;

let life: LabLife | undefined;
const nextLife = async (): Promise<LabLife> => (life ??= await LabLife.begin());
const endLife = async (): Promise<void> => {
  await life?.[Symbol.asyncDispose]();
  life = undefined;
};

beforeEach(announceSeed);
afterEach(async ({ task }) => {
  // After a failure the next case begins anew, so that it fails for a reason of its own only.
  if (IS_FULL || task.result?.state === 'fail') await endLife();
});
afterAll(endLife);

/** The end of each case. */
async function becomesEqual(context: TestContext, world: LabLife, figures: Record<string, number>): Promise<void> {
  attachFigures(context, { ...figures, ...world.coreFigures });
  const { rowsSource, levelMs, durationMs, collections } = await world.untilEqual();
  attachFigures(context, {
    rowsCompared: rowsSource,
    collectionsCompared: collections.length,
    levelMs,
    comparisonMs: durationMs,
    answersLostAtSource: world.session.unknownSeen + world.session.refusalsSeen,
    ...world.coreFigures,
  });
}

describe('rows that are there before the task', { timeout: CASE_TIMEOUT_MS }, () => {
  const ROWS_BEFORE = 492;
  const ROWS_IN_ALL = 987;
  /** The program needs two of them until it copies. */
  const SECONDS = IS_FULL ? 15 : 5;
  const ROUNDS = IS_FULL ? 5 : 1;
  const KILLS = IS_FULL ? 3 : 1;

  it.for(Array.from({ length: ROUNDS }, (_, round) => round + 1))(
    'are 492 of 987, and 987 are on the target, whose keys the server made, though the copy is killed (round %i)',
    async (round, context) => {
      const world = await nextLife();
      const random = labRandom(`987 in round ${round}`);
      const blueprint = { ...ARCHIVE_EVENTS, database: 'default', collection: 'events' };
      const events = await LoadedCollection.create(world.session, blueprint, random.fork('rows'));
      await events.createIndexes();
      await events.load();
      await events.insert(ROWS_BEFORE);

      const moments = new Moments(
        randomPlaces(random.fork('moments'), KILLS, 0, ROWS_IN_ALL - ROWS_BEFORE).map((atRows) => ({
          atRows,
          run: world.killCore,
        })),
      );
      world.task.start();
      await insertInSteps(events, ROWS_IN_ALL - ROWS_BEFORE, SECONDS, moments.onRowsInserted);
      await moments.settle();
      await becomesEqual(context, world, { coreKills: KILLS });

      expect(await world.countOnTarget('events')).toBe(ROWS_IN_ALL);
      const joins = world.joins().filter(({ collection }) => collection === 'events');
      expect(joins).toMatchObject([{ sourceDoubles: '0' }]);
      const rowsCopied = Number(joins[0]?.rowsCopied);
      expect(rowsCopied).toBeGreaterThanOrEqual(ROWS_BEFORE);
      attachFigures(context, { rowsCopied });
    },
  );
});

describe('killed with -9 under a mixed load', { timeout: CASE_TIMEOUT_MS }, () => {
  const CORE_KILLS = IS_FULL ? 20 : 2;
  const SERVER_KILLS = IS_FULL ? 3 : 1;
  const SERVERS = ['target', 'source'] as const;
  const LIVES_BESIDE = 10;

  it(`the program, ${CORE_KILLS} times, in its copy and after, while a name comes back ${LIVES_BESIDE} times`, async (context) => {
    const world = await nextLife();
    const random = labRandom('core');
    const [rows, seconds] = IS_FULL ? [40_000, 240] : [5_000, 18];
    const moments = new Moments([
      { atRows: rows * 0.15, run: async () => world.task.start() },
      ...randomPlaces(random.fork('moments'), CORE_KILLS, Math.ceil(rows * 0.16), Math.floor(rows * 0.98)).map(
        (atRows) => ({ atRows, run: world.killCore }),
      ),
    ]);
    await Promise.all([
      runWorkload(world.session, random, { rows, seconds, onRowsInserted: moments.onRowsInserted }),
      liveAgain(world, random.fork('again'), LIVES_BESIDE),
    ]);
    await moments.settle();
    await becomesEqual(context, world, { coreKills: CORE_KILLS, lives: LIVES_BESIDE });
  });

  it.for(IS_FULL ? SERVERS : [labRandom('which server').pick(SERVERS)])(
    `the %s, ${SERVER_KILLS} time${SERVER_KILLS === 1 ? '' : 's'}: nothing is lost, nothing twice`,
    async (server, context) => {
      const world = await nextLife();
      const random = labRandom(server);
      // As fast as it goes, so that there is always a write under way.
      const [rows, seconds] = [IS_FULL ? 40_000 : 4_000, 0];
      const moments = new Moments(
        spreadPlaces(random.fork('moments'), SERVER_KILLS, rows * 0.1, rows * 0.9).map((atRows) => ({
          atRows,
          run: server === 'target' ? world.killTarget : world.killSource,
        })),
      );
      world.task.start();
      const load = { rows, seconds, onRowsInserted: moments.onRowsInserted };
      // Definitions are only written where the source stays.
      if (IS_FULL && server === 'target') await runWorkload(world.session, random, load);
      else await runSteady(world.session, await createSteady(world.session, random, server), random, load);
      await moments.settle();
      await becomesEqual(context, world, { [`${server}Kills`]: SERVER_KILLS });
    },
  );
});

describe('a name that is used again and again', { timeout: CASE_TIMEOUT_MS }, () => {
  const LIVES = 200;

  it.runIf(IS_FULL)(
    `holds its last life's rows alone after ${LIVES} collections of that name, each written to`,
    async (context) => {
      const world = await nextLife();
      const random = labRandom('again');
      const steady = await createSteady(world.session, random, 'again');
      world.task.start();
      let rowsInserted = 0;
      const onRowsInserted = (count: number): void => {
        rowsInserted += count;
      };
      await Promise.all([
        liveAgain(world, random, LIVES),
        runSteady(world.session, steady, random, { rows: LIVES * 30, seconds: LIVES / 3, onRowsInserted }),
      ]);
      await becomesEqual(context, world, { lives: LIVES, rowsInsertedBeside: rowsInserted });
    },
  );
});

/** Each life has another number of shards or another schema than the one before; every tenth is loaded when it goes. */
async function liveAgain(world: LabLife, random: Random, lives: number): Promise<void> {
  for (let incarnation = 1; incarnation <= lives; incarnation += 1) {
    const schema = incarnation % 2 === 0 ? SESSIONS : SESSIONS_AGAIN;
    const blueprint = { ...schema, collection: 'again', shards: 1 + (incarnation % 3) };
    const collection = await LoadedCollection.create(world.session, blueprint, random, incarnation);
    await collection.insert(1 + random.below(60));
    const isLast = incarnation === lives;
    if (isLast || incarnation % 10 === 0) {
      await collection.createIndexes();
      await collection.load();
    }
    await collection.upsert(1 + random.below(20));
    await collection.delete(1 + random.below(20));
    await collection.insert(1 + random.below(60));
    if (!isLast) await collection.drop();
  }
}

/** In batches of one to nine rows, evenly over the time, so that a moment falls into any part of it. */
async function insertInSteps(
  collection: LoadedCollection,
  rows: number,
  seconds: number,
  onRowsInserted: (count: number) => void,
): Promise<void> {
  const startedMs = performance.now();
  for (let inserted = 0; inserted < rows;) {
    const count = Math.min(1 + (inserted % 9), rows - inserted);
    await collection.insert(count);
    inserted += count;
    onRowsInserted(count);
    const aheadMs = (inserted / rows) * seconds * 1_000 - (performance.now() - startedMs);
    if (aheadMs > 0) await new Promise((resolve) => setTimeout(resolve, aheadMs));
  }
}
