/** One run of a connection test, as it goes on: each hop as it is told, and in the end as the answer has it. */
import { shallowRef, type ShallowRef } from 'vue';
import type { ConnectionDraft, EventPayload, Hop, HopProgress } from '../../../shared/contract/procedures.ts';

export type TestedHop = Omit<Hop, 'state'> & { readonly state: HopProgress['state'] | 'waiting' };

/** In the order in which they are shown. */
const HOPS: readonly Hop['hop'][] = ['milvus', 'writes', 'etcd', 'catalog', 'log', 'channels', 'rows'];

/** The hops that a draft will be asked for. */
function hopsOf({ milvus, etcd, wal }: ConnectionDraft): Hop['hop'][] {
  return HOPS.filter((hop) => {
    if (hop === 'rows') return milvus !== undefined && etcd !== undefined && wal !== undefined;
    if (hop === 'milvus' || hop === 'writes') return milvus !== undefined;
    return hop === 'etcd' || hop === 'catalog' ? etcd !== undefined : wal !== undefined;
  });
}

/** The core's side of it. */
export interface Tester {
  test(draft: ConnectionDraft, testId: string): Promise<readonly Hop[]>;
  /** It still answers. */
  cancel(testId: string): Promise<void>;
  /** @returns how to end it. */
  onHop(listener: (payload: EventPayload<'connections.hop'>) => void): () => void;
}

export interface HopTest {
  /** Empty: not tested, or changed since. */
  readonly hops: ShallowRef<readonly TestedHop[]>;
  /** A new run makes the one before stale. @throws what the core answers when it cannot test at all. */
  readonly run: (draft: ConnectionDraft) => Promise<void>;
  /** What is open ends as not tested. Nothing happens when none runs. */
  readonly cancel: () => Promise<void>;
  /** Forgets what was found and what is still to come. */
  readonly clear: () => void;
}

/** Tells the tests of several windows on one core apart. */
const newTestId = (): string => `test-${Math.random().toString(36).slice(2)}`;

export function createHopTest(tester: Tester): HopTest {
  const hops = shallowRef<readonly TestedHop[]>([]);
  let current: string | undefined;

  const put = (next: TestedHop): void => {
    hops.value = HOPS.flatMap((hop) => {
      if (hop === next.hop) return [next];
      return hops.value.filter((shown) => shown.hop === hop);
    });
  };

  function clear(): void {
    current = undefined;
    hops.value = [];
  }

  return {
    hops,
    clear,
    async cancel() {
      if (current !== undefined) await tester.cancel(current);
    },
    async run(draft) {
      clear();
      const testId = newTestId();
      current = testId;
      hops.value = hopsOf(draft).map((hop) => ({ hop, state: 'waiting', message: '', durationMs: 0 }));
      const stop = tester.onHop((told) => {
        if (told.testId === testId && current === testId) put(told.hop);
      });
      try {
        const answers = await tester.test(draft, testId);
        if (current === testId) hops.value = HOPS.flatMap((hop) => answers.filter((answer) => answer.hop === hop));
      } catch (thrown) {
        if (current !== testId) return;
        hops.value = [];
        throw thrown;
      } finally {
        stop();
        if (current === testId) current = undefined;
      }
    },
  };
}
