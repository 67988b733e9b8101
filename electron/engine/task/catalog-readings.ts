/**
 * What only the catalogue tells: partitions, whose creation 2.3.5 does not write into the log, and collections whose birth
 * was passed over. Nothing is ever removed for being absent here.
 */
import { retrying, type RetryObserver } from '../runtime/retry.ts';
import { pause, SerialLane } from '../runtime/waiting.ts';
import type { Catalog, CatalogCollection, CatalogSnapshot } from '../source/catalog/catalog.ts';
import type { CollectionRegistry } from './collection-registry.ts';

/** Between two readings of the whole catalogue; a burst of changes is one reading. */
const CATALOG_PAUSE_MS = 500;

export interface CatalogReadingsContext {
  readonly catalog: Catalog;
  readonly registry: CollectionRegistry;
  readonly signal: AbortSignal;
  readonly observer: RetryObserver;
  /** Before each reading. */
  addNewChannels(): Promise<void>;
  /** @throws RestartNeeded where it must be read from a place that has been passed. */
  assertNotMissed(collection: CatalogCollection): void;
  /** All that the catalogue holds now. */
  read(collections: readonly CatalogCollection[]): void;
  /** All that was read. */
  seen(snapshot: CatalogSnapshot): void;
  /** Works on its own from now on; a failure is the task's. */
  guard(work: Promise<unknown>): void;
}

export class CatalogReadings {
  readonly #context: CatalogReadingsContext;
  readonly #lane = new SerialLane();
  #isDue = false;

  constructor(context: CatalogReadingsContext) {
    this.#context = context;
  }

  /** One reading at a time, and one more for all the changes that came while it ran. */
  changed(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#context.guard(
      this.#lane.run(async () => {
        await pause(CATALOG_PAUSE_MS, this.#context.signal);
        this.#isDue = false;
        await this.#read();
      }),
    );
  }

  /** @returns the making of partitions, which one collection's trouble may hold up for long. */
  now(): Promise<{ partitions: Promise<unknown> }> {
    return this.#lane.run(() => this.#read());
  }

  async #read(): Promise<{ partitions: Promise<unknown> }> {
    const { catalog, registry, signal, observer } = this.#context;
    const read = async () => {
      await this.#context.addNewChannels();
      return catalog.snapshot();
    };
    const snapshot = await retrying(read, signal, observer);
    const { collections } = snapshot;
    this.#context.read(collections);
    const partitions = collections.map(async (collection) => {
      this.#context.assertNotMissed(collection);
      await registry.get(collection.id)?.addPartitions(collection.partitions);
    });
    for (const work of partitions) this.#context.guard(work);
    this.#context.seen(snapshot);
    return { partitions: Promise.allSettled(partitions) };
  }
}
