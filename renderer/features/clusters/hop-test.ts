/** One run of a connection test, as it goes on. */
import { shallowRef, type ShallowRef } from 'vue';
import type { ConnectionDraft, Hop } from '../../../shared/contract/procedures.ts';
import { testDrafts } from './cluster-form.ts';

export type TestedHop = Omit<Hop, 'state'> & { readonly state: Hop['state'] | 'running' };

const HOPS: readonly Hop['hop'][] = ['milvus', 'writes', 'etcd', 'catalog', 'log', 'channels'];

/** The hops that a draft will be asked for. */
function hopsOf({ milvus, etcd, wal }: ConnectionDraft): Hop['hop'][] {
  return HOPS.filter((hop) => {
    if (hop === 'milvus' || hop === 'writes') return milvus !== undefined;
    return hop === 'etcd' || hop === 'catalog' ? etcd !== undefined : wal !== undefined;
  });
}

export interface HopTest {
  /** Empty: not tested, or changed since. */
  readonly hops: ShallowRef<readonly TestedHop[]>;
  /** A new run makes the one before stale. @throws what the core answers when it cannot test at all. */
  readonly run: (draft: ConnectionDraft) => Promise<void>;
  readonly clear: () => void;
}

export function createHopTest(test: (draft: ConnectionDraft) => Promise<readonly Hop[]>): HopTest {
  const hops = shallowRef<readonly TestedHop[]>([]);
  let generation = 0;

  function take(asked: ConnectionDraft, answers: readonly Hop[]): void {
    const byHop = new Map(answers.map((answer) => [answer.hop, answer]));
    const wasAsked = new Set(hopsOf(asked));
    hops.value = HOPS.flatMap((hop): TestedHop[] => {
      const answer = byHop.get(hop);
      if (answer !== undefined) return [answer];
      const shown = hops.value.find((other) => other.hop === hop);
      // Asked for and not answered: there is nothing to say of it.
      return shown === undefined || wasAsked.has(hop) ? [] : [shown];
    });
  }

  return {
    hops,
    clear() {
      generation += 1;
      hops.value = [];
    },
    async run(draft) {
      generation += 1;
      const mine = generation;
      hops.value = hopsOf(draft).map((hop) => ({ hop, state: 'running', message: '', durationMs: 0 }));
      try {
        await Promise.all(
          testDrafts(draft).map(async (part) => {
            const answers = await test(part);
            if (mine === generation) take(part, answers);
          }),
        );
      } catch (thrown) {
        if (mine !== generation) return;
        hops.value = [];
        throw thrown;
      }
    },
  };
}
