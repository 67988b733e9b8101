/** The bench's end of its line: waits for the shell and the core to say who they are, and asks them. */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { onLine, say, type BenchHello } from '../../../shared/bench/bench-line.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';

type From = BenchHello['from'];
type HelloOf<F extends From> = Extract<BenchHello, { from: F }>;

export interface Measured<F extends From> {
  readonly hello: HelloOf<F>;
  /** Rejects with what it says, or when it is gone. */
  call(name: string, input?: unknown): Promise<unknown>;
}

export interface BenchServer {
  readonly path: string;
  /** Settles with the first that says so of itself. */
  readonly shell: Promise<Measured<'shell'>>;
  readonly core: Promise<Measured<'core'>>;
  close(): void;
}

/** A local socket that only this user's processes find: in `directory`, which is the bench's own. */
export async function openBenchServer(directory: string): Promise<BenchServer> {
  const path =
    process.platform === 'win32' ? `\\\\.\\pipe\\lifeline-bench-${process.pid}` : join(directory, 'bench.sock');
  const shell = Promise.withResolvers<Measured<'shell'>>();
  const core = Promise.withResolvers<Measured<'core'>>();
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket.setEncoding('utf8'));
    const pending = new Map<number, PromiseWithResolvers<unknown>>();
    let lastId = 0;
    const call = (from: From, name: string, input: unknown): Promise<unknown> => {
      lastId += 1;
      const answer = Promise.withResolvers<unknown>();
      if (socket.destroyed) answer.reject(gone(from));
      else pending.set(lastId, answer);
      say(socket, { kind: 'call', id: lastId, name, input });
      return answer.promise;
    };
    let from: From = 'core';
    onLine(socket, (message) => {
      if (message.kind === 'call') return;
      if (message.kind === 'answer') {
        const waiting = pending.get(message.id);
        pending.delete(message.id);
        if (message.error === undefined) waiting?.resolve(message.output);
        else waiting?.reject(failed(`${NAMES[from]} failed: ${message.error}`));
        return;
      }
      from = message.from;
      if (message.from === 'shell') {
        shell.resolve({ hello: message, call: (name, input) => call('shell', name, input) });
      } else core.resolve({ hello: message, call: (name, input) => call('core', name, input) });
    });
    // A line that breaks is told by its close.
    socket.on('error', () => undefined);
    socket.once('close', () => {
      sockets.delete(socket);
      for (const { reject } of pending.values()) reject(gone(from));
    });
  });
  server.listen(path);
  await once(server, 'listening');
  return {
    path,
    shell: shell.promise,
    core: core.promise,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

const NAMES: Readonly<Record<From, string>> = { shell: "The window's shell", core: "The window's core" };
const failed = (message: string): ReplicationError => new ReplicationError('labFailed', 'internal', message);
const gone = (from: From): ReplicationError =>
  failed(`${NAMES[from]} ended in the middle of the bench. Its log above may say why.`);
