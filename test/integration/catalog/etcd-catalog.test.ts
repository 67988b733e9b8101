/** The catalog against the etcd of a real Milvus of the embedded lab. */
import { once } from 'node:events';
import { connect as connectSocket, createServer, type AddressInfo, type Socket } from 'node:net';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { DataType, MilvusClient } from '@zilliz/milvus2-sdk-node';
import { Etcd3 } from 'etcd3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startLab, type Lab } from '../../../electron/core/lab/lab.ts';
import { parseCollectionSchema } from '../../../electron/engine/codec/collection-schema.ts';
import { withoutGeneratedKeys } from '../../../electron/engine/codec/schema-rewrite.ts';
import type { Catalog, CatalogCollection } from '../../../electron/engine/source/catalog/catalog.ts';
import { openEtcdCatalog } from '../../../electron/engine/source/catalog/etcd-catalog.ts';
import { asCollectionId } from '../../../shared/model/ids.ts';
import type { EtcdEndpoint } from '../../../shared/model/connection.ts';
import { encodeAs, decodeAs } from '../../support/golden-messages.ts';

const WAIT_MS = 10_000;
/** Bad input is told within this time. */
const REFUSAL_MS = 5_000;

const vector = { name: 'embedding', data_type: DataType.FloatVector, dim: 2 };
const key = { name: 'id', data_type: DataType.Int64, is_primary_key: true };

let lab: Lab;
let milvus: MilvusClient;
let endpoint: EtcdEndpoint;
let catalog: Catalog;

/** Whoever was opened is closed, the last one first, even when the start failed half-way. */
const opened: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  lab = await startLab({ purpose: 'throwaway' });
  opened.unshift(() => lab.stop());
  const { address, username, password } = lab.source.asTarget.milvus;
  milvus = new MilvusClient({ address, username: username ?? '', password: password ?? '' });
  opened.unshift(() => milvus.closeConnection());
  endpoint = lab.source.asSource.etcd;
  catalog = openEtcdCatalog(endpoint);
  opened.unshift(() => catalog.close());
});

afterAll(async () => {
  for (const close of opened) await close();
});

async function find(name: string): Promise<CatalogCollection | undefined> {
  return (await catalog.snapshot()).collections.find((collection) => collection.name === name);
}

async function until<T>(what: string, ask: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`Waited ${WAIT_MS} ms for ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('snapshot', () => {
  test('has the default database of an empty cluster', async () => {
    const snapshot = await catalog.snapshot();
    expect(snapshot.databases).toMatchObject([{ id: 1n, name: 'default' }]);
    expect(snapshot.revision).toBeGreaterThan(0n);
    expect(await catalog.clusterId()).toMatch(/^\d+$/);
  });

  test('tells apart equal names in two databases, and finds each by its id', async () => {
    await milvus.createDatabase({ db_name: 'other' });
    for (const db_name of ['default', 'other']) {
      await milvus.createCollection({ db_name, collection_name: 'twin', shards_num: 2, fields: [key, vector] });
    }
    const twins = (await catalog.snapshot()).collections.filter(({ name }) => name === 'twin');
    expect(twins.map(({ database }) => database).sort()).toEqual(['default', 'other']);
    for (const twin of twins) expect(await catalog.collection(twin.id)).toEqual(twin);
  });

  test('no longer has a collection once it is dropped, and has the new one of the same name', async () => {
    await milvus.createCollection({ collection_name: 'again', shards_num: 1, fields: [key, vector] });
    const first = await find('again');
    await milvus.dropCollection({ collection_name: 'again' });
    expect(await find('again')).toBeUndefined();
    expect(first && (await catalog.collection(first.id))).toBe('gone');
    expect(first && (await catalog.databaseOfGone(first.id))).toBe('default');
    await milvus.createCollection({ collection_name: 'again', shards_num: 1, fields: [key, vector] });
    expect((await find('again'))?.id).not.toBe(first?.id);
    expect(await catalog.collection(asCollectionId(5n))).toBeUndefined();
    expect(await catalog.databaseOfGone(asCollectionId(5n))).toBeUndefined();
    expect(await catalog.loadFields(asCollectionId(5n))).toBeUndefined();
  });

  test('tells whether a collection has changed since, also where it bears its old name again', async () => {
    await milvus.createCollection({ collection_name: 'renamed', shards_num: 1, fields: [key, vector] });
    const first = await find('renamed');
    if (first === undefined) throw new Error('It is not there.');
    expect(await catalog.isUnchanged(first)).toBe(true);
    await milvus.renameCollection({ collection_name: 'renamed', new_collection_name: 'for_a_moment' });
    expect(await catalog.isUnchanged(first)).toBe(false);
    await milvus.renameCollection({ collection_name: 'for_a_moment', new_collection_name: 'renamed' });
    expect(await catalog.isUnchanged(first)).toBe(false);
    const again = await find('renamed');
    expect(again && (await catalog.isUnchanged(again))).toBe(true);
    await milvus.dropCollection({ collection_name: 'renamed' });
    expect(again && (await catalog.isUnchanged(again))).toBe(false);
  });

  test('reads more keys than fit on one page', async () => {
    const client = new Etcd3({ hosts: [...endpoint.endpoints] });
    const root = 'paged';
    const meta = `${root}/meta/root-coord/database/db-info`;
    const database = Buffer.from([0x12, 0x01, 0x61, 0x18, 0x05, 0x20, 0x01]);
    for (let id = 0; id < 1_100; id += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, at) => client.put(`${meta}/${id + at}`).value(database)));
    }
    const paged = openEtcdCatalog({ ...endpoint, rootPath: root });
    expect((await paged.snapshot()).databases).toHaveLength(1_100);
    await paged.close();
    await client.delete().prefix(`${root}/`);
    client.close();
  });
});

describe('a schema of the catalog', () => {
  /** The public call with the schema as bytes. */
  async function create(schema: Uint8Array, name: string): Promise<{ code: number; reason: string }> {
    const { address, username, password } = lab.target.asTarget.milvus;
    const client = new Client(address, credentials.createInsecure());
    const metadata = new Metadata();
    metadata.set('authorization', Buffer.from(`${username}:${password}`).toString('base64'));
    const request = encodeAs('milvus.CreateCollectionRequest', {
      collectionName: name,
      schema: Buffer.from(schema).toString('base64'),
      shardsNum: 1,
    });
    const answer = await new Promise<Buffer>((resolve, reject) => {
      client.makeUnaryRequest(
        '/milvus.proto.milvus.MilvusService/CreateCollection',
        (value: Buffer) => value,
        (value: Buffer) => value,
        Buffer.from(request),
        metadata,
        (error, value) =>
          error === null && value !== undefined ? resolve(value) : reject(error ?? new Error('Empty.')),
      );
    });
    client.close();
    const status = decodeAs('common.Status', answer) as { code?: number; reason?: string };
    return { code: status.code ?? 0, reason: status.reason ?? '' };
  }

  test('is taken by another server once its generated keys are off, and refused as it stands', async () => {
    await milvus.createCollection({
      collection_name: 'generated',
      shards_num: 1,
      enableDynamicField: true,
      fields: [{ ...key, autoID: true }, vector],
    });
    const collection = await until('the collection', () => find('generated'));
    const refused = await create(collection.schema, 'generated');
    expect(refused.code).not.toBe(0);
    const schema = withoutGeneratedKeys(collection.schema);
    if (!(schema instanceof Uint8Array)) throw new Error(schema.what);
    expect(await create(schema, 'generated')).toEqual({ code: 0, reason: '' });

    const target = openEtcdCatalog(lab.target.asSource.etcd);
    const made = (await target.snapshot()).collections.find(({ name }) => name === 'generated');
    await target.close();
    const source = parseCollectionSchema(collection.schema);
    const copy = made && parseCollectionSchema(made.schema);
    if (copy === undefined || 'kind' in copy || 'kind' in source) throw new Error('The copy cannot be read.');
    expect(copy).toMatchObject({ autoId: false, enableDynamicField: true });
    expect(copy.fields.map(({ name }) => name)).toEqual(source.fields.map(({ name }) => name));
  });
});

/** A way to the etcd that can be cut. */
async function openGate(): Promise<{ address: string; cut(): void; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const [host = '', port = ''] = (endpoint.endpoints[0] ?? '').replace(/^.*:\/\//, '').split(':');
  const server = createServer((socket) => {
    const inner = connectSocket(Number(port), host);
    for (const side of [socket, inner]) {
      sockets.add(side);
      side.on('error', () => side.destroy()).on('close', () => sockets.delete(side));
    }
    socket.pipe(inner).pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => sockets.forEach((socket) => socket.destroy());
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    close: async () => {
      server.close();
      cut();
      await once(server, 'close');
    },
  };
}

describe('watch', () => {
  test('tells of new collections and partitions, also after the connection was cut', async () => {
    const gate = await openGate();
    const watched = openEtcdCatalog({ ...endpoint, endpoints: [gate.address] });
    const stop = new AbortController();
    let calls = 0;
    watched.watch(() => (calls += 1), stop.signal);
    const next = async (what: string): Promise<void> => {
      const before = calls;
      await until(what, () => (calls > before ? true : undefined));
    };

    await until('the watch to stand', () => (calls > 0 ? true : undefined));
    const told = next('news of the collection');
    await milvus.createCollection({ collection_name: 'watched', shards_num: 1, fields: [key, vector] });
    await told;

    const again = next('the call after the cut');
    gate.cut();
    await again;
    const toldOfPartition = next('news of the partition');
    await milvus.createPartition({ collection_name: 'watched', partition_name: 'p' });
    await toldOfPartition;

    stop.abort();
    await watched.close();
    await gate.close();
  });

  test('close ends a watch that nobody aborted', async () => {
    const watched = openEtcdCatalog(endpoint);
    let calls = 0;
    watched.watch(() => (calls += 1), new AbortController().signal);
    await until('the watch to stand', () => (calls > 0 ? true : undefined));
    await watched.close();
    const before = calls;
    await milvus.createCollection({ collection_name: 'unseen', shards_num: 1, fields: [key, vector] });
    await find('unseen');
    expect(calls).toBe(before);
  });
});

describe('bad input', () => {
  async function refusal(change: Partial<EtcdEndpoint>): Promise<unknown> {
    const refused = openEtcdCatalog({ ...endpoint, ...change });
    const began = performance.now();
    try {
      return await refused.snapshot().then(
        () => 'no error',
        (error: unknown) => error,
      );
    } finally {
      expect(performance.now() - began).toBeLessThan(REFUSAL_MS);
      await refused.close();
    }
  }

  test('a wrong root path names those that hold a Milvus', async () => {
    const error = await refusal({ rootPath: 'no-such-root' });
    expect(error).toMatchObject({ code: 'rootPathNotFound', side: 'source' });
    expect((error as Error).message).toContain(`${endpoint.rootPath}/${endpoint.metaSubPath}`);
  });

  test('an address where nobody listens is unreachable', async () => {
    expect(await refusal({ endpoints: ['127.0.0.1:1'] })).toMatchObject({ code: 'unreachable' });
  });

  test('one dead address of two does no harm', async () => {
    expect(await refusal({ endpoints: ['127.0.0.1:1', ...endpoint.endpoints] })).toBe('no error');
  });

  test('a server that takes the connection and stays silent is unreachable', async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket.on('error', () => socket.destroy())));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    expect(await refusal({ endpoints: [`127.0.0.1:${port}`] })).toMatchObject({ code: 'unreachable' });
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  test('users where there are none, a wrong password and a missing grant are told apart', async () => {
    expect(await refusal({ username: 'root', password: 'secret' })).toMatchObject({ code: 'unauthenticated' });
    // The target's etcd, so that the source's Milvus is not locked out of its own; put back at the end.
    const hosts = [...lab.target.asSource.etcd.endpoints];
    const open = new Etcd3({ hosts });
    const target = lab.target.asSource.etcd;
    await open.user('root').create('right');
    await open.role('root').create();
    await open.user('root').addRole('root');
    await open.user('guest').create('right');
    await open.auth.authEnable();
    try {
      expect(await refusal({ ...target })).toMatchObject({ code: 'unauthenticated' });
      const wrong = await refusal({ ...target, username: 'root', password: 'not-this-one' });
      expect(wrong).toMatchObject({ code: 'unauthenticated' });
      expect(JSON.stringify(wrong)).not.toContain('not-this-one');
      expect(await refusal({ ...target, username: 'guest', password: 'right' })).toMatchObject({
        code: 'permissionDenied',
      });
      expect(await refusal({ ...target, username: 'root', password: 'right' })).toBe('no error');
    } finally {
      const root = new Etcd3({ hosts, auth: { username: 'root', password: 'right' } });
      await root.auth.authDisable();
      root.close();
      open.close();
    }
  });
});
