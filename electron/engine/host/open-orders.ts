/** Orders to a task's thread that it has not answered yet. None is left without an end: an answer, a time limit, a death. */
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { FromWorker } from './task-messages.ts';

/** A copy begins after the writes under way, which the engine gives 30 s. A person waits for it. */
const ANSWER_TIMEOUT_MS = 60_000;

type Answer = Extract<FromWorker, { kind: 'answer' }>;

interface OpenOrder {
  readonly answer: PromiseWithResolvers<unknown>;
  readonly timer: NodeJS.Timeout;
}

export class OpenOrders {
  readonly #open = new Map<number, OpenOrder>();
  #nextRequest = 1;

  /** @param send Is given the number that the answer will carry. */
  ask(send: (request: number) => void): Promise<unknown> {
    const request = this.#nextRequest++;
    const answer = Promise.withResolvers<unknown>();
    const timer = setTimeout(() => this.#reject(request, notAnswered()), ANSWER_TIMEOUT_MS);
    this.#open.set(request, { answer, timer });
    send(request);
    return answer.promise;
  }

  take(message: Answer): void {
    if ('error' in message) this.#reject(message.request, ReplicationError.fromData(message.error));
    else this.#close(message.request)?.answer.resolve(message.result);
  }

  /** The thread has ended, and with it whatever it was told. */
  endAll(): void {
    for (const request of [...this.#open.keys()]) this.#reject(request, threadEnded());
  }

  #reject(request: number, error: ReplicationError): void {
    this.#close(request)?.answer.reject(error);
  }

  /** A late answer finds none. */
  #close(request: number): OpenOrder | undefined {
    const open = this.#open.get(request);
    this.#open.delete(request);
    clearTimeout(open?.timer);
    return open;
  }
}

const notAnswered = (): ReplicationError =>
  new ReplicationError(
    'timeout',
    'internal',
    `The task has not answered within ${ANSWER_TIMEOUT_MS / 1000} s. It may still do what it was told: look at its state before you try again.`,
  );

const threadEnded = (): ReplicationError =>
  new ReplicationError('notReady', 'internal', 'The task ended before it answered. Look at its state, then try again.');
