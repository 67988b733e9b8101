/** The marker in the target, by the real engine code against a target in memory, on fake time. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { asCollectionId } from '../../../../shared/model/ids.ts';
import { isMarker } from '../../../../shared/model/marker-name.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import type { CopyDoubt, StoredMarker, StoredTask, TaskRun } from '../../../../shared/model/task-state.ts';
import { asTimeTick } from '../../../../shared/time/time-tick.ts';
import type { WatchedCopy } from '../../../../electron/engine/task/changed-copies.ts';
import { TargetGuard } from '../../../../electron/engine/task/target-guard.ts';
import { answerLost, MemoryTarget, refused } from '../../../support/memory-target.ts';
import { encodeMessage } from '../../../support/milvus-messages.ts';
import { FIRST_STATE } from '../../../support/store-samples.ts';

/** No write of a run that has beaten last so long ago can land any more. */
const STALE_MS = 30_000;
const BEAT_MS = 5_000;

let target: MemoryTarget;
beforeEach(() => {
  vi.useFakeTimers();
  target = new MemoryTarget();
});
afterEach(() => vi.useRealTimers());

/** What a task's store keeps between runs. */
class Store {
  marker: StoredMarker | undefined;
  doubts: CopyDoubt[] = [];
  saves = 0;
  saveMarker(marker: StoredMarker): void {
    this.saves += 1;
    this.marker = marker;
  }
  doubtCopies(doubt: CopyDoubt): void {
    this.doubts.push(doubt);
  }
}

interface Life {
  readonly guard: TargetGuard;
  readonly stop: AbortController;
  readonly notices: string[];
  readonly blocked: string[];
  readonly changed: { readonly copy: WatchedCopy; readonly error: ReplicationError }[];
  readonly copies: WatchedCopy[];
  /** Settles when `keep` does. */
  kept: Promise<unknown>;
}

let runs = 0;

function live(store: Store, { host = 'one', rootPath = 'by-dev', takesOver = false, on = target } = {}): Life {
  runs += 1;
  const run: TaskRun = { id: `run-${runs}`, host, folder: `/data/${host}`, pid: runs, began: 1_795_440_000_000 };
  const task: StoredTask = {
    ...FIRST_STATE,
    source: { ...FIRST_STATE.source, rootPath },
    epoch: 1,
    databases: [],
    seenDatabases: [],
    aliases: [],
    droppedPartitions: [],
    writesUntilMs: 0,
    scope: {},
    marker: store.marker,
  };
  const life = {
    stop: new AbortController(),
    notices: [] as string[],
    blocked: [] as string[],
    changed: [] as { copy: WatchedCopy; error: ReplicationError }[],
    copies: [] as WatchedCopy[],
    kept: Promise.resolve<unknown>(undefined),
  };
  const guard = new TargetGuard({
    taskId: `shop-${host}`,
    target: on,
    store,
    lease: { task, previousRun: undefined },
    run,
    takesOver,
    observer: { blocked: (error) => life.blocked.push(error.message), unblocked: () => undefined },
    notice: (text) => life.notices.push(text),
    copies: () => life.copies,
    changed: (copy, error) => {
      life.changed.push({ copy, error });
      life.copies.splice(life.copies.indexOf(copy), 1);
    },
  });
  return { ...life, guard };
}

function keep(life: Life): void {
  life.kept = life.guard.keep(life.stop.signal).catch((error: unknown) => error);
}

/** A claim is looked at again after a tenth of a second. */
async function take(life: Life): Promise<void> {
  await life.guard.take(life.stop.signal);
  keep(life);
  await vi.advanceTimersByTimeAsync(500);
}

/** Takes the marker and keeps it. */
async function begin(store: Store, options?: Parameters<typeof live>[1]): Promise<Life> {
  const life = live(store, options);
  const taken = life.guard.take(life.stop.signal).then(() => keep(life));
  await vi.advanceTimersByTimeAsync(STALE_MS + BEAT_MS);
  await taken;
  return life;
}

/** As kill -9 does: nothing more comes of it. */
const kill = (life: Life): void => life.stop.abort(new Error('killed'));
const stop = async (life: Life): Promise<void> => {
  life.stop.abort(new Error('stopped'));
  await life.kept;
  await life.guard.leave();
};

const markers = (): string[] => [...(target.databases.get('default') ?? new Map<string, unknown>()).keys()];
const code = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'resolved',
    (error: unknown) => (error instanceof ReplicationError ? error.code : error),
  );

describe('the marker', () => {
  test('is one collection for each source, with a name of its own', async () => {
    await begin(new Store());
    await begin(new Store(), { rootPath: 'other' });
    expect(markers()).toHaveLength(2);
    for (const name of markers()) expect(isMarker('default', name)).toBe(true);
    expect(isMarker('default', '_lifeline_orders')).toBe(false);
    expect(isMarker('shop', markers()[0] ?? '')).toBe(false);
  });

  test('lets writes be started from its claim on, and as long as it beats', async () => {
    const store = new Store();
    const life = live(store);
    expect(life.guard.mayWrite).toBe(false);
    await life.guard.take(life.stop.signal);
    keep(life);
    await vi.advanceTimersByTimeAsync(50);
    expect(life.guard.mayWrite).toBe(false);
    await vi.advanceTimersByTimeAsync(100);
    expect(life.guard.mayWrite).toBe(true);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(life.guard.mayWrite).toBe(true);
    // Once in five seconds, on disk before it is sent.
    expect(store.saves).toBeGreaterThanOrEqual(12);
    expect(store.saves).toBeLessThanOrEqual(15);
  });

  test('that cannot beat holds writes back before another could take it over, and lets them go on afterwards', async () => {
    const life = await begin(new Store());
    const released = Promise.withResolvers<void>();
    target.script('setProperties', { kind: 'hold', until: released.promise });
    await vi.advanceTimersByTimeAsync(25_000);
    expect(life.guard.mayWrite).toBe(false);
    let isAllowed = false;
    void life.guard.whenMayWrite(life.stop.signal).then(() => (isAllowed = true));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(isAllowed).toBe(false);
    released.resolve();
    await vi.advanceTimersByTimeAsync(BEAT_MS + 1_000);
    expect(isAllowed).toBe(true);
  });

  test('bears refusals and lost answers of the target', async () => {
    const life = live(new Store());
    const error = new ReplicationError('unreachable', 'target', 'The target cannot be reached.');
    for (const call of ['readProperties', 'createCollection', 'setProperties'] as const) {
      target.script(call, { kind: 'refuse', error });
      target.script(call, { kind: 'lose', error: answerLost() });
    }
    const taken = life.guard.take(life.stop.signal).then(() => keep(life));
    await vi.advanceTimersByTimeAsync(60_000);
    await taken;
    expect(life.guard.mayWrite).toBe(true);
    target.script('setProperties', { kind: 'lose', error: answerLost() });
    target.script('readProperties', { kind: 'refuse', error });
    await vi.advanceTimersByTimeAsync(20_000);
    expect(life.guard.mayWrite).toBe(true);
    expect(life.blocked.length).toBeGreaterThan(0);
    expect(life.notices).toEqual([]);
  });
});

describe('another engine', () => {
  test('that lives refuses the start, and is named', async () => {
    const first = await begin(new Store());
    const second = live(new Store(), { host: 'two' });
    const refusal = second.guard.take(second.stop.signal).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(2 * BEAT_MS);
    const error = await refusal;
    expect(error).toMatchObject({ code: 'targetInUse', side: 'target' });
    expect(String(error)).toMatch(
      /Another Lifeline writes into the target from the same source: task shop-one on one \(process \d+, data folder \/data\/one\), since 2026-11-23T/,
    );
    expect(second.guard.mayWrite).toBe(false);
    expect(second.blocked[0]).toMatch(/task shop-one on one .* Whether that one still lives shows within 30 s\./);
    expect(first.guard.mayWrite).toBe(true);
  });

  test('that was killed is taken over when no write of it can land any more, and not before', async () => {
    kill(await begin(new Store()));
    const second = live(new Store(), { host: 'two' });
    let isTaken = false;
    const taken = second.guard.take(second.stop.signal).then(() => (isTaken = true));
    await vi.advanceTimersByTimeAsync(STALE_MS - 1_000);
    expect(isTaken).toBe(false);
    await vi.advanceTimersByTimeAsync(3_000);
    await taken;
    keep(second);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(second.guard.mayWrite).toBe(true);
  });

  test('that ended in order is followed at once', async () => {
    await stop(await begin(new Store()));
    const second = live(new Store(), { host: 'two' });
    await take(second);
    expect(second.guard.mayWrite).toBe(true);
  });

  test('that ended before its claim was settled is followed at once, too', async () => {
    const first = live(new Store());
    await first.guard.take(first.stop.signal);
    await stop(first);
    const second = live(new Store(), { host: 'two' });
    await take(second);
    expect(second.guard.mayWrite).toBe(true);
  });

  test('that was our own earlier run is followed at once, wherever it ended', async () => {
    const store = new Store();
    kill(await begin(store));
    const next = live(store);
    await take(next);
    expect(next.guard.mayWrite).toBe(true);
    expect(store.doubts).toEqual([]);
  });

  test('with a copy of the data folder, elsewhere, is another engine', async () => {
    const store = new Store();
    await begin(store);
    const copied = Object.assign(new Store(), { marker: store.marker });
    const second = live(copied, { host: 'two' });
    const refusal = code(second.guard.take(second.stop.signal));
    await vi.advanceTimersByTimeAsync(2 * BEAT_MS);
    expect(await refusal).toBe('targetInUse');
  });

  test('is displaced at the word of the operator: it ends with its next beat, and only then is written', async () => {
    const first = await begin(new Store());
    const second = live(new Store(), { host: 'two', takesOver: true });
    await second.guard.take(second.stop.signal);
    keep(second);
    await vi.advanceTimersByTimeAsync(BEAT_MS + 100);
    const end = await first.kept;
    expect(end).toMatchObject({ code: 'leaseLost', side: 'target' });
    expect(String(end)).toMatch(/taken the target over: task shop-two on two/);
    expect(first.guard.mayWrite).toBe(false);
    expect(second.guard.mayWrite).toBe(false);
    await vi.advanceTimersByTimeAsync(STALE_MS);
    await vi.advanceTimersByTimeAsync(BEAT_MS);
    expect(second.guard.mayWrite).toBe(true);
  });

  test('whose late beat lands after it was displaced does not bring it back', async () => {
    const first = await begin(new Store());
    target.script('setProperties', { kind: 'late', error: answerLost(), afterMs: 9_000 });
    await vi.advanceTimersByTimeAsync(BEAT_MS);
    const store = new Store();
    const second = await begin(store, { host: 'two', takesOver: true });
    await vi.advanceTimersByTimeAsync(20_000);
    expect(await first.kept).toMatchObject({ code: 'leaseLost' });
    expect(second.guard.mayWrite).toBe(true);
    expect(store.doubts).toEqual([]);
  });

  test('that starts at the same moment: one of the two goes on', async () => {
    for (let turns = 0; turns < 6; turns += 1) {
      const on = new MemoryTarget();
      const delays = [turns, 2, 0, 5, 1, 3];
      on.turns = () => delays[on.log.length % delays.length] ?? 0;
      const lives = ['one', 'two'].map((host) => live(new Store(), { host, on }));
      const outcomes = Promise.all(lives.map((life) => code(life.guard.take(life.stop.signal).then(() => keep(life)))));
      await vi.advanceTimersByTimeAsync(4 * BEAT_MS);
      await outcomes;
      await vi.advanceTimersByTimeAsync(2 * STALE_MS);
      expect(lives.filter(({ guard }) => guard.mayWrite)).toHaveLength(1);
      for (const life of lives) kill(life);
    }
  });
});

describe('engines that come and go', () => {
  /** A small generator of its own, so that a seed that fails can be run again. */
  const random = (seed: number) => {
    let state = seed * 2_654_435_761;
    return (below: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
  };

  test.each(Array.from({ length: 60 }, (_, seed) => seed))('never write at the same time (seed %i)', async (seed) => {
    const pick = random(seed + 1);
    const lives: Life[] = [];
    const held: PromiseWithResolvers<void>[] = [];
    for (let step = 0; step < 40; step += 1) {
      const what = pick(10);
      const living = lives.filter(({ stop: { signal } }) => !signal.aborted);
      const one = living[pick(Math.max(1, living.length))];
      if (what < 3 && living.length < 4) {
        const life = live(new Store(), { host: `host-${step}`, takesOver: pick(4) === 0 });
        lives.push(life);
        void life.guard.take(life.stop.signal).then(
          () => keep(life),
          () => life.stop.abort(new Error('refused')),
        );
      } else if (what === 3 && one !== undefined) kill(one);
      else if (what === 4 && one !== undefined) void stop(one);
      else if (what < 8) {
        // A target that stands still for a while, or an engine that does.
        const wait = Promise.withResolvers<void>();
        held.push(wait);
        target.script(pick(2) === 0 ? 'setProperties' : 'readProperties', { kind: 'hold', until: wait.promise });
        setTimeout(() => wait.resolve(), pick(60_000));
      }
      for (let second = 0; second < pick(20); second += 1) {
        await vi.advanceTimersByTimeAsync(1_000);
        expect(lives.filter(({ guard, stop: { signal } }) => guard.mayWrite && !signal.aborted).length).toBeLessThan(2);
      }
    }
    for (const wait of held) wait.resolve();
    for (const life of lives) kill(life);
    await vi.advanceTimersByTimeAsync(1_000);
    const last = await begin(new Store(), { host: 'last' });
    expect(last.guard.mayWrite).toBe(true);
  });
});

describe('what marker and store tell of the past', () => {
  const marked = () => {
    const found = target.databases.get('default')?.get(markers()[0] ?? '');
    if (found?.properties === undefined) throw new Error('no marker');
    return found.properties;
  };

  test('agrees after every end, in order or not', async () => {
    const store = new Store();
    for (let round = 0; round < 6; round += 1) {
      const life = await begin(store);
      if (round % 2 === 0) kill(life);
      else await stop(life);
    }
    expect(store.doubts).toEqual([]);
  });

  test('puts the copies in doubt when the target was put back while the task did not run', async () => {
    const store = new Store();
    const first = await begin(store);
    const earlier = new Map(marked());
    await vi.advanceTimersByTimeAsync(60_000);
    await stop(first);
    for (const [key, value] of earlier) marked().set(key, value);
    await begin(store);
    expect(store.doubts).toEqual([
      {
        code: 'targetChanged',
        message: expect.stringMatching(/^The target was put back to an earlier state: .* \d+ was confirmed/) as string,
      },
    ]);
  });

  test('puts the copies in doubt when the target is put back while it runs', async () => {
    const store = new Store();
    const life = await begin(store);
    life.copies.push(copyOf(await made('orders')));
    const earlier = new Map(marked());
    await vi.advanceTimersByTimeAsync(60_000);
    for (const [key, value] of earlier) marked().set(key, value);
    await vi.advanceTimersByTimeAsync(BEAT_MS);
    expect(store.doubts).toHaveLength(1);
    expect(life.changed).toMatchObject([
      { error: { code: 'targetChanged', message: expect.stringMatching(/Copy shop\.orders again\.$/) as string } },
    ]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(store.doubts).toHaveLength(1);
  });

  test('puts the copies in doubt when the store was put back, or lost its log in a crash', async () => {
    const store = new Store();
    const life = await begin(store);
    const earlier = store.marker;
    await vi.advanceTimersByTimeAsync(60_000);
    kill(life);
    store.marker = earlier;
    await begin(store);
    expect(store.doubts).toMatchObject([{ code: 'storeOutdated' }]);
  });

  test('is told before the evidence is written over', async () => {
    const store = new Store();
    const life = await begin(store);
    const earlier = store.marker;
    await vi.advanceTimersByTimeAsync(60_000);
    kill(life);
    store.marker = earlier;
    store.doubtCopies = () => {
      throw new ReplicationError('storeFailed', 'store', 'The store could not.');
    };
    const next = live(store);
    expect(await code(next.guard.take(next.stop.signal))).toBe('storeFailed');
    expect(store.marker).toBe(earlier);
  });

  test('of a marker that was dropped is nothing: it is made again, with a notice', async () => {
    const store = new Store();
    const life = await begin(store);
    target.databases.get('default')?.clear();
    await vi.advanceTimersByTimeAsync(2 * BEAT_MS);
    expect(life.guard.mayWrite).toBe(true);
    expect(life.notices).toEqual([expect.stringMatching(/marker was gone from the target; it was made again/)]);
    expect(markers()).toHaveLength(1);
    kill(life);
    target.databases.get('default')?.clear();
    await begin(store);
    expect(store.doubts).toEqual([]);
  });
});

test('a marker that is dropped between a look and a beat is made again', async () => {
  const life = await begin(new Store());
  target.script('setProperties', { kind: 'refuse', error: refused('notFound', 'no such collection', 'collection') });
  await vi.advanceTimersByTimeAsync(2 * BEAT_MS);
  expect(life.guard.mayWrite).toBe(true);
  expect(life.notices).toEqual([]);
  expect(life.blocked).toEqual([expect.stringMatching(/was dropped on the target while it was set/)]);
});

describe('a target that takes no marker', () => {
  test.each([
    ['readProperties', 'permissionDenied'],
    ['createCollection', 'permissionDenied'],
    ['setProperties', 'unsupported'],
    ['createCollection', 'invalidRequest'],
  ] as const)('(%s: %s) is a target all the same, with one notice', async (call, error) => {
    const life = live(new Store());
    for (let times = 0; times < 20; times += 1) target.script(call, { kind: 'refuse', error: refused(error, call) });
    await take(life);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(life.guard.mayWrite).toBe(true);
    expect(life.notices).toEqual([expect.stringMatching(/^The target takes no marker, so another Lifeline/)]);
  });

  test('is still watched for its copies', async () => {
    const life = live(new Store());
    life.copies.push(copyOf(await made('orders')));
    target.script('createCollection', { kind: 'refuse', error: refused('permissionDenied', 'create') });
    await take(life);
    await vi.advanceTimersByTimeAsync(100);
    target.databases.get('shop')?.delete('orders');
    await vi.advanceTimersByTimeAsync(20_000);
    expect(life.changed).toHaveLength(1);
  });
});

describe('a copy on the target', () => {
  async function watched(...names: string[]): Promise<Life> {
    const life = await begin(new Store());
    for (const name of names) life.copies.push(copyOf(await made(name)));
    await vi.advanceTimersByTimeAsync(40_000);
    expect(life.changed).toEqual([]);
    return life;
  }
  const found = (life: Life): string[] => life.changed.map(({ error }) => `${error.code}: ${error.message}`);

  test('that is dropped behind our back is told, and the others go on', async () => {
    const life = await watched('orders', 'customers');
    target.databases.get('shop')?.delete('orders');
    await vi.advanceTimersByTimeAsync(20_000);
    expect(found(life)).toEqual([
      "targetChanged: The copy of shop.orders was dropped from the target behind Lifeline's back. Nothing more is written there; copy the collection again.",
    ]);
    expect(life.copies.map(({ address }) => address.collection)).toEqual(['customers']);
  });

  test('that is dropped and made again under its name is told', async () => {
    const life = await watched('orders');
    target.databases.get('shop')?.delete('orders');
    await made('orders');
    await vi.advanceTimersByTimeAsync(20_000);
    expect(found(life)).toEqual([expect.stringMatching(/was replaced by another collection on the target/)]);
  });

  test('that is renamed is told with its new name', async () => {
    const life = await watched('orders');
    const shop = target.databases.get('shop');
    const copy = shop?.get('orders');
    if (copy === undefined) throw new Error('no copy');
    shop?.delete('orders');
    shop?.set('orders_old', copy);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(found(life)).toEqual([expect.stringMatching(/was renamed to orders_old on the target/)]);
  });

  test('of a whole database that is gone is told', async () => {
    const life = await watched('orders', 'customers');
    target.databases.delete('shop');
    await vi.advanceTimersByTimeAsync(20_000);
    expect(life.changed).toHaveLength(2);
  });

  test('that we ourselves drop meanwhile is no surprise', async () => {
    const life = await watched('orders');
    target.databases.get('shop')?.delete('orders');
    const released = Promise.withResolvers<void>();
    target.script('collectionIdentities', { kind: 'hold', until: released.promise });
    await vi.advanceTimersByTimeAsync(20_000);
    life.copies.length = 0;
    released.resolve();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(life.changed).toEqual([]);
  });

  test('that a list leaves out is asked for by its name before anything is said', async () => {
    const life = await watched('orders');
    vi.spyOn(target, 'collectionIdentities').mockResolvedValue([]);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(life.changed).toEqual([]);
  });
});

const never = new AbortController().signal;
let ids = 100n;

async function made(name: string): Promise<{ name: string; id: bigint; createTick: bigint }> {
  await target.createDatabase('shop', [], never);
  await target.createCollection(
    {
      database: 'shop',
      collection: name,
      schema: schemaBytes(name),
      shardCount: 1,
      consistencyLevel: 0,
      properties: [],
      partitionKeyCount: 0,
      origin: 'x',
    },
    never,
  );
  const found = await target.readProperties({ database: 'shop', collection: name }, never);
  return { name, id: found?.id ?? 0n, createTick: found?.createTick ?? 0n };
}

function copyOf({ name, id, createTick }: Awaited<ReturnType<typeof made>>): WatchedCopy {
  ids += 1n;
  return {
    id: asCollectionId(ids),
    address: { database: 'shop', collection: name },
    targetId: id,
    targetCreateTick: asTimeTick(createTick),
  };
}

const schemaBytes = (name: string): Uint8Array =>
  encodeMessage('schema.CollectionSchema', {
    name,
    fields: [
      { fieldID: 100, name: 'id', isPrimaryKey: true, dataType: 5 },
      { fieldID: 101, name: 'v', dataType: 101, typeParams: [{ key: 'dim', value: '2' }] },
    ],
  });
