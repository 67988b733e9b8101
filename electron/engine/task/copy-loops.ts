/**
 * Refuses a copy that would bring rows back to where they came from. What can be known: a source collection that is a copy says
 * through which clusters its rows have come (`shared/model/origin-chain.ts`), by cluster identity. The target tells of itself only
 * what it holds, so it is known by that: whether it has one of those very collections, or one of the source's own.
 */
import { chainOf, chainText, findLoop, loopText, type ChainedCollection } from '../../../shared/model/origin-chain.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { SourceIdentity, StoredCollection } from '../../../shared/model/task-state.ts';
import type { Clock } from '../runtime/clock.ts';
import type { CatalogCollection } from '../source/catalog/catalog.ts';
import { isRetriedAutomatically } from '../errors/policy.ts';
import type { Target } from '../target/target.ts';

/** Copies of many collections begin at once; what a cluster holds changes slowly. */
const LISTING_KEPT_MS = 5_000;

export interface CopyLoopsContext {
  readonly target: Pick<Target, 'listDatabases' | 'collectionIdentities'>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Repeated after the policy. */
  readonly asked: <T>(call: (signal: AbortSignal) => Promise<T>) => Promise<T>;
  readonly notice: (text: string) => void;
}

interface Listing {
  readonly atMs: number;
  readonly held: Promise<ReadonlySet<string>>;
}

export class CopyLoops {
  readonly #context: CopyLoopsContext;
  readonly #source: SourceIdentity;
  #listing: Listing | undefined;

  constructor(context: CopyLoopsContext, source: SourceIdentity) {
    this.#context = context;
    this.#source = source;
  }

  /** What the copy of the collection bears as its way. */
  chainOf(stored: StoredCollection): string {
    return chainText(chained(stored), this.#source);
  }

  /** Before a copy is made or gone on with. @throws replicationLoop */
  async assertNone(stored: StoredCollection): Promise<void> {
    if (chainOf(stored.properties).length === 0) return;
    const held = await this.#held();
    const { etcdClusterId, rootPath } = this.#source;
    const loop = findLoop(chained(stored), { etcdClusterId, rootPath, targetHas: (id, tick) => has(held, id, tick) });
    if (loop === undefined) return;
    throw new ReplicationError('replicationLoop', 'config', `${loopText(loop)} Nothing is written for it.`, {
      context: { database: stored.database, collection: stored.name, collectionId: stored.id.toString() },
    });
  }

  /** Before anything is written. @throws replicationLoop: source and target are one cluster. */
  async assertOtherCluster(collections: readonly CatalogCollection[]): Promise<void> {
    if (collections.length === 0) return;
    const held = await this.#held();
    const common = collections.find(({ id, createTick }) => has(held, id, createTick));
    if (common === undefined) return;
    throw sameCluster(`${common.database}.${common.name}`);
  }

  #held(): Promise<ReadonlySet<string>> {
    const now = this.#context.clock.now();
    const kept = this.#listing;
    if (kept !== undefined && now - kept.atMs < LISTING_KEPT_MS && now >= kept.atMs) return kept.held;
    const held = this.#list();
    this.#listing = { atMs: now, held };
    held.catch(() => (this.#listing = undefined));
    return held;
  }

  async #list(): Promise<ReadonlySet<string>> {
    const { target, asked, notice, signal } = this.#context;
    try {
      return await asked((call) => listHeld(target, call));
    } catch (error) {
      const isRefused = error instanceof ReplicationError && error.side === 'target' && !isRetriedAutomatically(error);
      if (signal.aborted || !isRefused) throw error;
      notice(`Whether rows would go round in a loop is not looked at: ${error.message}`);
      return new Set();
    }
  }
}

export const sameCluster = (collection: string): ReplicationError =>
  new ReplicationError(
    'replicationLoop',
    'config',
    `Source and target are the same cluster, under whatever addresses: both hold the very same ${collection}. Choose another target.`,
  );

/** Every collection of the target, by identity. */
export async function listHeld(
  target: Pick<Target, 'listDatabases' | 'collectionIdentities'>,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const held = new Set<string>();
  for (const database of await target.listDatabases(signal)) {
    for (const { id, createTick } of await target.collectionIdentities(database, signal)) {
      held.add(`${id}`).add(`${id}/${createTick}`);
    }
  }
  return held;
}

export const has = (held: ReadonlySet<string>, id: bigint, tick: bigint | undefined): boolean =>
  held.has(tick === undefined ? `${id}` : `${id}/${tick}`);

function chained({ id, createTick, database, name, properties }: StoredCollection): ChainedCollection {
  return { id, createTick, database, collection: name, properties };
}
