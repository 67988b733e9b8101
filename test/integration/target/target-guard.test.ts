/** The marker and the identity of copies on a real Milvus; and a real source that bears a marker, as one that was a target does. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startLab, type Lab } from '../../../electron/core/lab/lab.ts';
import { listCollections } from '../../../electron/core/drill/compare/collection-shape.ts';
import { openMilvus } from '../../../electron/core/drill/content/milvus-client.ts';
import { openEtcdCatalog } from '../../../electron/engine/source/catalog/etcd-catalog.ts';
import { openMilvusTarget } from '../../../electron/engine/target/milvus-target.ts';
import { TargetMarker } from '../../../electron/engine/target/target-marker.ts';
import type { Target } from '../../../electron/engine/target/target.ts';
import type { WatchedCopy } from '../../../electron/engine/task/changed-copies.ts';
import { TargetGuard } from '../../../electron/engine/task/target-guard.ts';
import { asCollectionId } from '../../../shared/model/ids.ts';
import type { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { StoredMarker } from '../../../shared/model/task-state.ts';
import { encodeMessage } from '../../support/milvus-messages.ts';
import { FIRST_STATE } from '../../support/store-samples.ts';

let lab: Lab;
let target: Target;
const never = new AbortController().signal;

beforeAll(async () => {
  lab = await startLab({ purpose: 'throwaway' });
  target = openMilvusTarget(lab.target.asTarget.milvus);
});
afterAll(async () => {
  await target.close();
  await lab.stop();
});

function guardOf(host: string, copies: WatchedCopy[] = []) {
  const kept: { marker?: StoredMarker; changed?: ReplicationError } = {};
  const ending = Promise.withResolvers<ReplicationError>();
  const guard = new TargetGuard({
    taskId: 'shop',
    target,
    store: { saveMarker: (marker) => (kept.marker = marker), doubtCopies: () => expect.fail('no doubt') },
    lease: {
      task: {
        ...FIRST_STATE,
        scope: {},
        epoch: 1,
        databases: [],
        seenDatabases: [],
        aliases: [],
        droppedPartitions: [],
        writesUntilMs: 0,
      },
      previousRun: undefined,
    },
    run: { id: host, host, folder: '/data', pid: 1, began: Date.now() },
    takesOver: false,
    observer: { blocked: () => undefined, unblocked: () => undefined },
    notice: (text) => expect.fail(text),
    copies: () => copies,
    changed: (copy, error) => {
      copies.splice(copies.indexOf(copy), 1);
      ending.resolve(error);
    },
  });
  return { guard, kept, changed: ending.promise };
}

/** Kept until its end, which is one in order. */
function keeping(guard: TargetGuard): { end(): Promise<void> } {
  const stop = new AbortController();
  const kept = guard.keep(stop.signal).catch((error: unknown) => error);
  const end = async (): Promise<void> => {
    stop.abort(new Error('stopped'));
    await kept;
    await guard.leave();
  };
  return { end };
}

async function makeCopy(name: string): Promise<WatchedCopy> {
  const schema = encodeMessage('schema.CollectionSchema', {
    name,
    fields: [
      { fieldID: 100, name: 'id', isPrimaryKey: true, dataType: 5 },
      { fieldID: 101, name: 'v', dataType: 101, typeParams: [{ key: 'dim', value: '8' }] },
    ],
  });
  const address = { database: 'default', collection: name };
  const shape = { shardCount: 1, consistencyLevel: 0, properties: [], partitionKeyCount: 0, origin: 'a/1' };
  await target.createCollection({ ...address, schema, ...shape }, never);
  const made = await target.describeCollection(address, never);
  if (made === undefined) throw new Error('It was not made.');
  expect(await target.collectionIdentities('default', never)).toContainEqual({
    name,
    id: made.id,
    createTick: made.createTick,
  });
  return { id: asCollectionId(1n), address, targetId: made.id, targetCreateTick: made.createTick };
}

test('a marker is claimed, beats, refuses another engine, and lets it in after an end in order', async () => {
  const first = guardOf('first');
  await first.guard.take(never);
  expect(first.guard.mayWrite).toBe(false);
  const held = keeping(first.guard);
  await first.guard.whenMayWrite(never);

  await expect(guardOf('second').guard.take(never)).rejects.toMatchObject({
    code: 'targetInUse',
    message: expect.stringMatching(/task shop on first \(process 1, data folder \/data\), since \d{4}-/) as string,
  });
  expect(first.kept.marker).toMatchObject({ runIds: ['first'] });
  expect(first.kept.marker?.sent).toBeGreaterThan(0n);
  expect(first.guard.mayWrite).toBe(true);

  await held.end();
  const beganMs = performance.now();
  const third = guardOf('third');
  await third.guard.take(never);
  const kept = keeping(third.guard);
  await third.guard.whenMayWrite(never);
  expect(performance.now() - beganMs).toBeLessThan(5_000);
  await kept.end();
});

test('a copy that is dropped and made again under its name is found', async () => {
  const copies = [await makeCopy('orders')];
  const { guard, changed } = guardOf('watching', copies);
  await guard.take(never);
  await target.dropCollection({ database: 'default', collection: 'orders' }, never);
  await makeCopy('orders');
  const kept = keeping(guard);
  await expect(changed).resolves.toMatchObject({
    code: 'targetChanged',
    message: expect.stringMatching(/default\.orders was replaced by another collection on the target/) as string,
  });
  await kept.end();
});

test('what a claim and a beat cost is some milliseconds', async () => {
  const marker = new TargetMarker(target, { ...FIRST_STATE.source, rootPath: 'measured' });
  await marker.make(never);
  const tookMs: number[] = [];
  for (let beat = 1n; beat <= 50n; beat += 1n) {
    const beganMs = performance.now();
    await marker.read(never);
    await marker.beat('measured', beat, never);
    await marker.read(never);
    tookMs.push(performance.now() - beganMs);
  }
  expect((await marker.read(never))?.beat).toEqual({ runId: 'measured', number: 50n });
  // Far above what is seen (9 ms), far below the five seconds between two beats.
  expect(tookMs.toSorted((a, b) => a - b)[25]).toBeLessThan(500);
});

test('a marker is part of no source and of no comparison', async () => {
  const source = openMilvusTarget(lab.source.asTarget.milvus);
  const catalog = openEtcdCatalog(lab.source.asSource.etcd);
  const connection = await openMilvus(lab.source.asTarget.milvus, 'source');
  try {
    const marker = new TargetMarker(source, FIRST_STATE.source);
    await marker.make(never);
    const made = await marker.read(never);
    expect(await source.listCollections('default', never)).toEqual([marker.address.collection]);
    expect((await catalog.snapshot()).collections).toEqual([]);
    expect(await catalog.collection(asCollectionId(made?.id ?? 0n))).toBe('gone');
    expect(await listCollections(connection, 'default')).toEqual([]);
  } finally {
    await connection.close();
    await catalog.close();
    await source.close();
  }
});
