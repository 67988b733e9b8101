/** Collections of the bench, made and looked at by Milvus' public client. */
import { ConsistencyLevelEnum, DataType, LoadState } from '@zilliz/milvus2-sdk-node';
import { atOnce } from '../../../shared/at-once.ts';
import type { MilvusEndpoint } from '../../../shared/model/connection.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import { checked, openMilvus, type DrillSide, type MilvusConnection } from '../drill/content/milvus-client.ts';

/** What the figures of the README and the issues are measured with. */
export const DIMENSION = 128;
const VECTOR_FIELD = 'embedding';
const LOAD_LIMIT_MS = 60_000;
/** Collections that are made or dropped at once. */
const DEFINITIONS_AT_ONCE = 8;
/** Milvus' own limit. */
const SEARCH_ROWS_MAX = 16_384;

export class BenchCluster implements AsyncDisposable {
  readonly endpoint: MilvusEndpoint;
  readonly #connection: MilvusConnection;

  private constructor(endpoint: MilvusEndpoint, connection: MilvusConnection) {
    this.endpoint = endpoint;
    this.#connection = connection;
  }

  static async open(endpoint: MilvusEndpoint, side: DrillSide): Promise<BenchCluster> {
    return new BenchCluster(endpoint, await openMilvus(endpoint, side));
  }

  async create(names: readonly string[], shardCount: number): Promise<void> {
    await this.#each(names, 'createCollection', (name) =>
      this.#connection.client.createCollection({
        collection_name: name,
        fields: [
          { name: 'id', data_type: DataType.Int64, is_primary_key: true },
          { name: VECTOR_FIELD, data_type: DataType.FloatVector, dim: DIMENSION },
        ],
        shards_num: shardCount,
      }),
    );
  }

  async drop(names: readonly string[]): Promise<void> {
    await this.#each(names, 'dropCollection', (name) =>
      this.#connection.client.dropCollection({ collection_name: name }),
    );
  }

  /** With the index that costs least. Resolves when its rows can be read. */
  async load(name: string): Promise<void> {
    const { client, side } = this.#connection;
    const index = { collection_name: name, field_name: VECTOR_FIELD, index_type: 'FLAT', metric_type: 'L2' };
    await checked(side, 'createIndex', client.createIndex(index));
    await checked(side, 'loadCollection', client.loadCollectionSync({ collection_name: name, timeout: LOAD_LIMIT_MS }));
  }

  async isLoaded(name: string): Promise<boolean> {
    const { client } = this.#connection;
    const { value: isThere } = await client.hasCollection({ collection_name: name });
    if (!isThere.valueOf()) return false;
    return (await client.getLoadState({ collection_name: name })).state === LoadState.LoadStateLoaded;
  }

  /** Resolves when the server has acknowledged it. */
  async insertOne(name: string, key: number): Promise<void> {
    const { client, side } = this.#connection;
    const data = [{ id: key, [VECTOR_FIELD]: Array.from({ length: DIMENSION }, () => Math.random()) }];
    await checked(side, 'insert', client.insert({ collection_name: name, data }));
  }

  /** Keys above this one that a search shows now. */
  async search(name: string, above: number): Promise<readonly number[]> {
    const { client, side } = this.#connection;
    const { results } = await checked(
      side,
      'search',
      client.search({
        collection_name: name,
        data: Array.from({ length: DIMENSION }, () => 0.5),
        filter: `id > ${above}`,
        limit: SEARCH_ROWS_MAX,
        output_fields: ['id'],
        consistency_level: ConsistencyLevelEnum.Eventually,
      }),
    );
    return results.map(({ id }) => Number(id));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.close();
  }

  async #each(
    names: readonly string[],
    action: string,
    run: (name: string) => Promise<{ readonly error_code: unknown }>,
  ): Promise<void> {
    await atOnce(DEFINITIONS_AT_ONCE, names, (name) => checked(this.#connection.side, action, run(name)));
  }
}

export const benchFailed = (message: string): ReplicationError => new ReplicationError('labFailed', 'lab', message);
