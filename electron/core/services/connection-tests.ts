/** Connection tests under way: each tells its hops as events where the caller named it, and can be ended early. */
import type { ConnectionParts, Hop, HopProgress } from '../../../shared/contract/procedures.ts';
import { hopsOf, testConnection } from '../../engine/host/test-connection.ts';
import type { EventHub } from './event-hub.ts';
import { Refusal } from './refusal.ts';

export interface ConnectionTestsOptions {
  readonly hub: EventHub;
  readonly logLevel: string;
  /** For tests. */
  readonly test?: typeof testConnection;
}

export class ConnectionTests {
  readonly #options: ConnectionTestsOptions;
  readonly #running = new Set<{ readonly testId: string | undefined; readonly cancelling: AbortController }>();

  constructor(options: ConnectionTestsOptions) {
    this.#options = options;
  }

  /** @throws Refusal conflict while another test of that id runs. */
  async run(parts: ConnectionParts, testId: string | undefined): Promise<Hop[]> {
    if (testId !== undefined && this.#find(testId) !== undefined) {
      throw new Refusal(
        'conflict',
        `A test with the id "${testId}" runs already.`,
        'Give each test an id of its own.',
        {
          field: 'testId',
        },
      );
    }
    const { hub, logLevel, test = testConnection } = this.#options;
    const heard = new Map<Hop['hop'], HopProgress>();
    const hear = (hop: HopProgress): void => {
      heard.set(hop.hop, hop);
      if (testId !== undefined) hub.publish('connections.hop', { testId, hop });
    };
    const cancelling = new AbortController();
    const one = { testId, cancelling };
    this.#running.add(one);
    try {
      return await test(parts, logLevel, { signal: cancelling.signal, onHop: hear });
    } catch (error) {
      if (!cancelling.signal.aborted) throw error;
      return hopsOf(parts).map((name) => endedHop(name, heard.get(name), hear));
    } finally {
      this.#running.delete(one);
    }
  }

  /** The test answers at once with what it has found. */
  cancel(testId: string): void {
    this.#find(testId)?.cancelling.abort(new Error('The test was cancelled.'));
  }

  /** At the core's end. */
  close(): void {
    for (const { cancelling } of this.#running) cancelling.abort(new Error('Lifeline ends.'));
  }

  #find(testId: string) {
    return [...this.#running].find((one) => one.testId === testId);
  }
}

/** What was found stays; what is open is told as skipped. */
function endedHop(name: Hop['hop'], last: HopProgress | undefined, tell: (hop: Hop) => void): Hop {
  if (last !== undefined && last.state !== 'running') return { ...last, state: last.state };
  const message =
    last === undefined
      ? 'Not tried: the test was cancelled.'
      : 'Not finished: the test was cancelled before an answer.';
  const hop: Hop = { hop: name, state: 'skipped', message, durationMs: 0 };
  tell(hop);
  return hop;
}
