/** The source's rows through Milvus' public API, column by column as bytes. */
import type { MilvusEndpoint } from '../../../../shared/model/connection.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import { asTimeTick, type TimeTick } from '../../../../shared/time/time-tick.ts';
import { MilvusRpc } from '../../milvus/milvus-rpc.ts';
import type { CollectionAddress } from '../../milvus/collection-address.ts';
import { PageReader } from './page-reader.ts';
import type { PageRead, RowSource, RowsPage, SourceCollectionState } from './row-source.ts';
import { SourceState } from './source-state.ts';

/** Milliseconds when all is well. */
const TIMESTAMP_DEADLINE_MS = 15_000;

/** Connects with the first call. @throws invalidConfig */
export function openMilvusRowSource(endpoint: MilvusEndpoint): RowSource {
  return new MilvusRowSource(new MilvusRpc(endpoint, 'source'));
}

class MilvusRowSource implements RowSource {
  readonly #rpc: MilvusRpc;
  readonly #pages: PageReader;
  readonly #state: SourceState;

  constructor(rpc: MilvusRpc) {
    this.#rpc = rpc;
    this.#pages = new PageReader(rpc);
    this.#state = new SourceState(rpc);
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

  describe(address: CollectionAddress, signal: AbortSignal): Promise<SourceCollectionState | undefined> {
    return this.#state.describe(address, signal);
  }

  readPage(read: PageRead, signal: AbortSignal): Promise<RowsPage | undefined> {
    return this.#pages.read(read, signal);
  }

  load(address: CollectionAddress, signal: AbortSignal): Promise<void> {
    return this.#state.load(address, signal);
  }

  release(address: CollectionAddress, signal: AbortSignal): Promise<void> {
    return this.#state.release(address, signal);
  }

  close(): Promise<void> {
    this.#rpc.close();
    return Promise.resolve();
  }
}
