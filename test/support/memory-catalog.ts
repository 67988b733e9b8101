/** The source's catalogue in memory. */
import type { CollectionId, PartitionId } from '../../shared/model/ids.ts';
import type {
  Catalog,
  CatalogAlias,
  CatalogCollection,
  CatalogDefinitions,
  CatalogDatabase,
  CatalogImport,
  CatalogSnapshot,
} from '../../electron/engine/source/catalog/catalog.ts';

export class MemoryCatalog implements Catalog {
  id = '4711';
  readonly databases = new Map<string, CatalogDatabase>([['default', { id: 1n, name: 'default', properties: [] }]]);
  readonly collections = new Map<bigint, CatalogCollection>();
  readonly definitions = new Map<CollectionId, CatalogDefinitions>();
  readonly aliases = new Map<string, CatalogAlias>();
  readonly endedPartitions = new Map<CollectionId, Map<PartitionId, string>>();
  readonly endedAliases = new Set<string>();
  readonly endedDatabases = new Set<bigint>();
  /** By id. */
  readonly importsHeld = new Map<bigint, CatalogImport>();
  /** The next reading of everything shows nothing: an etcd that was emptied, another root path. */
  isEmptyOnce = false;
  /** The same, for good. */
  isEmptied = false;
  #revision = 0n;
  /** By so much it shows less from now on: it was put back. */
  revisionsBack = 0n;
  readonly #ended = new Map<bigint, CatalogCollection>();
  readonly #watchers = new Set<() => void>();
  readonly #faults: Error[] = [];
  /** A reading has met a fault. */
  onFault: () => void = () => undefined;
  readonly #bornAs = new Map<bigint, string>();
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
    if (!this.#bornAs.has(collection.id)) this.#bornAs.set(collection.id, collection.name);
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
    this.#revision += 1n;
    if (this.isEmptyOnce || this.isEmptied) {
      this.isEmptyOnce = false;
      const ended = {
        collections: new Set<never>(),
        partitions: new Map<never, never>(),
        aliases: new Set<string>(),
        databases: new Set<bigint>(),
      };
      const nothing = {
        databases: [],
        collections: [],
        definitions: new Map<never, never>(),
        aliases: [],
        ended,
        imports: [],
      };
      return { clusterId: this.id, revision: this.#revision - this.revisionsBack, ...nothing };
    }
    return {
      clusterId: this.id,
      revision: this.#revision - this.revisionsBack,
      databases: [...this.databases.values()],
      collections: [...this.collections.values()],
      definitions: new Map(this.definitions),
      aliases: [...this.aliases.values()],
      ended: {
        collections: new Set(this.#ended.keys() as Iterable<CollectionId>),
        partitions: new Map([...this.endedPartitions].map(([id, ended]) => [id, new Map(ended)])),
        aliases: new Set(this.endedAliases),
        databases: new Set(this.endedDatabases),
      },
      imports: [...this.importsHeld.values()],
    };
  }

  async collection(id: CollectionId): Promise<CatalogCollection | 'gone' | undefined> {
    await this.#called();
    const found = this.collections.get(id) ?? this.#remembered(id);
    if (found === undefined || found === 'gone') return found;
    this.#shown.add(id);
    return { ...found, endedPartitions: [...(this.endedPartitions.get(id)?.keys() ?? [])] };
  }

  async databaseOfGone(id: CollectionId): Promise<string | undefined> {
    await this.#called();
    return this.#ended.get(id)?.database;
  }

  async loadFields(id: CollectionId): Promise<readonly bigint[] | undefined> {
    await this.#called();
    return this.definitions.get(id)?.load?.fields;
  }

  async isUnchanged({ id, database, name }: CatalogCollection): Promise<boolean> {
    await this.#called();
    const found = this.collections.get(id);
    return found?.name === name && found.database === database;
  }

  async imports(): Promise<readonly CatalogImport[]> {
    await this.#called();
    return [...this.importsHeld.values()];
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
    // Under the name that it was born with there may be one by now that was shown so: whoever asks comes from later.
    const bornAs = this.#bornAs.get(id) ?? ended.name;
    const isShownAs = ({ database, name, id: other }: CatalogCollection): boolean =>
      database === ended.database && name === bornAs && this.#shown.has(other);
    const isPast =
      [...this.collections.values(), ...this.#ended.values()].some(isNewer) ||
      [...this.collections.values()].some(isShownAs);
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
