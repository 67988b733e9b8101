/**
 * Records the golden bytes under test/golden from a real Milvus of the embedded lab: one message of every kind that the
 * log and the operation channel carry, and the keys of the catalog. Run it again with Node 24 when a kind is missing:
 *
 *     node test/support/record-golden.ts
 *
 * It starts a lab of its own, performs every operation once, writes the files and stops the lab. What is expected of
 * each message is worked out with protobufjs (golden-messages.ts), never with the product's own decoder.
 */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { DataType, MilvusClient } from '@zilliz/milvus2-sdk-node';
import { Etcd3 } from 'etcd3';
import { startLab, type LabSide } from '../../electron/core/lab/lab.ts';
import { decodeAs, encodeAs, expectedRecord, readBase } from './golden-messages.ts';

const GOLDEN = new URL('../golden', import.meta.url).pathname;

const TIMEOUT_MS = 30_000;

async function must<T>(what: string, call: Promise<T>): Promise<T> {
  const answer = await call;
  const status = (answer as { status?: unknown }).status ?? answer;
  const { code, reason } = status as { code?: number; reason?: string };
  if (code !== undefined && code !== 0) throw new Error(`${what}: ${code} ${reason ?? ''}`);
  return answer;
}

const allTypes = [
  { name: 'id', data_type: DataType.Int64, is_primary_key: true },
  { name: 'tiny', data_type: DataType.Int8 },
  { name: 'small', data_type: DataType.Int16 },
  { name: 'medium', data_type: DataType.Int32 },
  { name: 'large', data_type: DataType.Int64 },
  { name: 'single', data_type: DataType.Float },
  { name: 'twice', data_type: DataType.Double },
  { name: 'flag', data_type: DataType.Bool },
  { name: 'text', data_type: DataType.VarChar, max_length: 64 },
  { name: 'json', data_type: DataType.JSON },
  { name: 'numbers', data_type: DataType.Array, element_type: DataType.Int64, max_capacity: 8 },
  { name: 'words', data_type: DataType.Array, element_type: DataType.VarChar, max_capacity: 8, max_length: 16 },
  { name: 'embedding', data_type: DataType.FloatVector, dim: 4 },
];

const row = (id: number): Record<string, never> =>
  ({
    id: `${id}`,
    tiny: -id,
    small: 300 * id,
    medium: -70_000 * id,
    // Beyond what a JavaScript number holds exactly.
    large: `${9_007_199_254_740_993n + BigInt(id)}`,
    single: 0.5 * id,
    twice: 0.1 * id,
    flag: id % 2 === 0,
    text: `zeile ${id} – ü`,
    json: { id, nested: { list: [1, 'two'] } },
    numbers: [id, -id],
    words: ['a', `b${id}`],
    embedding: [id, 0.25, -1, 0],
    extra: `dynamic ${id}`,
  }) as unknown as Record<string, never>;

/** Everything that exists when the catalog is dumped. */
async function build(client: MilvusClient): Promise<void> {
  await must('createDatabase', client.createDatabase({ db_name: 'shop' }));
  const all = { db_name: 'shop', collection_name: 'all_types' };
  await must(
    'create',
    client.createCollection({
      ...all,
      description: 'one field of each type – ü',
      shards_num: 2,
      consistency_level: 'Strong',
      enableDynamicField: true,
      fields: allTypes,
      properties: { 'collection.ttl.seconds': 86_400 },
    }),
  );
  await must(
    'create',
    client.createCollection({
      collection_name: 'binary_keys',
      shards_num: 1,
      num_partitions: 4,
      fields: [
        { name: 'key', data_type: DataType.VarChar, max_length: 32, is_primary_key: true },
        { name: 'tenant', data_type: DataType.VarChar, max_length: 32, is_partition_key: true },
        { name: 'embedding', data_type: DataType.BinaryVector, dim: 16 },
      ],
    }),
  );
  await must(
    'create',
    client.createCollection({
      collection_name: 'auto_ids',
      shards_num: 1,
      fields: [
        { name: 'id', data_type: DataType.Int64, is_primary_key: true, autoID: true },
        { name: 'embedding', data_type: DataType.FloatVector, dim: 2 },
      ],
    }),
  );
  await must('createPartition', client.createPartition({ ...all, partition_name: 'north' }));
  await must('createPartition', client.createPartition({ ...all, partition_name: 'gone' }));
  await must('insert', client.insert({ ...all, partition_name: 'north', data: [1, 2, 3].map(row) }));
  await must('upsert', client.upsert({ ...all, partition_name: 'north', data: [2, 3].map(row) }));
  await must('delete', client.delete({ ...all, ids: [1, 3] }));
  const keys = (n: number): Record<string, never> =>
    ({ key: `k${n}`, tenant: `t${n % 2}`, embedding: [n, 255] }) as unknown as Record<string, never>;
  await must('insert', client.insert({ collection_name: 'binary_keys', data: [1, 2, 3].map(keys) }));
  await must('delete', client.delete({ collection_name: 'binary_keys', filter: 'key in ["k1", "k3"]' }));
  const auto = [{ embedding: [1, 2] }, { embedding: [3, 4] }] as unknown as Record<string, never>[];
  await must('insert', client.insert({ collection_name: 'auto_ids', data: auto }));
  const index = { ...all, field_name: 'embedding', index_name: 'by_embedding' };
  await must('createIndex', client.createIndex({ ...index, index_type: 'FLAT', metric_type: 'L2' }));
  await must('load', client.loadCollection(all));
  await must('flush', client.flush({ db_name: 'shop', collection_names: ['all_types'] }));
  await must('release', client.releaseCollection(all));
  await must('dropPartition', client.dropPartition({ ...all, partition_name: 'gone' }));
  await must('dropIndex', client.dropIndex(index));
  await must('createAlias', client.createAlias({ ...all, alias: 'alias_of_all' }));
  // A database and a collection that are gone leave tombstones in the catalog.
  await must('createDatabase', client.createDatabase({ db_name: 'closed' }));
  await must('dropDatabase', client.dropDatabase({ db_name: 'closed' }));
  const short = [
    { name: 'id', data_type: DataType.Int64, is_primary_key: true },
    { name: 'embedding', data_type: DataType.FloatVector, dim: 2 },
  ];
  await must('create', client.createCollection({ collection_name: 'dropped', shards_num: 1, fields: short }));
  await must('drop', client.dropCollection({ collection_name: 'dropped' }));
}

interface Recorded {
  readonly channel: string;
  readonly sequence: number;
  readonly payload: Uint8Array;
}

async function readLog(manager: JetStreamManager): Promise<Recorded[]> {
  const messages: Recorded[] = [];
  for await (const { config, state } of manager.streams.list()) {
    if (!/-rootcoord-dml_\d+$|-replicate-msg$/.test(config.name)) continue;
    for (let sequence = state.first_seq; state.messages > 0 && sequence <= state.last_seq; sequence += 1) {
      const message = await manager.streams.getMessage(config.name, { seq: sequence });
      if (message !== null) messages.push({ channel: config.name, sequence, payload: message.data });
    }
  }
  return messages;
}

/** Operations reach their channel after the call has returned. */
async function readWholeLog(manager: JetStreamManager): Promise<Recorded[]> {
  const deadline = Date.now() + TIMEOUT_MS;
  for (;;) {
    const messages = await readLog(manager);
    if (messages.some(({ payload }) => readBase(payload).msgType === 1802)) return messages;
    if (Date.now() > deadline) throw new Error('The operation channel never carried the dropped database.');
    await delay(100);
  }
}

const kebab = (name: string): string =>
  name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).replaceAll('_', '-');

function nameOf(payload: Uint8Array): string {
  const base = readBase(payload);
  const record = expectedRecord(payload) as {
    kind: string;
    operation?: string;
    collectionName?: string;
    partitionId?: string;
  };
  if (record.operation !== undefined) return kebab(record.operation);
  const collection = kebab(record.collectionName ?? '');
  switch (record.kind) {
    case 'insert':
      return base.timestamp === undefined ? `upsert-insert-${collection}` : `insert-${collection}`;
    case 'delete':
      return record.partitionId === '-1' ? `delete-${collection}` : `delete-partition-${collection}`;
    case 'createCollection':
      return `create-collection-${collection}`;
    case 'unknown':
      return `unknown-${base.msgType}`;
    default:
      return kebab(record.kind);
  }
}

async function save(name: string, payload: Uint8Array, expected: unknown, origin: string): Promise<void> {
  const file = join(GOLDEN, 'wal', name);
  await writeFile(`${file}.bin`, payload);
  await writeFile(`${file}.json`, `${JSON.stringify({ origin, expected }, undefined, 2)}\n`);
}

/** Damaged on purpose, from a recorded insert. */
async function saveOddOnes(insert: Uint8Array): Promise<void> {
  const malformed = (what: string): unknown => ({ kind: 'malformed', what });
  const changed = (change: (body: Record<string, unknown>) => void): Uint8Array => {
    const body = decodeAs('msg.InsertRequest', insert);
    change(body);
    return encodeAs('msg.InsertRequest', body);
  };
  const origin = 'made from insert-all-types';
  await save('odd-truncated', insert.subarray(0, -7), malformed('of which'), `${origin}: the last 7 bytes cut off`);
  await save('odd-empty', new Uint8Array(), malformed('without base'), 'no byte at all');
  await save(
    'odd-no-base',
    changed((body) => delete body['base']),
    malformed('without base'),
    `${origin}: no base`,
  );
  await save(
    'odd-no-shard-name',
    changed((body) => delete body['shardName']),
    malformed('without shard name'),
    `${origin}: no shardName`,
  );
  await save(
    'odd-row-based',
    changed((body) => (body['version'] = 0)),
    malformed('data version 0'),
    `${origin}: version 0, rows side by side`,
  );
  await save(
    'odd-timestamp-missing',
    changed((body) => (body['timestamps'] = (body['timestamps'] as string[]).slice(1))),
    malformed('timestamps'),
    `${origin}: one row timestamp too few`,
  );
  const unknown = changed((body) => (body['base'] = { ...(body['base'] as object), msgType: 4242 }));
  await save('odd-unknown-type', unknown, expectedRecord(unknown), `${origin}: message type 4242`);
}

async function dumpCatalog(side: LabSide): Promise<void> {
  const { endpoints, rootPath, metaSubPath } = side.asSource.etcd;
  const client = new Etcd3({ hosts: [...endpoints] });
  const answer = await client.getAll().prefix(`${rootPath}/${metaSubPath}/root-coord/`).exec();
  client.close();
  const entries = answer.kvs
    .map(({ key, value }) => [key.toString(), value.toString('base64')] as const)
    .filter(([key]) => /\/root-coord\/(database|partitions|fields)\//.test(key));
  const dump = { metaPath: `${rootPath}/${metaSubPath}`, entries: Object.fromEntries(entries) };
  await writeFile(join(GOLDEN, 'catalog', 'etcd.json'), `${JSON.stringify(dump, undefined, 2)}\n`);
}

async function record(side: LabSide): Promise<void> {
  for (const folder of ['wal', 'catalog']) {
    await mkdir(join(GOLDEN, folder), { recursive: true });
    for (const file of await readdir(join(GOLDEN, folder))) {
      if (/\.(bin|json)$/.test(file)) await rm(join(GOLDEN, folder, file));
    }
  }
  const { address, username, password } = side.asTarget.milvus;
  const client = new MilvusClient({ address, username: username ?? '', password: password ?? '' });
  const { version } = await client.getVersion();
  await build(client);
  await dumpCatalog(side);
  const { wal } = side.asSource;
  if (wal.kind !== 'nats') throw new Error('The recorder reads a log in NATS.');
  const connection = await connect({ servers: [...wal.servers] });
  const messages = await readWholeLog(await jetstreamManager(connection));
  await connection.close();
  await client.closeConnection();

  const seen = new Map<string, Recorded>();
  for (const message of messages) {
    const name = nameOf(message.payload);
    if (!seen.has(name)) seen.set(name, message);
  }
  for (const [name, { channel, sequence, payload }] of seen) {
    await save(name, payload, expectedRecord(payload), `${channel}, sequence ${sequence}`);
  }
  const insert = seen.get('insert-all-types');
  if (insert === undefined) throw new Error('No insert was recorded.');
  await saveOddOnes(insert.payload);
  const note = `# Golden bytes

Recorded from Milvus ${version} (embedded lab, natsmq) with \`node test/support/record-golden.ts\`, which also says what was done.

- \`wal/<name>.bin\` is one message of the log as the broker gave it, \`<name>.json\` where it stood and what it says
  (64-bit numbers as decimal strings, bytes as base64), read with protobufjs. \`odd-*\` were damaged on purpose.
- \`catalog/etcd.json\` holds the keys of the catalog, values as base64: with a dropped partition, collection and database.
`;
  await writeFile(join(GOLDEN, 'NOTE.md'), note);
  process.stdout.write(`${[...seen.keys()].sort().join('\n')}\n`);
}

const lab = await startLab({ purpose: 'throwaway' });
try {
  await record(lab.source);
} finally {
  await lab.stop();
}
