import { expect, it } from 'vitest';
import { createHopTest } from '../../../renderer/features/clusters/hop-test.ts';
import type { ConnectionDraft, EventPayload, Hop, HopProgress } from '../../../shared/contract/procedures.ts';

type HopEvent = EventPayload<'connections.hop'>;

const DRAFT: ConnectionDraft = {
  name: 'a',
  milvus: { address: 'a:19530' },
  etcd: { endpoints: ['a:2379'] },
  wal: { kind: 'nats', servers: ['a:4222'] },
};
const ALL: Hop['hop'][] = ['milvus', 'writes', 'etcd', 'catalog', 'log', 'channels', 'rows'];
const ok = (hop: Hop['hop']): Hop => ({ hop, state: 'ok', message: 'found', durationMs: 1 });

/** A core whose answers and events the test gives by hand. */
function startedBy() {
  const asked: { testId: string; answer: (hops: Hop[]) => void; refuse: (thrown: unknown) => void }[] = [];
  const listeners = new Set<(event: HopEvent) => void>();
  const cancelled: string[] = [];
  const test = createHopTest({
    test: (_, testId) =>
      new Promise<readonly Hop[]>((resolve, reject) => asked.push({ testId, answer: resolve, refuse: reject })),
    onHop(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    cancel: (testId) => Promise.resolve(void cancelled.push(testId)),
  });
  return {
    ...test,
    asked,
    listeners,
    cancelled,
    tell: (run: number, hop: HopProgress): void => {
      for (const listener of listeners) listener({ testId: asked[run]?.testId ?? '', hop });
    },
    shown: () => test.hops.value.map(({ hop, state }) => `${hop} ${state}`),
  };
}

it('asks once for all hops, and shows each when it begins and when it ends', async () => {
  const { run, asked, tell, shown } = startedBy();
  const done = run(DRAFT);
  expect(asked).toHaveLength(1);
  expect(shown()).toEqual(ALL.map((hop) => `${hop} waiting`));
  tell(0, { hop: 'milvus', state: 'running', message: '', durationMs: 0 });
  expect(shown()[0]).toBe('milvus running');
  tell(0, ok('milvus'));
  expect(shown()[0]).toBe('milvus ok');
  asked[0]?.answer(ALL.map(ok));
  await done;
  expect(shown()).toEqual(ALL.map((hop) => `${hop} ok`));
});

it('does not wait for ever on a hop that the answer does not name', async () => {
  const { run, asked, shown } = startedBy();
  const done = run({ name: 'a', milvus: { address: 'a:19530' } });
  asked[0]?.answer([ok('milvus')]);
  await done;
  expect(shown()).toEqual(['milvus ok']);
});

it('drops the events and the answer of a run that was given up', async () => {
  const { run, clear, asked, tell, shown, listeners } = startedBy();
  const first = run(DRAFT);
  clear();
  const second = run({ name: 'a', milvus: { address: 'b:19530' } });
  tell(0, ok('milvus'));
  asked[0]?.answer(ALL.map(ok));
  await first;
  expect(shown()).toEqual(['milvus waiting', 'writes waiting']);
  asked[1]?.answer([ok('milvus'), ok('writes')]);
  await second;
  expect(shown()).toEqual(['milvus ok', 'writes ok']);
  expect(listeners.size).toBe(0);
});

it('cancels the run under way and no other', async () => {
  const { run, cancel, asked, cancelled } = startedBy();
  await cancel();
  expect(cancelled).toEqual([]);
  const done = run(DRAFT);
  await cancel();
  expect(cancelled).toEqual([asked[0]?.testId]);
  asked[0]?.answer([]);
  await done;
  await cancel();
  expect(cancelled).toHaveLength(1);
});

it('shows nothing when the core cannot test at all, and passes on why', async () => {
  const { run, asked, shown } = startedBy();
  const done = run(DRAFT);
  asked[0]?.refuse(new Error('No core.'));
  await expect(done).rejects.toThrow('No core.');
  expect(shown()).toEqual([]);
});
