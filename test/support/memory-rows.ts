/** The rows of a source in memory, read in small pages as its public API would give them. */
import type { TimeTick } from '../../shared/time/time-tick.ts';
import type {
  PageRead,
  RowKey,
  RowsPage,
  RowSource,
  SourceCollectionState,
} from '../../electron/engine/source/rows/row-source.ts';
import { isAbove } from '../../electron/engine/task/collection-copy.ts';
import type { CollectionAddress } from '../../electron/engine/milvus/collection-address.ts';
import { ReplicationError } from '../../shared/model/replication-error.ts';
import { encodeMessage } from './milvus-messages.ts';
import type { MemorySource, SourceCollection } from './memory-source.ts';
import { buildColumns, KEY_FIELD, VALUE_FIELD, type Row } from './wal-builder.ts';

/** `refuse`: nothing is read. `lose`: it is read, and never arrives. `late`: it arrives `afterMs` after it was read. */
export type PageFault =
  | { readonly kind: 'refuse' | 'lose'; readonly error: ReplicationError }
  | { readonly kind: 'late'; readonly afterMs: number };

/** As in Milvus. */
const TICK_INTERVAL_MS = 200;

export class MemoryRows implements RowSource {
  readonly #source: MemorySource;
  readonly #faults: PageFault[] = [];
  pageRows = 3;
  /** So many times `describe` finds nothing, as a server does that is behind its own catalogue. */
  misses = 0;
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

  async describe(address: CollectionAddress, signal: AbortSignal): Promise<SourceCollectionState | undefined> {
    await this.#wait(signal);
    const found = this.#find(address);
    this.misses -= 1;
    if (found === undefined || this.misses >= 0) return undefined;
    const name = { dbName: address.database === 'default' ? '' : address.database, collectionName: address.collection };
    return {
      partitions: [...found.partitions.keys()],
      loadState: 'loaded',
      indexRequests: [...found.indexes].map((indexName) =>
        encodeMessage('CreateIndexRequest', { ...name, fieldName: 'value', indexName }),
      ),
      loadRequest: found.isLoaded ? encodeMessage('LoadCollectionRequest', name) : undefined,
    };
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
    const byKey = new Map<RowKey, Row>();
    let doubled = 0;
    for (const row of rowsOf(collection, read.partition)) {
      if (byKey.has(row.key)) doubled += 1;
      byKey.set(row.key, row);
    }
    const above = [...byKey.values()]
      .filter(({ key }) => read.after === undefined || isAbove(key, read.after))
      .toSorted((a, b) => (isAbove(a.key, b.key) ? 1 : -1))
      .slice(0, this.pageRows);
    const ids = [KEY_FIELD, VALUE_FIELD];
    const fields = buildColumns(collection, above).map((column, index) => ({
      fieldId: BigInt(ids[index]?.id ?? 0),
      fieldName: ids[index]?.name ?? '',
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

  load(): Promise<void> {
    return Promise.resolve();
  }

  release(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
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

const missing = (object: string): ReplicationError =>
  new ReplicationError('notFound', 'source', `The source has no such ${object}.`, { context: { object } });
