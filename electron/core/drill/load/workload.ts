/**
 * The drill's load: three writers side by side, each with collections of its own, and in each one's life the operations
 * that make replication hard, at fixed shares of its rows.
 */
import {
  ARCHIVE_EVENTS,
  ARCHIVE_ORDERS,
  FINGERPRINTS,
  SCRATCH_NOTES,
  SESSIONS,
  SESSIONS_AGAIN,
  SHOP_CUSTOMERS,
  SHOP_ORDERS,
  STOCK,
  STOCK_PASSING_PARTITION,
} from './blueprints.ts';
import { runLane, type LaneEvent, type LaneOptions, type WritePlace } from './lane.ts';
import { LoadedCollection } from './loaded-collection.ts';
import type { Random } from './random.ts';
import type { SourceSession } from './source-session.ts';

export interface WorkloadOptions {
  /** Rows to insert in all; upserts and deletes come on top. */
  readonly rows: number;
  /** The time over which to spread them; 0: as fast as possible. */
  readonly seconds: number;
  readonly onRowsInserted: (count: number) => void;
  readonly pause?: WorkloadPause;
}

/** Where all writers wait for each other and then for `untilGoOn`, which is called once. */
export interface WorkloadPause {
  readonly atShare: number;
  readonly untilGoOn: () => Promise<void>;
  /** Nothing is released, by whichever writer, before it resolves. */
  readonly untilCopied: () => Promise<void>;
}

type LanePlan = Pick<LaneOptions, 'events' | 'places'>;

/** The first failure ends all lanes and is thrown. */
export async function runWorkload(session: SourceSession, random: Random, options: WorkloadOptions): Promise<void> {
  const plans = [
    { name: 'shop', share: 0.45, plan: shopLane },
    { name: 'archive', share: 0.3, plan: archiveLane },
    { name: 'stock', share: 0.25, plan: stockLane },
  ];
  let rowsLeft = options.rows;
  const pause = options.pause === undefined ? undefined : new Pause(options.pause, plans.length);
  const startedMs = performance.now();
  const lanes = plans.map(async ({ name, share, plan }, index) => {
    const rows = index === plans.length - 1 ? rowsLeft : Math.round(options.rows * share);
    rowsLeft -= rows;
    const laneRandom = random.fork(name);
    const background = new BackgroundLoads(options.pause?.untilCopied);
    const { events, places } = await plan(session, laneRandom.fork('rows'), background);
    await runLane({
      rows,
      seconds: options.seconds,
      startedMs,
      random: laneRandom,
      signal: session.signal,
      events: pause === undefined ? events : withEvent(events, pause.event(background)),
      places,
      onRowsInserted: options.onRowsInserted,
    });
    await background.settle();
  });
  await Promise.all(lanes);
}

const withEvent = (events: readonly LaneEvent[], event: LaneEvent): LaneEvent[] =>
  [...events, event].sort((a, b) => a.atShare - b.atShare);

/** The point in all lanes at which the rows so far are there to be copied: everything is loaded, nobody writes. */
class Pause {
  readonly #options: WorkloadPause;
  readonly #over = Promise.withResolvers<void>();
  #lanesOnTheirWay: number;

  constructor(options: WorkloadPause, lanes: number) {
    this.#options = options;
    this.#lanesOnTheirWay = lanes;
  }

  event(loads: BackgroundLoads): LaneEvent {
    return {
      atShare: this.#options.atShare,
      run: async () => {
        await loads.settle();
        this.#lanesOnTheirWay -= 1;
        if (this.#lanesOnTheirWay === 0) this.#options.untilGoOn().then(this.#over.resolve, this.#over.reject);
        await this.#over.promise;
      },
    };
  }
}

/** Loads that run while the lane writes on: Milvus takes seconds for one. */
class BackgroundLoads {
  readonly #running: Promise<void>[] = [];
  readonly #untilCopied: (() => Promise<void>) | undefined;

  constructor(untilCopied: (() => Promise<void>) | undefined) {
    this.#untilCopied = untilCopied;
  }

  start(collection: LoadedCollection): void {
    const loading = collection.load();
    // Its failure is reported by `settle`; until then it must not count as unhandled.
    loading.catch(() => undefined);
    this.#running.push(loading);
  }

  /** Resolves when all loads are done; throws the first failure. */
  async settle(): Promise<void> {
    await Promise.all(this.#running.splice(0));
  }

  /** As `settle`, and then releases. */
  async release(collection: LoadedCollection): Promise<void> {
    await this.settle();
    await this.#untilCopied?.();
    await collection.release();
  }
}

async function createDatabase(session: SourceSession, database: string): Promise<void> {
  await session.perform({ op: 'createDatabase', database }, () =>
    session.connection.client.createDatabase({ db_name: database }),
  );
}

/** Indexed and loaded before the first row, and a partition-key collection that is loaded while rows come in. */
async function shopLane(session: SourceSession, random: Random, loads: BackgroundLoads): Promise<LanePlan> {
  await createDatabase(session, SHOP_ORDERS.database);
  const orders = await LoadedCollection.create(session, SHOP_ORDERS, random);
  await orders.createIndexes();
  const customers = await LoadedCollection.create(session, SHOP_CUSTOMERS, random);
  await orders.load();
  const places: WritePlace[] = [
    { collection: orders, weight: 3 },
    { collection: customers, weight: 1 },
  ];
  const events: LaneEvent[] = [
    { atShare: 0.1, run: () => customers.createIndexes() },
    { atShare: 0.2, run: () => loads.start(customers) },
    { atShare: 0.4, run: () => orders.flush() },
    { atShare: 0.8, run: () => customers.flush() },
  ];
  return { events, places: () => places };
}

/** The collection that shares its name with one of the shop, released and loaded again, and keys made by the server. */
async function archiveLane(session: SourceSession, random: Random, loads: BackgroundLoads): Promise<LanePlan> {
  await createDatabase(session, ARCHIVE_ORDERS.database);
  const orders = await LoadedCollection.create(session, ARCHIVE_ORDERS, random);
  const events = await LoadedCollection.create(session, ARCHIVE_EVENTS, random);
  await events.createIndexes();
  loads.start(events);
  const places: WritePlace[] = [
    { collection: orders, weight: 2 },
    { collection: events, weight: 1 },
  ];
  const laneEvents: LaneEvent[] = [
    { atShare: 0.15, run: () => orders.createIndexes() },
    { atShare: 0.2, run: () => loads.start(orders) },
    { atShare: 0.5, run: () => loads.release(orders) },
    { atShare: 0.6, run: () => loads.start(orders) },
    { atShare: 0.7, run: () => orders.flush() },
  ];
  return { events: laneEvents, places: () => places };
}

/**
 * Partitions that hold the same keys, one of which comes and goes; binary vectors; a collection that is dropped and
 * created again; a database that is created and dropped.
 */
async function stockLane(session: SourceSession, random: Random, loads: BackgroundLoads): Promise<LanePlan> {
  const stock = await LoadedCollection.create(session, STOCK, random);
  const fingerprints = await LoadedCollection.create(session, FINGERPRINTS, random);
  let sessions = await LoadedCollection.create(session, SESSIONS, random);
  for (const collection of [stock, fingerprints, sessions]) {
    await collection.createIndexes();
    loads.start(collection);
  }
  let stockPartitions: readonly (string | undefined)[] = [undefined, ...STOCK.partitions];
  const places = (): readonly WritePlace[] => [
    ...stockPartitions.map((partition) => ({
      collection: stock,
      weight: 2 / stockPartitions.length,
      ...(partition === undefined ? {} : { partition }),
    })),
    { collection: fingerprints, weight: 1 },
    { collection: sessions, weight: 0.7 },
  ];
  const events: LaneEvent[] = [
    {
      atShare: 0.2,
      run: async () => {
        await stock.createPartition(STOCK_PASSING_PARTITION);
        stockPartitions = [...stockPartitions, STOCK_PASSING_PARTITION];
      },
    },
    { atShare: 0.35, run: () => fingerprints.flush() },
    {
      atShare: 0.45,
      run: async () => {
        await loads.settle();
        await sessions.drop();
        sessions = await LoadedCollection.create(session, SESSIONS_AGAIN, random, 2);
        await sessions.createIndexes();
        loads.start(sessions);
      },
    },
    {
      atShare: 0.6,
      run: async () => {
        stockPartitions = stockPartitions.filter((partition) => partition !== STOCK_PASSING_PARTITION);
        await loads.release(stock);
        await stock.dropPartition(STOCK_PASSING_PARTITION);
        loads.start(stock);
      },
    },
    { atShare: 0.75, run: () => passingDatabase(session, random) },
  ];
  return { events, places };
}

/** Dropped while its rows are hardly written: nothing of it may be left on either side. */
async function passingDatabase(session: SourceSession, random: Random): Promise<void> {
  const { database } = SCRATCH_NOTES;
  await createDatabase(session, database);
  const notes = await LoadedCollection.create(session, SCRATCH_NOTES, random);
  await notes.createIndexes();
  await notes.insert(50);
  await notes.delete(5);
  await notes.drop();
  await session.perform({ op: 'dropDatabase', database }, () =>
    session.connection.client.dropDatabase({ db_name: database }),
  );
}
