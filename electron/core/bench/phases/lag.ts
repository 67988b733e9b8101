/**
 * Single rows, 50 a second: the time from the source's answer to each until the target has answered, and until a search
 * on the target finds it. Both are seen from outside: the one on the wire, the other by searching all the time.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { benchTicks } from '../../../engine/host/bench-jobs.ts';
import { benchFailed } from '../bench-cluster.ts';
import { protecting, untilIdle, type BenchContext } from '../bench-context.ts';
import { spread, type Spread } from '../statistics.ts';
import { openWriteRelay, type WriteRelay } from '../write-relay.ts';

const COLLECTION = 'bench_lag';
const SHARDS = 2;
const ROWS_PER_SECOND = 50;
/** Uncounted: connections are made, code is compiled. */
const WARM_UP_ROWS = 100;
/** Between two searches: how exact the second figure can be. */
const SEARCH_INTERVAL_MS = 10;
const LOOK_INTERVAL_MS = 100;
/** After the last row; and for the target to load what the source has loaded. */
const LATEST_MS = 60_000;

export interface LagFigures {
  readonly lagMs: Spread;
  readonly visibleLagMs: Spread;
  /** Until the source's log has said that nothing older follows: part of the two above, whoever reads it. */
  readonly tickLagMs: Spread;
  /** From then until the target has answered. */
  readonly ownLagMs: Spread;
}

interface Seen {
  /** Key → Unix ms. */
  readonly acknowledged: Map<number, number>;
  readonly visible: Map<number, number>;
  readonly due: Map<number, number>;
}

export async function measureLag(context: BenchContext): Promise<LagFigures> {
  const { clusters, target, source, subject } = context;
  await using relay = await openWriteRelay(target.endpoint.address);
  const relayed = { ...clusters.target, milvus: { ...clusters.target.milvus, address: relay.address } };
  const body = async (): Promise<LagFigures> => {
    context.say('Making a collection that can be searched');
    await source.create([COLLECTION], SHARDS);
    await source.load(COLLECTION);
    context.say('Waiting for the target to have it too');
    await subject.call('untilLevel');
    context.say('and to load it');
    await until(
      () => target.isLoaded(COLLECTION),
      context.signal,
      () => 'The target has not loaded the collection.',
    );
    await untilIdle(context);
    return single(context, relay);
  };
  // Awaited here: the relay stands until all is over.
  return await protecting(context, [COLLECTION], body, relayed);
}

async function single(context: BenchContext, { confirmed }: WriteRelay): Promise<LagFigures> {
  const { plan, signal, say } = context;
  const count = WARM_UP_ROWS + plan.seconds * ROWS_PER_SECOND;
  const seen: Seen = { acknowledged: new Map(), visible: new Map(), due: new Map() };
  const watching = new AbortController();
  const watched = AbortSignal.any([signal, watching.signal]);
  const ticks = watchTicks(context, seen.due, watched);
  await Promise.race([ticks.reading, ticks.ended]);
  const searches = search(context, count, seen.visible, watched);
  say(`Writing ${ROWS_PER_SECOND} single rows a second for ${plan.seconds} s`);
  const written = async (): Promise<void> => {
    await insert(context, count, seen.acknowledged);
    await until(
      () => confirmed.size >= count && seen.visible.size >= count && seen.due.size >= count,
      signal,
      () => `Of ${count} rows the target has confirmed ${confirmed.size} and shows ${seen.visible.size}.`,
    );
  };
  try {
    // What watches ends only when it has failed.
    await Promise.race([written(), ticks.ended, searches.then(() => new Promise<never>(() => undefined))]);
  } finally {
    watching.abort();
    await Promise.allSettled([searches, ticks.ended]);
  }
  const { acknowledged, visible, due } = seen;
  return {
    lagMs: between(acknowledged, confirmed),
    visibleLagMs: between(acknowledged, visible),
    tickLagMs: between(acknowledged, due),
    ownLagMs: between(due, confirmed),
  };
}

function watchTicks(
  { clusters, plan }: BenchContext,
  due: Map<number, number>,
  signal: AbortSignal,
): { readonly reading: Promise<void>; readonly ended: Promise<void> } {
  const reading = Promise.withResolvers<void>();
  const timeoutMs = plan.seconds * 1_000 + 2 * LATEST_MS;
  const ended = benchTicks(
    clusters.source,
    { timeoutMs, signal },
    {
      onReading: () => reading.resolve(),
      onTicks: (ticks) => {
        for (const [key, atMs] of ticks) due.set(key, atMs);
      },
    },
  );
  ended.catch(() => undefined);
  return { reading: reading.promise, ended };
}

/** At their times, whether or not the one before has been answered. */
async function insert(
  { source, signal }: BenchContext,
  count: number,
  acknowledged: Map<number, number>,
): Promise<void> {
  const startedMs = performance.now();
  const calls: Promise<void>[] = [];
  for (let key = 1; key <= count; key += 1) {
    const leftMs = startedMs + (key * 1_000) / ROWS_PER_SECOND - performance.now();
    if (leftMs > 0) await delay(leftMs, undefined, { signal });
    const call = source.insertOne(COLLECTION, key).then(() => void acknowledged.set(key, Date.now()));
    call.catch(() => undefined);
    calls.push(call);
  }
  await Promise.all(calls);
}

/** Until all have been found, or the signal aborts. Rows come in any order: keys below one that was found may be missing. */
async function search(
  { target }: BenchContext,
  count: number,
  visible: Map<number, number>,
  signal: AbortSignal,
): Promise<void> {
  let allUpTo = 0;
  while (visible.size < count && !signal.aborted) {
    const keys = await target.search(COLLECTION, allUpTo);
    const now = Date.now();
    for (const key of keys) if (!visible.has(key)) visible.set(key, now);
    while (visible.has(allUpTo + 1)) allUpTo += 1;
    await delay(SEARCH_INTERVAL_MS);
  }
}

function between(from: ReadonlyMap<number, number>, to: ReadonlyMap<number, number>): Spread {
  const lags: number[] = [];
  for (const [key, atMs] of from) if (key > WARM_UP_ROWS) lags.push((to.get(key) ?? Infinity) - atMs);
  return spread(lags);
}

async function until(
  isDone: () => boolean | Promise<boolean>,
  signal: AbortSignal,
  otherwise: () => string,
): Promise<void> {
  const limit = AbortSignal.timeout(LATEST_MS);
  while (!(await isDone())) {
    if (limit.aborted) throw benchFailed(otherwise());
    await delay(LOOK_INTERVAL_MS, undefined, { signal });
  }
}
