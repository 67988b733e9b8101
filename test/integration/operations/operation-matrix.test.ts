/** Each operation on two real clusters: with nothing else going on, under load, and across a kill and a new start. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { announceSeed } from '../../support/lab-figures.ts';
import { IS_FULL, labRandom } from '../../support/lab-seed.ts';
import { createItems, done, index, OperationLab, rows, type Named } from '../../support/operation-lab.ts';
import { OPERATION_DRIVERS, verdictOf, type OperationDriver } from '../../support/operation-drivers.ts';

const WAYS = ['idle', 'under load', 'across a restart'] as const;
type Way = (typeof WAYS)[number];
/** `npm test` goes one of them. */
const TRIED = IS_FULL ? WAYS : [labRandom('operations').pick(WAYS)];

beforeEach(announceSeed);

let world: OperationLab;
const tally: Record<string, number> = {};
const table = new Map<string, Record<string, string>>();

beforeAll(async () => {
  world = await OperationLab.begin();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  console.table(Object.fromEntries(table));
  console.log('Recorded:', tally);
});

const nameOf = (driver: OperationDriver, way: Way): Named => ({
  name: `m${WAYS.indexOf(way)}_${OPERATION_DRIVERS.indexOf(driver)}`,
});

async function prepare(driver: OperationDriver, named: Named): Promise<void> {
  const { source } = world;
  await createItems(source, named);
  await done(source.createIndex(index(named)));
  await driver.prepare?.(source, named);
  if (driver.isLoaded !== true) return;
  await done(source.loadCollectionSync({ collection_name: named.name }));
  await done(source.insert({ collection_name: named.name, data: rows(0, 50) }));
}

/** Rows of keys that no driver looks at, into all collections that take them. */
function load(all: readonly Named[]): () => Promise<number> {
  let isOver = false as boolean;
  let count = 0;
  const running = (async () => {
    while (!isOver) {
      for (const { name } of all) {
        // One that is dropped meanwhile takes none.
        const answer = await world.source
          .insert({ collection_name: name, data: rows(10_000 + count, 20) })
          .catch(() => undefined);
        if (answer?.status.error_code === 'Success') count += 20;
      }
    }
  })();
  return async () => {
    isOver = true;
    await running;
    return count;
  };
}

const WAY_TIMEOUT_MS = 400_000;

describe.each(TRIED)('%s', (way) => {
  it('every operation of the source is on the target', { timeout: WAY_TIMEOUT_MS }, async () => {
    const { task, source, target } = world;
    await task.stop();
    // A database of 2.3.5 holds 64 collections.
    for (const { name } of (await done(source.showCollections())).data) {
      await done(source.dropCollection({ collection_name: name }));
    }
    const all = OPERATION_DRIVERS.map((driver) => ({ driver, named: nameOf(driver, way) }));
    for (const { driver, named } of all) await prepare(driver, named);
    expect(await task.untilLevel(), task.lines.join('\n')).toBe(0);
    if (way !== 'across a restart') task.start();
    const end = way === 'under load' ? load(all.map(({ named }) => named)) : undefined;
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
    const loaded = await end?.();
    expect(isKilled).toBe(way === 'across a restart');
    if (!isKilled) await task.stop();
    expect(await task.untilLevel(), task.lines.slice(-40).join('\n')).toBe(0);
    const failures: string[] = [];
    for (const { driver, named } of all) {
      const wrong = await verdictOf(driver, source, target, named);
      const row = table.get(driver.operation) ?? { told: driver.told };
      table.set(driver.operation, { ...row, [way]: wrong ?? 'as at the source' });
      if (wrong !== undefined) failures.push(`${driver.operation}: ${wrong}`);
    }
    for (const { operation, outcome } of world.events()) {
      tally[`${operation} ${outcome}`] = (tally[`${operation} ${outcome}`] ?? 0) + 1;
    }
    expect(failures).toEqual([]);
    if (way === 'under load') expect(loaded).toBeGreaterThan(100);
    expect(world.events().filter(({ outcome }) => outcome === 'failed')).toEqual([]);
  });
});
