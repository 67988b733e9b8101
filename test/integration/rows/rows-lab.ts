/** Two real servers, and what both suites of this folder do with them. What was written is looked at by Milvus' own client. */
import { ConsistencyLevelEnum, MilvusClient, type CreateCollectionReq } from '@zilliz/milvus2-sdk-node';
import { expect } from 'vitest';
import { startLab } from '../../../electron/core/lab/lab.ts';
import {
  hasPartitionKey,
  parseCollectionSchema,
  type CollectionSchema,
} from '../../../electron/engine/codec/collection-schema.ts';
import { openEtcdCatalog } from '../../../electron/engine/source/catalog/etcd-catalog.ts';
import type { CatalogCollection } from '../../../electron/engine/source/catalog/catalog.ts';
import { openMilvusRowSource } from '../../../electron/engine/source/rows/milvus-row-source.ts';
import { createIndexRequest, loadRequest } from '../../../electron/engine/source/rows/definition-requests.ts';
import type { RowKey, RowsPage } from '../../../electron/engine/source/rows/row-source.ts';
import { openMilvusTarget } from '../../../electron/engine/target/milvus-target.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { MilvusEndpoint } from '../../../shared/model/connection.ts';
import type { TimeTick } from '../../../shared/time/time-tick.ts';

export const never: AbortSignal = new AbortController().signal;

const LOAD_LIMIT_MS = 30_000;

export interface Found {
  readonly catalog: CatalogCollection;
  readonly schema: CollectionSchema;
}

export type RowsLab = Awaited<ReturnType<typeof startRowsLab>>;

const clientOf = ({ address, username, password }: MilvusEndpoint) =>
  new MilvusClient({ address, username: username ?? '', password: password ?? '' });

/** The SDK reports a refusal in what it returns. */
export async function done<T extends { error_code?: unknown; code?: unknown; status?: { code?: unknown } }>(
  call: Promise<T>,
): Promise<T> {
  const answer = await call;
  expect(answer.status?.code ?? answer.code ?? 0, JSON.stringify(answer)).toBe(0);
  return answer;
}

export async function failure(attempt: Promise<unknown>): Promise<ReplicationError> {
  try {
    await attempt;
  } catch (error) {
    if (error instanceof ReplicationError) return error;
    throw error;
  }
  throw new Error('It succeeded.');
}

export async function startRowsLab() {
  const lab = await startLab({ purpose: 'throwaway' });
  const source = clientOf(lab.source.asTarget.milvus);
  const replica = clientOf(lab.target.asTarget.milvus);
  const rows = openMilvusRowSource(lab.source.asTarget.milvus);
  const target = openMilvusTarget(lab.target.asTarget.milvus);
  const catalog = openEtcdCatalog(lab.source.asSource.etcd);

  async function find(name: string, database = 'default'): Promise<Found> {
    const { collections } = await catalog.snapshot();
    const found = collections.find((one) => one.name === name && one.database === database);
    if (found === undefined) throw new Error(`The source has no ${database}.${name}.`);
    const schema = parseCollectionSchema(found.schema);
    if ('kind' in schema) throw new Error(schema.what);
    return { catalog: found, schema };
  }

  /** Makes a collection of the source that can be read. */
  async function make(request: CreateCollectionReq & { collection_name: string }, vector = 'v', metric = 'L2') {
    await done(source.createCollection({ shards_num: 2, ...request }));
    const name = request.collection_name;
    const index_type = metric === 'HAMMING' ? 'BIN_FLAT' : 'FLAT';
    await done(source.createIndex({ collection_name: name, field_name: vector, index_type, metric_type: metric }));
    await load(source, name);
    return find(name);
  }

  async function load(client: MilvusClient, name: string): Promise<void> {
    await done(client.loadCollectionSync({ collection_name: name, timeout: LOAD_LIMIT_MS }));
  }

  async function pages(
    { catalog: { database, name: collection }, schema }: Found,
    partition: string,
    guarantee?: TimeTick,
  ): Promise<RowsPage[]> {
    const read: RowsPage[] = [];
    let after: RowKey | undefined;
    for (;;) {
      const page = await rows.readPage({ database, collection, partition, schema, after, guarantee }, never);
      if (page === undefined) return read;
      expect(page.rowCount).toBeGreaterThan(0);
      read.push(page);
      after = page.keys.values.at(-1);
    }
  }

  /** As the engine copies: made from the catalogue, index and load from what the source describes, pages inserted. */
  async function copy(found: Found): Promise<void> {
    const { catalog: made, schema } = found;
    const address = { database: made.database, collection: made.name };
    const isPlaced = hasPartitionKey(schema);
    const spec = {
      ...address,
      schema: made.schema,
      shardCount: made.shardCount,
      consistencyLevel: made.consistencyLevel,
      properties: made.properties,
      partitionKeyCount: isPlaced ? made.partitions.length : 0,
      origin: 'test',
    };
    await target.createCollection(spec, never);
    const state = await rows.describe(address, never);
    for (const partition of isPlaced ? [''] : (state?.partitions ?? [])) {
      if (partition !== '') await target.createPartition(address, partition, never);
      for (const page of await pages(found, partition, await rows.now(never))) {
        await target.insert({ ...address, partition, ...page }, never);
      }
    }
    for (const index of state?.indexes ?? []) await target.createIndex(createIndexRequest(address, index), never);
    if (state?.replicaNumber === undefined) throw new Error(`${made.name} is not loaded.`);
    await target.loadCollection(loadRequest(address, state.replicaNumber), never);
    await load(replica, made.name);
  }

  async function contentOf(client: MilvusClient, collection: string, partition?: string) {
    const answer = await done(
      client.query({
        collection_name: collection,
        filter: '',
        limit: 16_384,
        output_fields: ['*'],
        consistency_level: ConsistencyLevelEnum.Strong,
        ...(partition === undefined ? {} : { partition_names: [partition] }),
      }),
    );
    const { data } = await done(
      client.query({
        collection_name: collection,
        filter: '',
        output_fields: ['count(*)'],
        consistency_level: ConsistencyLevelEnum.Strong,
        ...(partition === undefined ? {} : { partition_names: [partition] }),
      }),
    );
    return { rows: answer.data, count: Number(data[0]?.['count(*)']) };
  }

  async function stop(): Promise<void> {
    await rows.close();
    await target.close();
    await catalog.close();
    await source.closeConnection();
    await replica.closeConnection();
    await lab.stop();
  }

  return { lab, source, replica, rows, target, find, make, load, pages, copy, contentOf, stop };
}
