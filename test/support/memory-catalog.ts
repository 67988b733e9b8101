/** The source's catalogue in memory. */
import type { CollectionId } from '../../shared/model/ids.ts';
import type {
  Catalog,
  CatalogCollection,
  CatalogDatabase,
  CatalogSnapshot,
} from '../../electron/engine/source/catalog/catalog.ts';

export class MemoryCatalog implements Catalog {
  id = '4711';
  readonly databases = new Map<string, CatalogDatabase>([['default', { id: 1n, name: 'default', properties: [] }]]);
  readonly collections = new Map<bigint, CatalogCollection>();
  readonly #ended = new Map<bigint, CatalogCollection>();
  readonly #watchers = new Set<() => void>();
  readonly #faults: Error[] = [];
  /** A reading has met a fault. */
  onFault: () => void = () => undefined;
  readonly #shown = new Set<bigint>();
  /** Shown in a reading of everything: no birth of it is asked for any more, and its end is told. */
  readonly #listed = new Set<bigint>();
  /**
   * Asked for one collection, it answers as if it had been asked while that collection lived, unless it has shown a later
   * one of that name: the engine is behind the log here, whereas in life it reads a birth within milliseconds.
   */
  remembers = true;

  put(collection: CatalogCollection): void {
    this.collections.set(collection.id, collection);
    this.changed();
  }

  remove(id: bigint): void {
    const found = this.collections.get(id);
    if (found !== undefined) this.#ended.set(id, found);
    this.collections.delete(id);
    this.changed();
  }

  changed(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  /** The next reading fails. */
  failNext(error: Error): void {
    this.#faults.push(error);
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  async clusterId(): Promise<string> {
    await this.#called();
    return this.id;
  }

  async snapshot(): Promise<CatalogSnapshot> {
    await this.#called();
    for (const id of this.collections.keys()) {
      this.#shown.add(id);
      this.#listed.add(id);
    }
    return { revision: 1n, databases: [...this.databases.values()], collections: [...this.collections.values()] };
  }

  async collection(id: CollectionId): Promise<CatalogCollection | 'gone' | undefined> {
    await this.#called();
    const found = this.collections.get(id) ?? this.#remembered(id);
    if (found !== undefined && found !== 'gone') this.#shown.add(id);
    return found;
  }

  watch(onChange: () => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#watchers.add(onChange);
    signal.addEventListener('abort', () => this.#watchers.delete(onChange), { once: true });
    onChange();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #remembered(id: bigint): CatalogCollection | 'gone' | undefined {
    const ended = this.#ended.get(id);
    if (ended === undefined) return undefined;
    if (this.#listed.has(id)) return 'gone';
    const isNewer = ({ database, name, createTick, id: other }: CatalogCollection): boolean =>
      database === ended.database && name === ended.name && createTick > ended.createTick && this.#shown.has(other);
    const isPast = [...this.collections.values(), ...this.#ended.values()].some(isNewer);
    return this.remembers && !isPast ? ended : 'gone';
  }

  async #called(): Promise<void> {
    await Promise.resolve();
    const fault = this.#faults.shift();
    if (fault === undefined) return;
    this.onFault();
    throw fault;
  }
}
