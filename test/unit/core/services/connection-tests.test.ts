import { describe, expect, it } from 'vitest';
import { ConnectionTests } from '../../../../electron/core/services/connection-tests.ts';
import { EventHub } from '../../../../electron/core/services/event-hub.ts';
import type { ConnectionParts, Hop, HopProgress } from '../../../../shared/contract/procedures.ts';

const PARTS: ConnectionParts = {
  milvus: { address: 'a:1' },
  etcd: { endpoints: ['a:2'], rootPath: 'by-dev', metaSubPath: 'meta' },
};

const hop = (name: Hop['hop'], state: HopProgress['state'], message = ''): HopProgress => ({
  hop: name,
  state,
  message,
  durationMs: 0,
});
const found = (name: Hop['hop']): Hop => ({ hop: name, state: 'ok', message: 'It answers.', durationMs: 1 });

/** `tell` speaks for the thread; `answer` and an abort end it. */
function setUp() {
  const hub = new EventHub();
  const events: string[] = [];
  hub.on(({ name, payload }) => {
    const { testId, hop: told } = payload as { testId: string; hop: HopProgress };
    events.push(`${name} ${testId}: ${told.hop} ${told.state}`);
  });
  const threads: { tell: (hop: HopProgress) => void; answer: (hops: Hop[]) => void; fail: (error: Error) => void }[] =
    [];
  const tests = new ConnectionTests({
    hub,
    logLevel: 'silent',
    test: (_parts, _logLevel, options) =>
      new Promise((resolve, reject) => {
        threads.push({ tell: (told) => options?.onHop?.(told), answer: resolve, fail: reject });
        options?.signal?.addEventListener('abort', () => reject(new Error('Aborted.')));
      }),
  });
  return { tests, events, threads };
}

describe('connection tests', () => {
  it('tell each hop as it begins and as it ends, to whoever named the test', async () => {
    const { tests, events, threads } = setUp();
    const named = tests.run(PARTS, 'one');
    const nameless = tests.run(PARTS, undefined);
    for (const thread of threads) {
      thread.tell(hop('etcd', 'running'));
      thread.tell(found('etcd'));
      thread.answer([found('etcd')]);
    }
    expect(await named).toEqual([found('etcd')]);
    expect(await nameless).toEqual([found('etcd')]);
    expect(events).toEqual(['connections.hop one: etcd running', 'connections.hop one: etcd ok']);
  });

  it('that are cancelled answer with what they have found, the rest skipped, and tell that too', async () => {
    const { tests, events, threads } = setUp();
    const running = tests.run(PARTS, 'one');
    threads[0]?.tell(hop('etcd', 'running'));
    threads[0]?.tell(found('etcd'));
    threads[0]?.tell(hop('catalog', 'running'));
    tests.cancel('another');
    tests.cancel('one');
    const hops = await running;
    expect(hops.map(({ hop: name, state }) => `${name} ${state}`)).toEqual([
      'etcd ok',
      'catalog skipped',
      'milvus skipped',
      'writes skipped',
    ]);
    expect(hops[1]?.message).toContain('before an answer');
    expect(hops[2]?.message).toContain('Not tried');
    expect(events.slice(3)).toEqual([
      'connections.hop one: catalog skipped',
      'connections.hop one: milvus skipped',
      'connections.hop one: writes skipped',
    ]);
    tests.cancel('one');
  });

  it('run side by side under ids of their own, and an id is free again after the end', async () => {
    const { tests, threads } = setUp();
    const first = tests.run(PARTS, 'one');
    await expect(tests.run(PARTS, 'one')).rejects.toMatchObject({ code: 'conflict', context: { field: 'testId' } });
    const second = tests.run(PARTS, 'two');
    for (const thread of threads) thread.answer([]);
    expect(await Promise.all([first, second])).toEqual([[], []]);
    const third = tests.run(PARTS, 'one');
    threads[2]?.fail(new Error('The thread died.'));
    await expect(third).rejects.toThrow('The thread died.');
  });

  it('end with the core', async () => {
    const { tests } = setUp();
    const running = [tests.run(PARTS, 'one'), tests.run(PARTS, undefined)];
    tests.close();
    for (const hops of await Promise.all(running)) expect(hops.every(({ state }) => state === 'skipped')).toBe(true);
  });
});
