/**
 * Stands between the core and the target and notes when the target's answer to each row's insert came through: what the
 * engine says of itself is not asked. Every other call passes as it is.
 */
import { once } from 'node:events';
import {
  connect,
  createServer,
  constants,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { insertedKeys, isSuccess } from './inserted-keys.ts';

const WRITES = /\/(?:Insert|Upsert)$/;
const { HTTP2_HEADER_AUTHORITY, HTTP2_HEADER_PATH, NGHTTP2_CANCEL } = constants;

export interface WriteRelay extends AsyncDisposable {
  /** `host:port`, in the target's place. */
  readonly address: string;
  /** Key → Unix ms at which the target's answer came; the first one counts. */
  readonly confirmed: ReadonlyMap<number, number>;
}

/** @param target `host:port` of a server without TLS. */
export async function openWriteRelay(target: string): Promise<WriteRelay> {
  const confirmed = new Map<number, number>();
  const upstream = connect(`http://${target}`);
  // Whoever calls through it is told by the call's failure.
  upstream.on('error', () => undefined);
  const server = createServer();
  const relay = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void => {
    const path = String(headers[HTTP2_HEADER_PATH]);
    const call = upstream.request({ ...headers, [HTTP2_HEADER_AUTHORITY]: target }, { endStream: false });
    let trailers: IncomingHttpHeaders = {};
    call.once('trailers', (received) => void (trailers = received as IncomingHttpHeaders));
    if (WRITES.test(path)) {
      const request: Buffer[] = [];
      const answer: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => request.push(chunk));
      call.on('data', (chunk: Buffer) => answer.push(chunk));
      // They end a call that was answered.
      call.once('trailers', () => {
        const now = Date.now();
        if (!isSuccess(Buffer.concat(answer))) return;
        for (const key of insertedKeys(Buffer.concat(request))) if (!confirmed.has(key)) confirmed.set(key, now);
      });
    }
    call.once('response', (received, flags) => {
      const { [constants.HTTP2_HEADER_STATUS]: status, ...rest } = received;
      const isAll = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      stream.respond({ ':status': Number(status), ...rest }, { endStream: isAll, waitForTrailers: !isAll });
      if (!isAll) call.pipe(stream);
    });
    stream.once('wantTrailers', () => stream.sendTrailers(trailers));
    stream.once('close', () => call.close(NGHTTP2_CANCEL));
    const cut = (): void => stream.close(NGHTTP2_CANCEL);
    call.once('error', cut);
    stream.on('error', () => call.close(NGHTTP2_CANCEL));
    stream.pipe(call);
  };
  server.on('stream', relay);
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    // Its calls end with it, which their callers see.
    session.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    confirmed,
    [Symbol.asyncDispose]() {
      upstream.destroy();
      for (const session of sessions) session.destroy();
      server.close();
      return Promise.resolve();
    },
  };
}
