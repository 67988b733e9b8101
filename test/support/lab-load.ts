/**
 * Writers for tests in which the source itself goes away: they outlive that, and the ledger says which answers were lost. The drill's own
 * load gives up there, since it cannot know whether a definition was made.
 */
import { openMilvus, type MilvusConnection } from '../../electron/core/drill/content/milvus-client.ts';
import {
  FINGERPRINTS,
  SHOP_ORDERS,
  STOCK,
  type CollectionBlueprint,
} from '../../electron/core/drill/load/blueprints.ts';
import { runLane } from '../../electron/core/drill/load/lane.ts';
import type { LedgerOperation, LedgerWriter, Outcome } from '../../electron/core/drill/load/ledger.ts';
import { LoadedCollection } from '../../electron/core/drill/load/loaded-collection.ts';
import type { Random } from '../../electron/core/drill/load/random.ts';
import { SourceSession } from '../../electron/core/drill/load/source-session.ts';
import type { MilvusEndpoint } from '../../shared/model/connection.ts';
import { toReplicationError } from '../../shared/model/replication-error.ts';

/** Of a server that has just come back: its parts find each other within a second or two. */
const REFUSALS_IN_A_ROW_MAX = 200;

/** Takes a refusal for a lost answer: a server that is on its way up or down refuses what it has done in part. */
export class PatientSession extends SourceSession {
  readonly #ledger: LedgerWriter;
  #refusals = 0;
  refusalsSeen = 0;
  unknownSeen = 0;

  private constructor(connection: MilvusConnection, ledger: LedgerWriter, signal: AbortSignal) {
    super(connection, ledger, signal);
    this.#ledger = ledger;
  }

  /** The caller closes its connection. */
  static async open(endpoint: MilvusEndpoint, ledger: LedgerWriter, signal: AbortSignal): Promise<PatientSession> {
    return new PatientSession(await openMilvus(endpoint, 'source'), ledger, signal);
  }

  override async performWrite(operation: LedgerOperation, call: () => Promise<unknown>): Promise<Outcome> {
    try {
      const outcome = await super.performWrite(operation, call);
      if (outcome === 'acknowledged') this.#refusals = 0;
      else this.unknownSeen += 1;
      return outcome;
    } catch (error) {
      const refusal = toReplicationError(error);
      this.#refusals += 1;
      this.refusalsSeen += 1;
      if (refusal.code !== 'invalidRequest' || this.#refusals > REFUSALS_IN_A_ROW_MAX) throw refusal;
      this.#ledger.write({ ...operation, outcome: 'unknown', ackMs: Date.now() });
      return 'unknown';
    }
  }
}

/** Two shards and all scalar types; partitions with equal keys; text keys with binary vectors on two shards. */
const STEADY: readonly CollectionBlueprint[] = [
  { ...SHOP_ORDERS, database: 'default', collection: 'steady_orders' },
  { ...STOCK, collection: 'steady_stock' },
  { ...FINGERPRINTS, collection: 'steady_fingerprints' },
];

/** Indexed and loaded, still empty. `suffix` keeps those of several cases apart. */
export async function createSteady(
  session: SourceSession,
  random: Random,
  suffix: string,
): Promise<readonly LoadedCollection[]> {
  return Promise.all(
    STEADY.map(async (blueprint) => {
      const name = `${blueprint.collection}_${suffix}`;
      const collection = await LoadedCollection.create(session, { ...blueprint, collection: name }, random.fork(name));
      await collection.createIndexes();
      await collection.load();
      return collection;
    }),
  );
}

export interface SteadyOptions {
  readonly rows: number;
  /** 0: as fast as possible. */
  readonly seconds: number;
  readonly onRowsInserted: (count: number) => void;
}

/** One writer per collection, all partitions of it: inserts, upserts, deletes, of one row up to some hundred. */
export async function runSteady(
  session: SourceSession,
  collections: readonly LoadedCollection[],
  random: Random,
  { rows, seconds, onRowsInserted }: SteadyOptions,
): Promise<void> {
  const startedMs = performance.now();
  await Promise.all(
    collections.map((collection) => {
      const partitions = [undefined, ...collection.blueprint.partitions];
      const places = partitions.map((partition) => ({
        collection,
        weight: 1,
        ...(partition === undefined ? {} : { partition }),
      }));
      return runLane({
        rows: Math.ceil(rows / collections.length),
        seconds,
        startedMs,
        random: random.fork(collection.blueprint.collection),
        signal: session.signal,
        events: [],
        places: () => places,
        onRowsInserted,
      });
    }),
  );
}
