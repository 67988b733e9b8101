/** One task with very many collections: all of them are copied or followed, and what one more costs does not grow with their number. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CollectionBlueprint } from '../../../electron/core/drill/load/blueprints.ts';
import { LoadedCollection } from '../../../electron/core/drill/load/loaded-collection.ts';
import { atOnce } from '../../../shared/at-once.ts';
import { announceSeed, attachFigures } from '../../support/lab-figures.ts';
import { LabLife } from '../../support/lab-life.ts';
import { IS_FULL, labRandom } from '../../support/lab-seed.ts';

/** Those of the first stage are there before the task begins, and are copied; later ones are written while it does not run. */
const STAGES = IS_FULL ? [50, 150, 150, 150] : [10, 30];
const COLLECTIONS = STAGES.reduce((sum, count) => sum + count, 0);
/** A load takes Milvus three seconds, however many there are at a time. */
const AT_ONCE = 20;
/** A 2.3.5 with some 300 loaded collections on two cores answers no load within half a minute (seen); the judge loads a few at a time. */
const LOADED_MAX = 50;
/** A stage with as many new collections may cost the core so much more of the processor than an earlier one. */
const GROWTH_MAX = 2;
/** What a start costs, more or less. */
const NOISE_CPU_SECONDS = 2;
const LEVEL_TIMEOUT_MS = 600_000;
const CASE_TIMEOUT_MS = 2_400_000;

const SMALL: Omit<CollectionBlueprint, 'collection'> = {
  database: 'default',
  key: 'int64',
  fields: [
    { name: 'amount', type: 'Int32' },
    { name: 'embedding', type: 'FloatVector', dimensions: 8 },
  ],
  indexes: [{ field: 'embedding', type: 'FLAT', metric: 'L2' }],
  shards: 1,
  isDynamic: false,
  partitions: [],
};

let life: LabLife;
beforeAll(async () => {
  const settings = {
    // 64 in a database by default, in 2.3.5.
    'quotaAndLimits.limits.maxCollectionNumPerDB': 2 * COLLECTIONS,
    // It releases one collection per look at its nodes, and looks once a second: the judge's releases took a second each.
    'queryCoord.distPullInterval': 50,
  };
  life = await LabLife.begin({ settings: { source: settings, target: settings } });
});
afterAll(() => life[Symbol.asyncDispose]());
beforeEach(announceSeed);

describe('one task', { timeout: CASE_TIMEOUT_MS }, () => {
  it(`brings ${COLLECTIONS} collections level, each with rows, at a cost that is linear in their number`, async (context) => {
    const random = labRandom('many');
    const collections: LoadedCollection[] = [];
    const levelMs: number[] = [];
    const cpuSeconds: number[] = [];
    const writeInto = async (collection: LoadedCollection): Promise<void> => {
      await collection.insert(20 + random.below(20));
      await collection.upsert(3);
      await collection.delete(3);
    };
    for (const [stage, count] of STAGES.entries()) {
      const names = Array.from({ length: count }, (_, n) => `many_${stage}_${n}`);
      await atOnce(AT_ONCE, names, async (name) => {
        const blueprint = { ...SMALL, collection: name };
        const collection = await LoadedCollection.create(life.session, blueprint, random.fork(name));
        await collection.createIndexes();
        if (collections.push(collection) <= LOADED_MAX) await collection.load();
        await writeInto(collection);
      });
      const startedMs = performance.now();
      await life.untilLevel(LEVEL_TIMEOUT_MS);
      levelMs.push(Math.round(performance.now() - startedMs));
      cpuSeconds.push(life.coreFigures.cpuSeconds);
      attachFigures(context, { collections: collections.length, levelMsByStage: levelMs, cpuSecondsSoFar: cpuSeconds });
    }
    life.task.start();
    await atOnce(AT_ONCE, collections, writeInto);
    attachFigures(context, { ...life.coreFigures });
    const report = await life.untilEqual(LEVEL_TIMEOUT_MS);
    attachFigures(context, {
      rowsCompared: report.rowsSource,
      collectionsCompared: report.collections.length,
      levelMs: report.levelMs,
      comparisonMs: report.durationMs,
      ...life.coreFigures,
    });
    expect(report.collections).toHaveLength(COLLECTIONS);
    expect(report.collections.filter(({ rowsTarget }) => rowsTarget === 0)).toEqual([]);
    // The first is another matter: its rows are copied.
    const spent = cpuSeconds.map((sum, stage) => sum - (cpuSeconds[stage - 1] ?? 0));
    const [, second = 0] = spent;
    expect(spent.at(-1), String(spent)).toBeLessThanOrEqual(second * GROWTH_MAX + NOISE_CPU_SECONDS);
  });
});
