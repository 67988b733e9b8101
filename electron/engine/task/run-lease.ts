/**
 * A run's hold on its task. The store is fenced (`TaskStore.takeLease`): what a run that was superseded still wants to write
 * is refused there, and this ends that run. So does every other failure of the store: what cannot be recorded must not
 * happen, so nothing may go on without it.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { TaskRun, TaskStore } from '../../../shared/model/task-state.ts';
import type { Clock } from '../runtime/clock.ts';

/** @param folder The data folder, for people. */
export function newRun(folder: string, clock: Clock): TaskRun {
  return { id: randomUUID(), host: hostname(), folder, pid: process.pid, began: clock.now() };
}

const ENDING: ReadonlySet<string> = new Set(['storeFailed', 'storeFull', 'leaseLost']);

/**
 * The same store; `end` hears of the first failure that ends a run, before the caller of the failed call does. Whoever calls
 * the store in the depths of one collection's work would else take it for that collection's own failure.
 */
export function endingRun(store: TaskStore, end: (error: ReplicationError) => void): TaskStore {
  let hasEnded = false;
  return new Proxy(store, {
    get: (found, name) => {
      const value: unknown = Reflect.get(found, name, found);
      if (typeof value !== 'function') return value;
      return (...args: readonly unknown[]): unknown => {
        try {
          return Reflect.apply(value, found, args) as unknown;
        } catch (error) {
          if (!hasEnded && error instanceof ReplicationError && ENDING.has(error.code)) {
            hasEnded = true;
            end(error);
          }
          throw error;
        }
      };
    },
  });
}
