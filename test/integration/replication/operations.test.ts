import { ConsistencyLevelEnum, DataType, MilvusClient } from '@zilliz/milvus2-sdk-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startLab, type Lab, type LabSide } from '../../../electron/core/lab/lab.ts';
import { ServedTask } from '../../support/served-task.ts';

/** What the drill's load does not do; everything else is in `drill.test.ts`. */

let lab: Lab;
let source: MilvusClient;
let target: MilvusClient;
let task: ServedTask;

const clientOf = ({ asTarget: { milvus } }: LabSide): MilvusClient =>
  // Passwords would be printed at the level that the client takes under a test runner.
  new MilvusClient({
    address: milvus.address,
    username: milvus.username ?? '',
    password: milvus.password ?? '',
    logLevel: 'error',
  });

interface Answer {
  readonly error_code?: string | number;
  readonly reason?: string;
}

async function done(call: Promise<Answer | { status: Answer }>): Promise<void> {
  const answer = await call;
  const { error_code, reason } = 'status' in answer ? answer.status : answer;
  if (error_code !== 'Success') throw new Error(`${String(error_code)}: ${reason ?? ''}`);
}

async function createItems(name: string): Promise<void> {
  const fields = [
    { name: 'id', data_type: DataType.Int64, is_primary_key: true },
    { name: 'embedding', data_type: DataType.FloatVector, dim: 4 },
  ];
  await done(source.createCollection({ collection_name: name, fields, shards_num: 2 }));
}

const flat = (name: string, index_type: string) => ({
  collection_name: name,
  field_name: 'embedding',
  index_name: 'by_distance',
  index_type,
  metric_type: 'L2',
  ...(index_type === 'FLAT' ? {} : { params: { nlist: 16 } }),
});

async function indexTypes(client: MilvusClient, name: string): Promise<string[]> {
  const answer = await client.describeIndex({ collection_name: name });
  return answer.index_descriptions.flatMap(({ params }) =>
    params.filter(({ key }) => key === 'index_type').map(({ value }) => String(value)),
  );
}

beforeAll(async () => {
  lab = await startLab({ purpose: 'throwaway' });
  source = clientOf(lab.source);
  target = clientOf(lab.target);
  // What is tried here is the log: its operations, from the first on.
  const start = { kind: 'creation' } as const;
  task = await ServedTask.create({ source: lab.source.asSource, target: lab.target.asTarget, start });
});
afterAll(async () => {
  await Promise.all([source.closeConnection(), target.closeConnection()]);
  await task[Symbol.asyncDispose]();
  await lab.stop();
});

describe('operations that a restart must not repeat in the wrong order', () => {
  it('an index is dropped and another one is made in its place', async () => {
    await createItems('replaced_index');
    await done(source.createIndex(flat('replaced_index', 'FLAT')));
    expect(await task.untilLevel(), task.lines.join('\n')).toBe(0);
    expect(await indexTypes(target, 'replaced_index')).toEqual(['FLAT']);

    await done(
      source.dropIndex({ collection_name: 'replaced_index', field_name: 'embedding', index_name: 'by_distance' }),
    );
    await done(source.createIndex(flat('replaced_index', 'IVF_FLAT')));
    expect(await task.untilLevel(), task.lines.join('\n')).toBe(0);
    expect(await indexTypes(target, 'replaced_index')).toEqual(['IVF_FLAT']);
    // And once more with nothing new: what has been done is not done again.
    expect(await task.untilLevel(), task.lines.join('\n')).toBe(0);
    expect(await indexTypes(target, 'replaced_index')).toEqual(['IVF_FLAT']);
  });

  it('a partition of a loaded collection is dropped and made again under its name, empty partitions included', async () => {
    const name = 'replaced_partition';
    await createItems(name);
    await done(source.createIndex(flat(name, 'FLAT')));
    await done(source.createPartition({ collection_name: name, partition_name: 'p' }));
    await done(source.createPartition({ collection_name: name, partition_name: 'empty' }));
    await done(source.loadCollection({ collection_name: name }));
    const rows = (from: number, count: number) =>
      Array.from({ length: count }, (_, index) => ({ id: from + index, embedding: [index, 1, 2, 3] }));
    await done(source.insert({ collection_name: name, partition_name: 'p', data: rows(0, 50) }));
    await done(source.insert({ collection_name: name, data: rows(1_000, 10) }));
    expect(await task.untilLevel(), task.lines.join('\n')).toBe(0);

    await done(source.releasePartitions({ collection_name: name, partition_names: ['p'] }));
    await done(source.dropPartition({ collection_name: name, partition_name: 'p' }));
    await done(source.createPartition({ collection_name: name, partition_name: 'p' }));
    await done(source.insert({ collection_name: name, partition_name: 'p', data: rows(100, 7) }));
    expect(await task.untilLevel(), task.lines.join('\n')).toBe(0);

    const partitions = await target.showPartitions({ collection_name: name });
    expect([...partitions.partition_names].sort()).toEqual(['_default', 'empty', 'p']);
    const answer = await target.query({
      collection_name: name,
      output_fields: ['id'],
      filter: 'id >= 0',
      consistency_level: ConsistencyLevelEnum.Strong,
    });
    const keys = answer.data.map(({ id }) => Number(id)).sort((a, b) => a - b);
    expect(keys).toEqual([100, 101, 102, 103, 104, 105, 106, ...rows(1_000, 10).map(({ id }) => id)]);
  });
});
