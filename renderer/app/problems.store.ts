/** Failures of what a person asked for and that no field or page of its own shows. */
import { defineStore } from 'pinia';
import { ref } from 'vue';

export interface Problem {
  readonly id: number;
  readonly thrown: unknown;
}

/** More than these hide the page; the oldest goes. */
const SHOWN_MAX = 3;

export const useProblems = defineStore('problems', () => {
  const problems = ref<Problem[]>([]);
  let nextId = 1;

  function report(thrown: unknown): void {
    problems.value = [...problems.value, { id: nextId, thrown }].slice(-SHOWN_MAX);
    nextId += 1;
  }

  function dismiss(id: number): void {
    problems.value = problems.value.filter((problem) => problem.id !== id);
  }

  /** Runs it and reports its failure. @returns whether it succeeded. */
  async function guard(action: () => Promise<unknown>): Promise<boolean> {
    try {
      await action();
      return true;
    } catch (thrown) {
      report(thrown);
      return false;
    }
  }

  return { problems, report, dismiss, guard };
});
