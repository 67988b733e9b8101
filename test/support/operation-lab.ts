/** A real pair with a served task between it, and what tests of operations ask of both sides. */
import { ConsistencyLevelEnum, DataType, MilvusClient } from '@zilliz/milvus2-sdk-node';
import { join } from 'node:path';
import { startLab, type Lab, type LabOptions, type LabSide } from '../../electron/core/lab/lab.ts';
import { openDatabase } from '../../electron/core/store/database.ts';
import { ProtectionStore } from '../../electron/core/store/protection-store.ts';
import { STORE_FILE } from '../../shared/contract/desktop.ts';
import type { OperationEvent } from '../../shared/model/operation-event.ts';
import {
  compileMapping,
  nameMappingSchema,
  type NameMapping,
  type NameMappingInput,
} from '../../shared/model/name-mapping.ts';
import type { OperationSettings } from '../../shared/model/operation-policy.ts';
import { ServedTask } from './served-task.ts';

const EVENTS_MAX = 20_000;

export const clientOf = ({ asTarget: { milvus } }: LabSide, signIn = milvus, database?: string): MilvusClient =>
  // Passwords would be printed at the level that the client takes under a test runner.
  new MilvusClient({
    address: milvus.address,
    username: signIn.username ?? '',
    password: signIn.password ?? '',
    logLevel: 'error',
    ...(database === undefined ? {} : { database }),
  });

interface Answer {
  readonly error_code?: string | number;
  readonly reason?: string;
}

/** Throws what the server refuses with. */
export async function done<T extends Answer | { status: Answer }>(call: Promise<T>): Promise<T> {
  const answer = await call;
  const { error_code, reason } = 'status' in answer ? answer.status : answer;
  if (error_code !== 'Success') throw new Error(`${String(error_code)}: ${reason ?? ''}`);
  return answer;
}

export interface OperationLabOptions {
  readonly operations?: OperationSettings;
  readonly settings?: LabOptions['settings'];
  readonly mapping?: NameMappingInput;
}

export class OperationLab implements AsyncDisposable {
  readonly lab: Lab;
  readonly source: MilvusClient;
  readonly task: ServedTask;
  readonly mapping: NameMapping;
  #target: MilvusClient | undefined;

  private constructor(lab: Lab, task: ServedTask, mapping: NameMappingInput) {
    this.lab = lab;
    this.task = task;
    this.mapping = nameMappingSchema.parse(mapping);
    this.source = clientOf(lab.source);
  }

  static async begin({ operations = {}, settings, mapping = {} }: OperationLabOptions = {}): Promise<OperationLab> {
    const lab = await startLab({ purpose: 'throwaway', settings });
    // What is tried here is the log: its operations, from the first on.
    const start = { kind: 'creation' } as const;
    const task = await ServedTask.create({
      source: lab.source.asSource,
      target: lab.target.asTarget,
      start,
      operations,
      mapping,
    });
    return new OperationLab(lab, task, mapping);
  }

  /** In the database that the source's `default` is there, which must have been made. */
  get target(): MilvusClient {
    this.#target ??= clientOf(this.lab.target, undefined, this.targetDatabaseOf('default'));
    return this.#target;
  }

  readonly targetDatabaseOf = (database: string): string => compileMapping(this.mapping).database(database);

  /** The newest first. The program must not run. */
  events(): readonly OperationEvent[] {
    using database = openDatabase(join(this.task.directory, STORE_FILE));
    return new ProtectionStore(database).operations('served', EVENTS_MAX);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.source.closeConnection(), this.#target?.closeConnection()]);
    await this.task[Symbol.asyncDispose]();
    await this.lab.stop();
  }
}

export interface Named {
  readonly name: string;
  readonly database?: string;
}

const inDatabase = ({ name, database }: Named) => ({
  collection_name: name,
  ...(database === undefined ? {} : { db_name: database }),
});

export async function createItems(client: MilvusClient, named: Named, shards_num = 1): Promise<void> {
  const fields = [
    { name: 'id', data_type: DataType.Int64, is_primary_key: true },
    { name: 'embedding', data_type: DataType.FloatVector, dim: 4 },
  ];
  await done(client.createCollection({ ...inDatabase(named), fields, shards_num }));
}

export const index = (named: Named) => ({
  ...inDatabase(named),
  field_name: 'embedding',
  index_name: 'by_distance',
  index_type: 'FLAT',
  metric_type: 'L2',
});

export const rows = (from: number, count: number) =>
  Array.from({ length: count }, (_, offset) => ({ id: from + offset, embedding: [offset, 1, 2, 3] }));

/** Loaded collections only. */
export async function idsOf(client: MilvusClient, { name }: Named, filter = 'id >= 0'): Promise<number[]> {
  const { data } = await done(
    client.query({
      collection_name: name,
      output_fields: ['id'],
      filter,
      consistency_level: ConsistencyLevelEnum.Strong,
      limit: 16_000,
    }),
  );
  return data.map(({ id }) => Number(id)).sort((a, b) => a - b);
}

export const indexParams = async (client: MilvusClient, named: Named): Promise<Record<string, string>> => {
  const answer = await client.describeIndex(inDatabase(named));
  return Object.fromEntries(
    answer.index_descriptions.flatMap(({ params }) => params.map(({ key, value }) => [key, String(value)])),
  );
};

export const loadState = async (client: MilvusClient, { name }: Named, partitions: string[] = []): Promise<string> =>
  (await client.getLoadState({ collection_name: name, partition_names: partitions })).state;
