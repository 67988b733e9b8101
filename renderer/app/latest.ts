/**
 * Answers may arrive in another order than they were asked for. Each question opens a generation; an answer of a
 * generation that is no longer the newest is dropped. What is pushed unasked opens a generation too: it is newer than
 * any answer still under way.
 */
export interface Latest {
  /** Everything under way is stale from now on. */
  supersede(): void;
  /** Applies the answer, or the failure, if nothing newer was asked for or told meanwhile. */
  ask<T>(question: () => Promise<T>, apply: (answer: T) => void, fail: (thrown: unknown) => void): Promise<void>;
}

export function createLatest(): Latest {
  let generation = 0;
  return {
    supersede() {
      generation += 1;
    },
    async ask(question, apply, fail) {
      generation += 1;
      const mine = generation;
      try {
        const answer = await question();
        if (mine === generation) apply(answer);
      } catch (thrown) {
        if (mine === generation) fail(thrown);
      }
    },
  };
}

/** What a store knows of its list. */
export type LoadState =
  { readonly kind: 'loading' } | { readonly kind: 'ready' } | { readonly kind: 'failed'; readonly thrown: unknown };
