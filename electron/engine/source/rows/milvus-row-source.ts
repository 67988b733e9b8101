/** A cluster's rows through Milvus' public API, column by column as bytes. */
import type { MilvusEndpoint } from '../../../../shared/model/connection.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import type { LoadedPart } from '../../../../shared/model/task-state.ts';
import { asTimeTick, type TimeTick } from '../../../../shared/time/time-tick.ts';
import type { PrimaryKeys } from '../../codec/records.ts';
import { MilvusRpc } from '../../milvus/milvus-rpc.ts';
import type { CollectionAddress } from '../../milvus/collection-address.ts';
import { keyExpressions } from './key-range.ts';
import { PageReader } from './page-reader.ts';
import { assertReadable } from './probe-rows.ts';
import { RangeQuery } from './range-query.ts';
import type {
  CollectionState,
  ImportedRows,
  KeysCount,
  KeysRead,
  PageRead,
  PartitionRead,
  RowSource,
  RowsPage,
  WillLoad,
} from './row-source.ts';
import { whenShown } from './shown-segments.ts';
import { SourceState } from './source-state.ts';

/** Milliseconds when all is well. */
const TIMESTAMP_DEADLINE_MS = 15_000;

/** Connects with the first call. `side`: which cluster it is, for its errors. @throws invalidConfig */
export function openMilvusRowSource(endpoint: MilvusEndpoint, side: 'source' | 'target' = 'source'): RowSource {
  return new MilvusRowSource(new MilvusRpc(endpoint, side), side);
}

class MilvusRowSource implements RowSource {
  readonly #rpc: MilvusRpc;
  readonly #side: 'source' | 'target';
  readonly #pages: PageReader;
  readonly #state: SourceState;

  constructor(rpc: MilvusRpc, side: 'source' | 'target') {
    this.#rpc = rpc;
    this.#side = side;
    this.#pages = new PageReader(rpc, side);
    this.#state = new SourceState(rpc, side);
  }

  async now(signal: AbortSignal): Promise<TimeTick | undefined> {
    try {
      const { timestamp } = await this.#rpc.call('AllocTimestamp', {}, { deadlineMs: TIMESTAMP_DEADLINE_MS, signal });
      return asTimeTick(BigInt(timestamp));
    } catch (error) {
      if (error instanceof ReplicationError && error.code === 'unsupported') return undefined;
      throw error;
    }
  }

  describe(address: CollectionAddress, signal: AbortSignal): Promise<CollectionState | undefined> {
    return this.#state.describe(address, signal);
  }

  readPage(read: PageRead, signal: AbortSignal): Promise<RowsPage | undefined> {
    return this.#pages.read(read, signal);
  }

  readKeys(read: KeysRead, signal: AbortSignal): Promise<PrimaryKeys | undefined> {
    return this.#pages.readKeys(read, signal);
  }

  countRows(read: PartitionRead, signal: AbortSignal): Promise<number> {
    return this.#query(read, signal).count({ after: undefined, upTo: undefined });
  }

  whenShown(imported: ImportedRows, signal: AbortSignal): Promise<void> {
    return whenShown(this.#rpc, imported, signal);
  }

  async countKeys({ keys, ...read }: KeysCount, signal: AbortSignal): Promise<{ rows: number; keys: number }> {
    const query = this.#query(read, signal);
    let rows = 0;
    let found = 0;
    for (const expression of keyExpressions(read.schema.keyField.name, keys)) {
      rows += await query.count(expression);
      found += (await query.someKeys(expression)).values.length;
    }
    return { rows, keys: found };
  }

  assertReadable(read: PartitionRead, signal: AbortSignal): Promise<void> {
    return assertReadable(this.#query(read, signal), read);
  }

  load(
    address: CollectionAddress,
    earlier: LoadedPart | undefined,
    willLoad: WillLoad,
    signal: AbortSignal,
  ): Promise<void> {
    return this.#state.load(address, earlier, willLoad, signal);
  }

  release(address: CollectionAddress, loaded: LoadedPart, signal: AbortSignal): Promise<void> {
    return this.#state.release(address, loaded, signal);
  }

  close(): Promise<void> {
    this.#rpc.close();
    return Promise.resolve();
  }

  #query(read: PartitionRead, signal: AbortSignal): RangeQuery {
    return new RangeQuery(this.#rpc, read, this.#side, signal);
  }
}
