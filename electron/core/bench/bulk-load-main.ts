/**
 * The bench's load: a process of its own that writes wide rows into the source as fast as the source takes them, until
 * its parent tells it to end.
 */
import { DataType } from '@zilliz/milvus2-sdk-node';
import type { MilvusEndpoint } from '../../../shared/model/connection.ts';
import { openMilvus } from '../drill/content/milvus-client.ts';

export const BENCH_COLLECTION = 'bench';
/** What the figures of the README and the issues are measured with. */
const DIMENSION = 128;
const BATCH_ROWS = 2_000;
/** One request waits at the server while the next one is made. */
const WRITERS = 2;

export type BulkLoadRequest = { readonly kind: 'start'; readonly source: MilvusEndpoint } | { readonly kind: 'stop' };
export type BulkLoadAnswer =
  | { readonly kind: 'loading' }
  | { readonly kind: 'done'; readonly rows: number }
  | { readonly kind: 'failed'; readonly message: string };

const say = (answer: BulkLoadAnswer): void => void process.send?.(answer);

let isStopping = false;

async function load(source: MilvusEndpoint): Promise<void> {
  const connection = await openMilvus(source, 'source');
  const { client } = connection;
  try {
    const fields = [
      { name: 'id', data_type: DataType.Int64, is_primary_key: true },
      { name: 'embedding', data_type: DataType.FloatVector, dim: DIMENSION },
    ];
    await client.createCollection({ collection_name: BENCH_COLLECTION, fields, shards_num: 2 });
    say({ kind: 'loading' });
    const vector = Array.from({ length: DIMENSION }, (_, index) => index / DIMENSION);
    let nextId = 0;
    let rows = 0;
    const write = async (): Promise<void> => {
      while (!isStopping) {
        const firstId = nextId;
        nextId += BATCH_ROWS;
        const data = Array.from({ length: BATCH_ROWS }, (_, index) => ({ id: firstId + index, embedding: vector }));
        const answer = await client.insert({ collection_name: BENCH_COLLECTION, data });
        if (answer.status.error_code !== 'Success') throw new Error(answer.status.reason);
        rows += BATCH_ROWS;
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, write));
    say({ kind: 'done', rows });
  } finally {
    await connection.close();
  }
}

process.on('message', (request: BulkLoadRequest) => {
  if (request.kind === 'stop') {
    isStopping = true;
    return;
  }
  load(request.source)
    .catch((error: unknown) => say({ kind: 'failed', message: error instanceof Error ? error.message : String(error) }))
    .finally(() => process.disconnect());
});
process.once('disconnect', () => process.exit());
