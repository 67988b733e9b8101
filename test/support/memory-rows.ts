/** The rows of a source in memory, read in small pages as its public API would give them; and the keys of a target. */
import type { TimeTick } from '../../shared/time/time-tick.ts';
import type { LoadedPart } from '../../shared/model/task-state.ts';
import type { PrimaryKeys } from '../../electron/engine/codec/records.ts';
import type {
  CollectionState,
  ImportedRows,
  KeysCount,
  KeySource,
  KeysRead,
  PageRead,
  PartitionRead,
  RowKey,
  RowsPage,
  RowSource,
  WillLoad,
} from '../../electron/engine/source/rows/row-source.ts';
import { isAbove } from '../../electron/engine/task/collection-copy.ts';
import type { CollectionAddress } from '../../electron/engine/milvus/collection-address.ts';
import { ReplicationError } from '../../shared/model/replication-error.ts';
import { pause } from '../../electron/engine/runtime/waiting.ts';
import { encodeMessage } from './milvus-messages.ts';
import type { MemorySource, SourceCollection } from './memory-source.ts';
import type { MemoryCollection, MemoryTarget } from './memory-target.ts';
import { buildColumns, type Row } from './wal-builder.ts';

/** `refuse`: nothing is read. `lose`: it is read, and never arrives. `late`: it arrives `afterMs` after it was read. */
export type PageFault =
  | { readonly kind: 'refuse' | 'lose'; readonly error: ReplicationError }
  | { readonly kind: 'late'; readonly afterMs: number };

const SHOWN_LOOK_MS = 500;
/** As in Milvus. */
const TICK_INTERVAL_MS = 200;

export class MemoryRows implements RowSource {
  readonly #source: MemorySource;
  readonly #faults: PageFault[] = [];
  pageRows = 3;
  /** So many times `describe` finds nothing, as a server does that is behind its own catalogue. */
  misses = 0;
  /** Only what is loaded can be read. */
  needsLoad = false;
  /** A user's release or load is not told apart from a copy's. */
  readonly loads: string[] = [];
  /** What stands there is another collection of that name. */
  isAnotherCluster = false;
  /** Fields that the server does not return. */
  missingFields = new Set<string>();
  /** Turns of the event loop before and after a page is taken from the source. */
  turns: () => number = () => 0;
  /** Called at the instants of a page: before the source is looked at, and before the page is given. */
  onPage: (instant: 'before' | 'after', read: PageRead) => void = () => undefined;

  constructor(source: MemorySource) {
    this.#source = source;
  }

  /** A page is about to be taken: what its rows come from stands in the log from now on. */
  beforeRead: () => void = () => undefined;
  /** A page has met a fault. */
  onFault: (kind: PageFault['kind'], read: PageRead) => void = () => undefined;

  /** The next page meets it. */
  failNext(fault: PageFault): void {
    this.#faults.push(fault);
  }

  /** And the source's next tick, which comes by itself, is soon in the log. */
  now(): Promise<TimeTick | undefined> {
    const { now } = this.#source;
    setTimeout(() => this.#source.tickAll(), TICK_INTERVAL_MS);
    return Promise.resolve(now);
  }

  async describe(address: CollectionAddress, signal: AbortSignal): Promise<CollectionState | undefined> {
    await this.#wait(signal);
    const found = this.#find(address);
    this.misses -= 1;
    if (found === undefined || this.misses >= 0) return undefined;
    const partitions = [...found.partitions.keys()];
    const isLoaded = this.#isLoaded(found);
    return {
      id: this.isAnotherCluster ? found.id + 1n : found.id,
      partitions,
      loadedPartitions: isLoaded ? partitions : [],
      loadState: isLoaded ? 'loaded' : 'not-loaded',
      indexes: [...found.indexes].map((indexName) => ({ fieldName: 'value', indexName, params: [] })),
      replicaNumber: found.isLoaded ? 1 : undefined,
    };
  }

  async readKeys(): Promise<PrimaryKeys | undefined> {
    throw new Error('Nobody lists the keys of a source.');
  }

  async countKeys(): Promise<{ rows: number; keys: number }> {
    throw new Error('Nobody counts the keys of a source.');
  }

  async whenShown({ database, collection }: ImportedRows, signal: AbortSignal): Promise<void> {
    await this.#wait(signal);
    const found = this.#find({ database, collection });
    if (found === undefined) throw missing('collection');
    const isHidden = (): boolean =>
      [...found.partitions.values()].some(({ rows }) => rows.some((row) => this.#source.hiddenRows.has(row)));
    while (isHidden()) await pause(SHOWN_LOOK_MS, signal);
  }

  async countRows(read: PartitionRead, signal: AbortSignal): Promise<number> {
    await this.#wait(signal);
    const collection = this.#find(read);
    if (collection === undefined) return 0;
    this.#assertLoaded(collection);
    return this.#shown(rowsOf(collection, read.partition)).length;
  }

  async assertReadable({ schema }: PartitionRead, signal: AbortSignal): Promise<void> {
    await this.#wait(signal);
    const missingField = schema.fields.find(({ name }) => this.missingFields.has(name));
    if (missingField !== undefined) {
      throw new ReplicationError('notReadable', 'source', `The source does not return ${missingField.name}.`);
    }
  }

  async readPage(read: PageRead, signal: AbortSignal): Promise<RowsPage | undefined> {
    this.onPage('before', read);
    await this.#wait(signal);
    const fault = this.#faults.shift();
    if (fault !== undefined) this.onFault(fault.kind, read);
    if (fault?.kind === 'refuse') throw fault.error;
    this.beforeRead();
    const collection = this.#find(read);
    if (collection === undefined) throw missing('collection');
    this.#assertLoaded(collection);
    const byKey = new Map<RowKey, Row>();
    let doubled = 0;
    for (const row of this.#shown(rowsOf(collection, read.partition))) {
      if (byKey.has(row.key)) doubled += 1;
      byKey.set(row.key, row);
    }
    const above = [...byKey.values()]
      .filter(({ key }) => read.after === undefined || isAbove(key, read.after))
      .toSorted((a, b) => (isAbove(a.key, b.key) ? 1 : -1))
      .slice(0, Math.min(this.pageRows, read.rowsMax ?? this.pageRows));
    // Only fields that are asked for.
    const fields = buildColumns(collection, above)
      .filter(({ fieldId }) => read.schema.fields.some(({ id }) => id === BigInt(fieldId)))
      .map((column) => ({
        fieldId: BigInt(column.fieldId),
        fieldName: column.fieldName,
        bytes: encodeMessage('schema.FieldData', column),
      }));
    if (fault?.kind === 'late') await new Promise<void>((resolve) => setTimeout(resolve, fault.afterMs));
    await this.#wait(signal);
    this.onPage('after', read);
    if (fault?.kind === 'lose') throw fault.error;
    if (above.length === 0) return undefined;
    const keys = above.map(({ key }) => key);
    return {
      rowCount: above.length,
      fields,
      doubledRows: read.after === undefined ? doubled : 0,
      keys: collection.hasTextKeys
        ? { type: 'varchar', values: keys.map(String) }
        : { type: 'int64', values: BigInt64Array.from(keys.map(BigInt)) },
    };
  }

  async load(
    address: CollectionAddress,
    _earlier: LoadedPart | undefined,
    willLoad: WillLoad,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#wait(signal);
    const found = this.#find(address);
    if (found === undefined || this.#isLoaded(found)) return;
    willLoad('all');
    this.loads.push(`load ${found.name}`);
    found.isLoaded = true;
  }

  async release(address: CollectionAddress, _loaded: LoadedPart, signal: AbortSignal): Promise<void> {
    await this.#wait(signal);
    const found = this.#find(address);
    if (found === undefined) return;
    this.loads.push(`release ${found.name}`);
    found.isLoaded = false;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #shown(rows: readonly Row[]): readonly Row[] {
    return rows.filter((row) => !this.#source.hiddenRows.has(row));
  }

  #isLoaded({ isLoaded }: SourceCollection): boolean {
    return isLoaded || !this.needsLoad;
  }

  #assertLoaded(collection: SourceCollection): void {
    if (!this.#isLoaded(collection)) throw notLoaded('source');
  }

  #find({ database, collection }: CollectionAddress): SourceCollection | undefined {
    return this.#source.databases.get(database)?.get(collection);
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const turns = this.turns();
    for (let turn = 0; turn < turns; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
  }
}

function rowsOf(collection: SourceCollection, partition: string): readonly Row[] {
  if (partition === '') return [...collection.partitions.values()].flatMap(({ rows }) => rows);
  const found = collection.partitions.get(partition);
  if (found === undefined) throw missing('partition');
  return found.rows;
}

const missing = (object: string, side: 'source' | 'target' = 'source'): ReplicationError =>
  new ReplicationError('notFound', side, `The ${side} has no such ${object}.`, { context: { object } });

const notLoaded = (side: 'source' | 'target'): ReplicationError =>
  new ReplicationError('notReadable', side, `It is not loaded on the ${side}.`, { context: { isLoaded: false } });

/** As a server that answers with so many keys at once. */
const KEYS_AT_ONCE = 2;

/** What a copy of a filled collection reads of a target: its keys, where it is loaded. */
export class MemoryKeys implements KeySource {
  readonly #target: MemoryTarget;
  /** Called at the instants of a listing. */
  onKeys: (instant: 'before' | 'after', read: KeysRead) => void = () => undefined;
  /** A step of the engine, as a call of the target is. */
  step: (what: string) => void = () => undefined;

  constructor(target: MemoryTarget) {
    this.#target = target;
  }

  /** Everything that was confirmed is shown. */
  now(): Promise<TimeTick | undefined> {
    return Promise.resolve(undefined);
  }

  async describe(address: CollectionAddress, signal: AbortSignal): Promise<CollectionState | undefined> {
    await this.#turn(signal);
    const found = this.#target.find(address);
    if (found === undefined) return undefined;
    const partitions = [...found.partitions.keys()];
    return {
      id: found.id,
      partitions,
      loadedPartitions: partitions.filter((name) => isLoadedPart(found, name)),
      loadState: partitions.every((name) => isLoadedPart(found, name)) ? 'loaded' : 'not-loaded',
      indexes: [...found.indexes].map((indexName) => ({ fieldName: 'value', indexName, params: [] })),
      replicaNumber: found.isLoaded ? 1 : undefined,
    };
  }

  async readKeys(read: KeysRead, signal: AbortSignal): Promise<PrimaryKeys | undefined> {
    this.onKeys('before', read);
    await this.#turn(signal);
    const found = this.#target.find(read);
    if (found === undefined) throw missing('collection', 'target');
    const names = read.partition === '' ? [...found.partitions.keys()] : [read.partition];
    if (names.some((name) => !found.partitions.has(name))) throw missing('partition', 'target');
    if (names.some((name) => !isLoadedPart(found, name))) throw notLoaded('target');
    const keys = new Set(names.flatMap((name) => (found.partitions.get(name) ?? []).map(({ key }) => key)));
    const shown = [...keys]
      .filter((key) => read.after === undefined || isAbove(key, read.after))
      .filter((key) => read.upTo === undefined || !isAbove(key, read.upTo))
      .toSorted((a, b) => (isAbove(a, b) ? 1 : -1))
      .slice(0, KEYS_AT_ONCE);
    await this.#turn(signal);
    this.onKeys('after', read);
    if (shown.length === 0) return undefined;
    return typeof shown[0] === 'string'
      ? { type: 'varchar', values: shown.map(String) }
      : { type: 'int64', values: BigInt64Array.from(shown.map(BigInt)) };
  }

  /** How often it was asked. */
  counted = 0;
  /** Called before an answer. */
  onCount: () => void | Promise<void> = () => undefined;

  async countKeys({ keys, ...read }: KeysCount, signal: AbortSignal): Promise<{ rows: number; keys: number }> {
    await this.#turn(signal);
    await this.onCount();
    const found = this.#target.find(read);
    if (found === undefined) throw missing('collection', 'target');
    const names = read.partition === '' ? [...found.partitions.keys()] : [read.partition];
    if (names.some((name) => !found.partitions.has(name))) throw missing('partition', 'target');
    if (names.some((name) => !isLoadedPart(found, name))) throw notLoaded('target');
    this.counted += 1;
    const asked = new Set<RowKey>(keys.values);
    const borne = names
      .flatMap((name) => (found.partitions.get(name) ?? []).map(({ key }) => key))
      .filter((key) => asked.has(key));
    return { rows: borne.length, keys: new Set(borne).size };
  }

  async load(
    address: CollectionAddress,
    _earlier: LoadedPart | undefined,
    willLoad: WillLoad,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#turn(signal);
    const found = this.#target.find(address);
    if (found === undefined) throw missing('collection', 'target');
    if ([...found.partitions.keys()].every((name) => isLoadedPart(found, name))) return;
    willLoad('all');
    this.step(`load ${address.collection} to read it`);
    found.replicaNumber = 1;
    found.isLoaded = true;
  }

  async release(address: CollectionAddress, _loaded: LoadedPart, signal: AbortSignal): Promise<void> {
    await this.#turn(signal);
    const found = this.#target.find(address);
    if (found === undefined) return;
    this.step(`release ${address.collection}`);
    found.isLoaded = false;
  }

  async #turn(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
  }
}

const isLoadedPart = ({ isLoaded, loadedPartitions }: MemoryCollection, name: string): boolean =>
  isLoaded || loadedPartitions.has(name);
