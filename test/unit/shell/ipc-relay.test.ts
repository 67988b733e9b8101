import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { BridgeEvent } from '../../../shared/contract/desktop.ts';
import { IPC_CALL, IPC_EVENT, type ContractAnswer } from '../../../shared/contract/client.ts';

type Handler = (event: unknown, name: unknown, input: unknown) => Promise<ContractAnswer>;
const handlers = new Map<string, Handler>();
const listeners = new Map<string, (event: unknown) => void>();
vi.mock('electron', () => ({
  ipcMain: {
    handle: (channel: string, handler: Handler) => handlers.set(channel, handler),
    on: (channel: string, listener: (event: unknown) => void) => listeners.set(channel, listener),
  },
}));
const { relay } = await import('../../../electron/shell/ipc-relay.ts');

const OURS = 'lifeline://window/index.html';
const sent: unknown[][] = [];
const contents = { getURL: () => OURS, send: (...sending: unknown[]) => sent.push(sending), isDestroyed: () => false };
const calls: unknown[][] = [];
let send: (event: BridgeEvent) => void;

const from = (sender: unknown, url = OURS) => ({ sender, senderFrame: { url } });
const call = (name: unknown, input: unknown, event: unknown = from(contents)): Promise<ContractAnswer> =>
  handlers.get(IPC_CALL)!(event, name, input);

beforeEach(() => {
  sent.length = 0;
  calls.length = 0;
  send = relay({
    call: async (...called) => {
      calls.push(called);
      return { ok: true, output: {} };
    },
    link: () => ({ name: 'link', payload: 'connected' }),
    contents: () => contents as never,
    isOurs: (url) => url === OURS,
  });
});

describe("the shell's relay", () => {
  it('passes a call on, its defaults filled in', async () => {
    expect(await call('drill.start', { rows: 100 })).toEqual({ ok: true, output: {} });
    expect(calls).toEqual([['drill.start', { wal: 'nats', rows: 100, seconds: 20 }]]);
  });

  it('refuses as the core does: the field is named, and the core hears nothing', async () => {
    const misfit = { name: 'a', wal: { kind: 'nats', servers: [''] } };
    expect(await call('connections.save', misfit)).toMatchObject({
      ok: false,
      error: { code: 'invalidInput', context: { field: 'wal.servers[0]' }, hint: expect.any(String) },
    });
    expect(await call('no.such', {})).toMatchObject({ ok: false, error: { code: 'unknownProcedure' } });
    expect(calls).toEqual([]);
  });

  it('hears its own window only', async () => {
    const strangers = [from({ ...contents }), from(contents, 'https://evil.example/'), from(contents, '')];
    for (const stranger of strangers) {
      expect(await call('tasks.list', {}, stranger)).toMatchObject({ ok: false, error: { code: 'forbidden' } });
      listeners.get(IPC_EVENT)!(stranger);
    }
    send({ name: 'tasks.changed', payload: {} });
    expect([calls, sent]).toEqual([[], []]);
  });

  it('tells the state of the link first, then each event', () => {
    listeners.get(IPC_EVENT)!(from(contents));
    send({ name: 'tasks.changed', payload: { tasks: [] } });
    expect(sent).toEqual([
      [IPC_EVENT, { name: 'link', payload: 'connected' }],
      [IPC_EVENT, { name: 'tasks.changed', payload: { tasks: [] } }],
    ]);
  });
});
