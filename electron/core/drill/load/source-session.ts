/** Operations on the source, each written into the ledger once its outcome is known. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ReplicationError } from '../../../../shared/model/replication-error.ts';
import { asReplicationError, checked, isOutcomeUnknown, type MilvusConnection } from '../content/milvus-client.ts';
import type { LedgerOperation, LedgerWriter, OperationKind, Outcome } from './ledger.ts';

/** How long a source that has gone away (a restart) is waited for before the load gives up. */
const SOURCE_RETURN_TIMEOUT_MS = 60_000;
const SOURCE_PROBE_INTERVAL_MS = 250;

export class SourceSession {
  readonly connection: MilvusConnection;
  readonly signal: AbortSignal;
  readonly #ledger: LedgerWriter;

  constructor(connection: MilvusConnection, ledger: LedgerWriter, signal: AbortSignal) {
    this.connection = connection;
    this.#ledger = ledger;
    this.signal = signal;
  }

  /**
   * Carries out an operation that later ones build on. Every failure is thrown: after a lost answer the load could not
   * know what to do next.
   */
  async perform(operation: LedgerOperation, call: () => Promise<unknown>): Promise<void> {
    await this.performAnswered(operation.op, call, () => operation);
  }

  /** The same for an operation that is only known with its answer: an insert whose keys the server makes. */
  async performAnswered<T>(
    action: OperationKind,
    call: () => Promise<T>,
    operationOf: (answer: T) => LedgerOperation,
  ): Promise<T> {
    this.signal.throwIfAborted();
    const answer = await checked(this.connection.side, action, call());
    this.#write(operationOf(answer), 'acknowledged');
    return answer;
  }

  /**
   * Carries out a write of rows. Returns `unknown` when its answer was lost: the ledger says so, the source has been
   * waited for, and the keys must not be touched again. A refusal is thrown.
   */
  async performWrite(operation: LedgerOperation, call: () => Promise<unknown>): Promise<Outcome> {
    this.signal.throwIfAborted();
    try {
      await checked(this.connection.side, operation.op, call());
    } catch (error) {
      const failure = asReplicationError(this.connection.side, operation.op, error);
      if (!isOutcomeUnknown(failure)) throw failure;
      this.#write(operation, 'unknown');
      await this.#sourceReturns(failure);
      return 'unknown';
    }
    this.#write(operation, 'acknowledged');
    return 'acknowledged';
  }

  #write(operation: LedgerOperation, outcome: Outcome): void {
    this.#ledger.write({ ...operation, outcome, ackMs: Date.now() });
  }

  async #sourceReturns(lost: ReplicationError): Promise<void> {
    const deadline = Date.now() + SOURCE_RETURN_TIMEOUT_MS;
    for (;;) {
      try {
        await this.connection.call('ListDatabases', {});
        return;
      } catch {
        // Asking until it answers is the point; what is reported in the end is the failure that was first.
        if (Date.now() > deadline) throw lost;
        await delay(SOURCE_PROBE_INTERVAL_MS, undefined, { signal: this.signal });
      }
    }
  }
}
