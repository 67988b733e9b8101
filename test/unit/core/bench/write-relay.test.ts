import { once } from 'node:events';
import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { insertedKeys } from '../../../../electron/core/bench/inserted-keys.ts';
import { openWriteRelay, type WriteRelay } from '../../../../electron/core/bench/write-relay.ts';
import { keyColumn, vectorColumn } from '../../../../electron/engine/jobs/bench-columns.ts';
import { encodeRowsRequest } from '../../../../electron/engine/target/insert-request.ts';
import { MilvusRpc } from '../../../../electron/engine/milvus/milvus-rpc.ts';

const INSERT = 'Insert';
/** `milvus.MutationResult`: `insert_cnt` 1; and a `status` whose `error_code` is 1. */
const INSERTED = Uint8Array.of(0x30, 1);
const FULL = Uint8Array.of(0x0a, 2, 8, 1);

/** As the engine sends it. */
function requestOf(first: number, rowCount: number): Uint8Array {
  return encodeRowsRequest({
    database: 'default',
    collection: 'c',
    partition: '_default',
    rowCount,
    fields: [keyColumn(first, rowCount), vectorColumn(new Float32Array(rowCount * 4).fill(0.5), 4)],
  });
}

/** One unpacked gRPC message. */
function frameOf(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(5 + message.byteLength);
  frame.writeUInt32BE(message.byteLength, 1);
  frame.set(message, 5);
  return frame;
}

describe('the keys of an insert', () => {
  it('are read from the request that the engine sends', () => {
    expect(insertedKeys(frameOf(requestOf(126, 4)))).toEqual([126, 127, 128, 129]);
    expect(insertedKeys(frameOf(requestOf(2 ** 40, 1)))).toEqual([2 ** 40]);
  });

  it('are none where there is no such column', () => {
    const request = { database: '', collection: 'c', partition: '', rowCount: 1, fields: [] };
    expect(insertedKeys(frameOf(encodeRowsRequest(request)))).toEqual([]);
  });
});

describe('the relay in front of the target', () => {
  let server: Http2Server;
  let relay: WriteRelay;
  let answer: 'ok' | 'refuse' | 'full' | 'never';
  const sessions = new Set<ServerHttp2Session>();

  beforeEach(async () => {
    answer = 'ok';
    server = createServer();
    server.on('session', (session) => sessions.add(session));
    server.on('stream', (stream) => {
      stream.on('error', () => undefined);
      if (answer === 'never') return;
      const head = { ':status': 200, 'content-type': 'application/grpc' };
      if (answer === 'refuse') {
        stream.respond({ ...head, 'grpc-status': '7', 'grpc-message': 'not you' }, { endStream: true });
        return;
      }
      stream.respond(head, { waitForTrailers: true });
      stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(frameOf(answer === 'full' ? FULL : INSERTED));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    relay = await openWriteRelay(`127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  afterEach(async () => {
    await relay[Symbol.asyncDispose]();
    for (const session of sessions) session.destroy();
    server.close();
  });

  it('brings a call to the target and its answer back, and notes when that came', async () => {
    const rpc = new MilvusRpc({ address: relay.address });
    const before = Date.now();
    const bytes = await rpc.callRaw(INSERT, requestOf(7, 2), { deadlineMs: 5_000 });
    expect([...bytes]).toEqual([...INSERTED]);
    expect([...relay.confirmed.keys()]).toEqual([7, 8]);
    for (const atMs of relay.confirmed.values()) expect(atMs).toBeGreaterThanOrEqual(before);
    rpc.close();
  });

  it('hands on refusals, and takes them for no confirmation', async () => {
    const rpc = new MilvusRpc({ address: relay.address });
    answer = 'refuse';
    await expect(rpc.callRaw(INSERT, requestOf(7, 1), { deadlineMs: 5_000 })).rejects.toThrow();
    answer = 'full';
    expect([...(await rpc.callRaw(INSERT, requestOf(7, 1), { deadlineMs: 5_000 }))]).toEqual([...FULL]);
    expect(relay.confirmed.size).toBe(0);
    rpc.close();
  });

  it('ends a call at the target that its caller has given up', async () => {
    answer = 'never';
    const rpc = new MilvusRpc({ address: relay.address });
    const arrived = once(server, 'stream');
    const giveUp = new AbortController();
    const call = rpc.callRaw(INSERT, requestOf(7, 1), { deadlineMs: 5_000, signal: giveUp.signal });
    const [stream] = (await arrived) as [ServerHttp2Stream];
    const closed = once(stream, 'close');
    giveUp.abort(new Error('given up'));
    await expect(call).rejects.toThrow('given up');
    await closed;
    expect(relay.confirmed.size).toBe(0);
    rpc.close();
  });
});
