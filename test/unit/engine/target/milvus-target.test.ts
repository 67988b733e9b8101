/** The target against a server of ours that answers as told: what no real server can be made to do at will. */
import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { outcomeOf } from '../../../../electron/engine/errors/policy.ts';
import { parseMilvusAddress } from '../../../../electron/engine/milvus/milvus-rpc.ts';
import { openMilvusTarget } from '../../../../electron/engine/target/milvus-target.ts';
import type { Target } from '../../../../electron/engine/target/target.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import { decodeRequest, encodeMessage } from '../../../support/milvus-messages.ts';

interface Call {
  readonly name: string;
  readonly request: Buffer;
  readonly metadata: grpc.Metadata;
}
type Answer = Uint8Array | 'silence';

let server: grpc.Server;
let address: string;
let target: Target;
let calls: Call[];
let answer: (call: Call) => Answer;
const never = new AbortController().signal;

const bytes = (value: Buffer): Buffer => value;
const CALL_NAMES = [
  'Insert',
  'Upsert',
  'Delete',
  'GetVersion',
  'CheckHealth',
  'ReplicateMessage',
  'CreateIndex',
  'AddCollectionField',
  'AlterCollection',
  'AlterCollectionField',
  'DescribeCollection',
];

function serviceOf(names: readonly string[]): grpc.ServiceDefinition {
  const method = (name: string): grpc.MethodDefinition<Buffer, Buffer> => ({
    path: `/milvus.proto.milvus.MilvusService/${name}`,
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  });
  return Object.fromEntries(names.map((name) => [name, method(name)]));
}

beforeEach(async () => {
  calls = [];
  server = new grpc.Server();
  const handlers = CALL_NAMES.map((name): [string, grpc.handleUnaryCall<Buffer, Buffer>] => [
    name,
    ({ request, metadata }, respond) => {
      const call = { name, request, metadata };
      calls.push(call);
      const answered = answer(call);
      if (answered !== 'silence') respond(null, Buffer.from(answered));
    },
  ]);
  server.addService(serviceOf(CALL_NAMES), Object.fromEntries(handlers));
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  address = `127.0.0.1:${port}`;
  target = openMilvusTarget({ address, username: 'root', password: 'secret' }, { timeouts: { writeMs: 200 } });
});

afterEach(async () => {
  await target.close();
  server.forceShutdown();
});

const mutation = (counts: object): Uint8Array => encodeMessage('MutationResult', { status: {}, ...counts });
const status = (code: number, reason: string): Uint8Array => encodeMessage('common.Status', { code, reason });
const rows = { database: 'default', collection: 'c', partition: '', rowCount: 3, fields: [] };
const int64Delete = (count: number) => ({
  ...{ database: 'default', collection: 'c', partition: 'p', keyField: 'id' },
  keys: { type: 'int64', values: new BigInt64Array(count) } as const,
});

async function failure(attempt: Promise<unknown>): Promise<ReplicationError> {
  const error: unknown = await attempt.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof ReplicationError) return error;
  throw new Error('It did not fail with an error of ours.', { cause: error });
}

describe('a write', () => {
  it('is confirmed when the target counts every row', async () => {
    answer = ({ name }) => mutation(name === 'Insert' ? { insertCnt: 3 } : { upsertCnt: 3 });
    await target.insert(rows, never);
    await target.upsert(rows, never);
    expect(calls.map(({ name }) => name)).toEqual(['Insert', 'Upsert']);
  });

  it('signs in with every call', async () => {
    answer = () => mutation({ insertCnt: 3 });
    await target.insert(rows, never);
    expect(calls[0]?.metadata.get('authorization')).toEqual([Buffer.from('root:secret').toString('base64')]);
  });

  it('is not confirmed when the target counts fewer rows, and its outcome is open', async () => {
    answer = () => mutation({ insertCnt: 2, upsertCnt: 2, deleteCnt: 2 });
    for (const attempt of [
      target.insert(rows, never),
      target.upsert(rows, never),
      target.delete(int64Delete(3), never),
    ]) {
      const error = await failure(attempt);
      expect(error).toMatchObject({ code: 'unknown', side: 'target', context: { confirmed: 2 } });
      expect(outcomeOf(error)).toBe('unknown');
    }
  });

  it('that is not answered in time has an open outcome', async () => {
    answer = () => 'silence';
    const error = await failure(target.insert(rows, never));
    expect(error).toMatchObject({
      code: 'timeout',
      message: `The target at ${address} did not answer Insert within 0.2 s. Check its load and its log.`,
      context: { collection: 'c', rowCount: 3 },
    });
    expect(outcomeOf(error)).toBe('unknown');
  });

  it('that is cancelled while under way ends with the reason of the signal', async () => {
    const cancelling = new AbortController();
    const reason = new Error('Paused.');
    answer = () => {
      cancelling.abort(reason);
      return 'silence';
    };
    await expect(target.insert(rows, cancelling.signal)).rejects.toBe(reason);
  });

  it('that is refused within its status fails with what the status says', async () => {
    answer = () =>
      encodeMessage('MutationResult', { status: { code: 100, errorCode: 4, reason: 'collection not found' } });
    const error = await failure(target.insert(rows, never));
    expect([error.code, outcomeOf(error)]).toEqual(['notFound', 'refused']);
  });
});

describe('a delete of several pieces', () => {
  it('sends them one after the other', async () => {
    answer = ({ request }) => mutation({ deleteCnt: calls.length === 1 ? 10_000 : 5, timestamp: request.length });
    await target.delete(int64Delete(10_005), never);
    expect(calls.map(({ request }) => decodeRequest('DeleteRequest', request)['partitionName'])).toEqual(['p', 'p']);
  });

  it('has an open outcome when a later piece is refused', async () => {
    answer = () =>
      calls.length === 1
        ? mutation({ deleteCnt: 10_000 })
        : encodeMessage('MutationResult', { status: { code: 8, errorCode: 49, reason: 'rate limit exceeded' } });
    const error = await failure(target.delete(int64Delete(10_005), never));
    expect(error).toMatchObject({ code: 'rateLimited', context: { deletedCount: 10_000 } });
    expect(outcomeOf(error)).toBe('unknown');
  });
});

describe('a probe', () => {
  const version = encodeMessage('GetVersionResponse', { status: {}, version: 'v2.6.1' });
  const healthy = encodeMessage('CheckHealthResponse', { status: {}, isHealthy: true });

  it('is content with a server that knows neither of its refinements', async () => {
    answer = ({ name }) =>
      name === 'GetVersion' ? version : encodeMessage('ReplicateMessageResponse', { status: { code: 10 } });
    expect(await target.probe(never)).toEqual({ version: 'v2.6.1' });
  });

  it('tells an unhealthy server from a healthy one', async () => {
    const unhealthy = encodeMessage('CheckHealthResponse', {
      status: {},
      isHealthy: false,
      reasons: ['node 5 is gone'],
    });
    const notMirror = encodeMessage('ReplicateMessageResponse', { status: { code: 1900, errorCode: 1 } });
    let health = unhealthy;
    answer = ({ name }) => ({ GetVersion: version, CheckHealth: health })[name] ?? notMirror;
    expect(await failure(target.probe(never))).toMatchObject({
      code: 'notReady',
      message: expect.stringContaining('node 5 is gone') as string,
    });
    health = healthy;
    expect(await target.probe(never)).toEqual({ version: 'v2.6.1' });
  });
});

describe('an operation', () => {
  it('reaches the target without the base of the source', async () => {
    answer = () => status(0, '');
    const request = { dbName: 'd', collectionName: 'c', fieldName: 'v' };
    await target.createIndex(encodeMessage('CreateIndexRequest', { base: { msgID: 7 }, ...request }), never);
    expect(decodeRequest('CreateIndexRequest', calls[0]?.request ?? Buffer.alloc(0))).toEqual(request);
  });
});

describe('the address of a target', () => {
  it.each([
    ['127.0.0.1:19530', '127.0.0.1:19530', false],
    ['milvus.example.com', 'milvus.example.com:19530', false],
    ['http://milvus:80', 'milvus:80', false],
    ['https://milvus.example.com:443', 'milvus.example.com:443', true],
    ['tcp://10.0.0.1:19530/', '10.0.0.1:19530', false],
    ['[::1]:19530', '[::1]:19530', false],
  ])('may be written %s', (written, read, isTls) => {
    expect(parseMilvusAddress(written)).toEqual({ target: read, isTls });
  });

  it.each(['', 'host:port', 'ftp://host:1', 'http://user:secret@host:1', 'a b'])('may not be written %j', (written) => {
    expect(() => parseMilvusAddress(written)).toThrow(
      expect.objectContaining({ code: 'invalidConfig', side: 'config' }),
    );
    expect(() => parseMilvusAddress(written)).not.toThrow(/secret/);
  });
});

describe('a field that is added', () => {
  const field = { name: 'colour', dataType: 21, nullable: true, typeParams: [{ key: 'max_length', value: '64' }] };
  const given = encodeMessage('schema.FieldSchema', { ...field, fieldID: 105 });
  const at = { database: 'default', collection: 'c' };
  const server = (version: string, added: Uint8Array, fields: readonly object[]): typeof answer => {
    return ({ name }) => {
      if (name === 'GetVersion') return encodeMessage('GetVersionResponse', { status: {}, version });
      if (name === 'AddCollectionField') return added;
      return encodeMessage('DescribeCollectionResponse', { status: {}, schema: { name: 'c', fields } });
    };
  };
  const taken = status(1100, 'duplicated field name colour: invalid parameter');

  it('is asked for as the source has it, but for the id', async () => {
    answer = server('2.6.2', status(0, ''), []);
    await target.addField(at, given, never);
    const request = calls.find(({ name }) => name === 'AddCollectionField')?.request ?? Buffer.alloc(0);
    const body = decodeRequest('AddCollectionFieldRequest', request);
    expect(body).toMatchObject({ dbName: 'default', collectionName: 'c' });
    expect(decodeRequest('schema.FieldSchema', body['schema'] as Uint8Array)).toEqual(field);
  });

  it('is there where the same field is there already, and not where it is another one of the name', async () => {
    answer = server('2.6.2', taken, [field]);
    await target.addField(at, given, never);
    answer = server('2.6.2', taken, [{ ...field, dataType: 5 }]);
    expect(await failure(target.addField(at, given, never))).toMatchObject({ code: 'invalidRequest', side: 'target' });
  });

  it('is not asked of a server before 2.6', async () => {
    answer = server('v2.5.4', status(0, ''), []);
    const error = await failure(target.addField(at, given, never));
    expect(error).toMatchObject({ code: 'unsupported', side: 'target' });
    expect(error.message).toMatch(
      /is Milvus 2.5.4 and cannot hold default.c: its new field colour can be added from 2.6 on/,
    );
    expect(calls.map(({ name }) => name)).toEqual(['GetVersion']);
  });
});

describe('a setting of a field', () => {
  const at = { database: 'd', collection: 'c' };
  const longer = [{ key: 'max_length', value: '128' }];
  it('is altered by the name of the field', async () => {
    answer = () => status(0, '');
    await target.alterField(at, 'v', longer, never);
    const { request } = calls.find(({ name }) => name === 'AlterCollectionField') ?? {};
    expect(decodeRequest('AlterCollectionFieldRequest', request ?? Buffer.alloc(0))).toEqual({
      ...{ dbName: 'd', collectionName: 'c', fieldName: 'v', properties: longer },
    });
  });

  it('is read with the collection', async () => {
    const fields = [
      { name: 'v', dataType: 21, typeParams: longer },
      { name: 'id', dataType: 5 },
    ];
    const schema = { name: 'c', fields };
    answer = () => encodeMessage('DescribeCollectionResponse', { status: {}, collectionID: '7', schema });
    const found = await target.readProperties(at, never);
    expect(found?.fields).toEqual(
      new Map([
        ['v', new Map([['max_length', '128']])],
        ['id', new Map()],
      ]),
    );
  });
});

describe('properties that are taken away', () => {
  const at = { database: 'd', collection: 'c' };
  const TTL = { key: 'collection.ttl.seconds', value: '60' };
  const MMAP = { key: 'mmap.enabled', value: 'true' };
  /** A collection that has `left` when it is asked. */
  const server = (version: string, left: readonly object[], altered = status(0, '')): typeof answer => {
    return ({ name }) => {
      if (name === 'GetVersion') return encodeMessage('GetVersionResponse', { status: {}, version });
      if (name === 'AlterCollection') return altered;
      return encodeMessage('DescribeCollectionResponse', { status: {}, collectionID: '7', properties: left });
    };
  };
  const altered = () =>
    calls
      .filter(({ name }) => name === 'AlterCollection')
      .map(({ request }) => decodeRequest('AlterCollectionRequest', request));

  it('are named in one request, with nothing to be set beside them', async () => {
    answer = server('2.5.4', []);
    await target.removeProperties(at, [TTL.key, MMAP.key], never);
    expect(altered()).toEqual([{ dbName: 'd', collectionName: 'c', deleteKeys: [TTL.key, MMAP.key] }]);
  });

  it.each([
    ['does not know of that, and is not asked', 'v2.3.5', 1],
    ['passes the list over', '2.4.1', 2],
  ])('let no row expire at a server that %s', async (_what, version, requests) => {
    answer = server(version, [TTL]);
    await target.removeProperties(at, [TTL.key], never);
    expect(altered()).toHaveLength(requests);
    expect(altered().at(-1)).toMatchObject({ properties: [{ key: TTL.key, value: '0' }] });
  });

  it('and are still there are named, when the lifetime of rows is off', async () => {
    answer = server('v2.3.5', [TTL, MMAP]);
    const error = await failure(target.removeProperties(at, [TTL.key, MMAP.key], never));
    expect(error).toMatchObject({ code: 'unsupported', context: { outcome: 'refused' } });
    expect(error.message).toMatch(/cannot take away properties of d\.c: mmap\.enabled\./);
    expect(altered()).toMatchObject([{ properties: [{ key: TTL.key, value: '0' }] }]);
  });

  it('and refused are refused by the words of the server', async () => {
    answer = server('2.5.4', [MMAP], status(1100, 'can not delete mmap properties if collection loaded'));
    const error = await failure(target.removeProperties(at, [MMAP.key], never));
    expect(error.message).toMatch(/can not delete mmap properties/);
  });
});
