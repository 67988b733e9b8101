/**
 * A loop through a third cluster: A is replicated to B, B to C, and C to A would close it. Each task has a core of its own,
 * which knows only its two clusters: it is the copies themselves that tell.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SHOP_ORDERS } from '../../../electron/core/drill/load/blueprints.ts';
import { LedgerWriter } from '../../../electron/core/drill/load/ledger.ts';
import { LoadedCollection } from '../../../electron/core/drill/load/loaded-collection.ts';
import { seededRandom } from '../../../electron/core/drill/load/random.ts';
import { startLab, type Lab, type LabSide } from '../../../electron/core/lab/lab.ts';
import { ContractError } from '../../../shared/contract/client.ts';
import { PatientSession } from '../../support/lab-load.ts';
import { IS_FULL } from '../../support/lab-seed.ts';
import { Operator } from '../../support/operated-lab.ts';

const COLLECTION = 'orders';
const start = { kind: 'copy', mayLoad: true } as const;
const orders = { include: [{ database: 'default', collection: COLLECTION }] };

const open: AsyncDisposable[] = [];
let clusters: Record<'a' | 'b' | 'c', LabSide>;

const begin = async (source: LabSide, target: LabSide): Promise<Operator> => {
  const operator = await Operator.begin({ source, target });
  open.push(operator);
  return operator;
};

describe.runIf(IS_FULL)('a way back through a third cluster', () => {
  beforeAll(async () => {
    const first: Lab = await startLab({ purpose: 'throwaway' });
    open.push(first);
    const second = await startLab({ purpose: 'throwaway' });
    open.push(second);
    clusters = { a: first.source, b: first.target, c: second.source };
    const ledger = new LedgerWriter(join(first.directory, 'third.jsonl'));
    const session = await PatientSession.open(clusters.a.asTarget.milvus, ledger, new AbortController().signal);
    const blueprint = { ...SHOP_ORDERS, database: 'default', collection: COLLECTION };
    const collection = await LoadedCollection.create(session, blueprint, seededRandom(1));
    await collection.createIndexes();
    await collection.load();
    await collection.insert(100);
    await session.connection.close();
    ledger.close();
  });
  afterAll(async () => {
    for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
  });

  it('is refused at creation, and held where it was created before the way there', async () => {
    const { a, b, c } = clusters;
    // Created while nothing stands in its way, and not run yet.
    const back = await begin(c, a);
    const early = await back.create({ name: 'early', selection: orders, start });
    await back.pause(early);

    const there = await begin(a, b);
    await there.untilConfirmed(await there.create({ name: 'there', selection: orders, start }));
    const on = await begin(b, c);
    const onId = await on.create({ name: 'on', selection: orders, start });
    await on.untilConfirmed(onId);

    const refusal = await back.create({ name: 'back', selection: orders, start }).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(ContractError);
    expect((refusal as ContractError).data).toMatchObject({ code: 'invalidInput', context: { conflict: 'loop' } });

    await back.core.client.call('tasks.resume', { id: early });
    const held = await back.untilCollection(early, COLLECTION, ({ state }) => state === 'held');
    expect(held.trouble?.error.message).toMatch(/itself a copy/);
    // What stands in the way of the loop goes on.
    expect((await on.status(onId))?.state).toBe('following');
  });
});
