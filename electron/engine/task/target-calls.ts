/**
 * A task's calls on the target: repeated after the policy, shown while they wait, and counted while they are under way, so
 * that whoever stops the task can let them end. A write that was cut off may still happen.
 */
import { toReplicationError } from '../../../shared/model/replication-error.ts';
import { retrying } from '../runtime/retry.ts';
import type { StatusBoard } from './status-board.ts';

export type TargetCall<T> = (signal: AbortSignal) => Promise<T>;

export interface TargetCallsContext {
  readonly board: Pick<StatusBoard, 'observer' | 'called' | 'failed'>;
  /** Ends waits and repetitions, not the calls under way. */
  readonly signal: AbortSignal;
  readonly whenMayWrite: (signal: AbortSignal) => Promise<void>;
  /** The target has answered. */
  answered(): void;
}

export class TargetCalls {
  readonly #context: TargetCallsContext;
  readonly #end = new AbortController();
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(context: TargetCallsContext) {
    this.#context = context;
  }

  /** Ends calls, after they have had their time. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  /** They never reject. */
  get underWay(): ReadonlySet<Promise<unknown>> {
    return this.#underWay;
  }

  end(reason: unknown): void {
    this.#end.abort(reason);
  }

  tracked<T>(call: Promise<T>): Promise<T> {
    const settled = call.catch(() => undefined);
    this.#underWay.add(settled);
    void settled.finally(() => this.#underWay.delete(settled));
    return call;
  }

  called(name: string): void {
    this.#context.board.called(name);
    this.#context.answered();
  }

  /** A question whose refusal is no trouble of the task's. */
  asked<T>(call: TargetCall<T>): Promise<T> {
    const ask = () => this.tracked(call(this.#end.signal));
    return retrying(ask, this.#context.signal, this.#context.board.observer('target'));
  }

  /** A call that no collection can show the trouble of. */
  async onTarget<T>(name: string, call: TargetCall<T>): Promise<T> {
    const { board, signal } = this.#context;
    try {
      return await this.attempt(name, call);
    } catch (error) {
      if (!signal.aborted) board.failed(toReplicationError(error));
      throw error;
    }
  }

  /** Repeated after the policy; what comes of a failure is the caller's to say. */
  async attempt<T>(name: string, call: TargetCall<T>): Promise<T> {
    const { board, signal, whenMayWrite } = this.#context;
    const once = async () => {
      await whenMayWrite(signal);
      return this.tracked(call(this.#end.signal));
    };
    const result = await retrying(once, signal, board.observer(name));
    this.called(name);
    return result;
  }
}
