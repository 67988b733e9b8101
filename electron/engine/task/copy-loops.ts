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
import { listHeld, NOTHING_HELD, sameClusterText, type HeldCollections } from '../target/held-collections.ts';
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
  readonly held: Promise<HeldCollections>;
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
    const loop = findLoop(chained(stored), { etcdClusterId, rootPath, targetHas: held.has });
    if (loop === undefined) return;
    throw new ReplicationError('replicationLoop', 'config', `${loopText(loop)} Nothing is written for it.`, {
      context: { database: stored.database, collection: stored.name, collectionId: stored.id.toString() },
    });
  }

  /** Before anything is written. @throws replicationLoop: source and target are one cluster. */
  async assertOtherCluster(collections: readonly CatalogCollection[]): Promise<void> {
    if (collections.length === 0) return;
    const held = await this.#held();
    const common = collections.find(({ id, createTick }) => held.has(id, createTick));
    if (common === undefined) return;
    throw new ReplicationError('replicationLoop', 'config', sameClusterText(`${common.database}.${common.name}`));
  }

  #held(): Promise<HeldCollections> {
    const now = this.#context.clock.now();
    const kept = this.#listing;
    if (kept !== undefined && now - kept.atMs < LISTING_KEPT_MS && now >= kept.atMs) return kept.held;
    const held = this.#list();
    this.#listing = { atMs: now, held };
    held.catch(() => (this.#listing = undefined));
    return held;
  }

  async #list(): Promise<HeldCollections> {
    const { target, asked, notice, signal } = this.#context;
    try {
      return await asked((call) => listHeld(target, call));
    } catch (error) {
      const isRefused = error instanceof ReplicationError && error.side === 'target' && !isRetriedAutomatically(error);
      if (signal.aborted || !isRefused) throw error;
      notice(`Whether rows would go round in a loop is not looked at: ${error.message}`);
      return NOTHING_HELD;
    }
  }
}

function chained({ id, createTick, database, name, properties }: StoredCollection): ChainedCollection {
  return { id, createTick, database, collection: name, properties };
}
