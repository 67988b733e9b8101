/**
 * What the reconciler is about to do goes by the same policies, and into the same history, as the operations of the log. A step
 * that somebody is asked about waits where it stands; what was decided of it is found again after a restart.
 */
import { createHash } from 'node:crypto';
import { toReplicationError } from '../../../../shared/model/replication-error.ts';
import { TIME_TICK_ZERO } from '../../../../shared/time/time-tick.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { CollectionReplica } from '../collection-replica.ts';
import { AS_DECIDED, type OperationJournal, type OperationQuestion } from '../operation-journal.ts';

const DIGEST_CHARS = 12;
/** Steps of what stands in the log of every server, by the operations whose effect they are. An index whose parameters differ is made anew. */
const LOGGED: ReadonlyMap<string, readonly string[]> = new Map([
  ['createIndex', ['createIndex', 'alterIndex']],
  ['dropIndex', ['dropIndex', 'alterIndex']],
  ['loadCollection', ['loadCollection']],
  ['releaseCollection', ['releaseCollection']],
  ['loadPartitions', ['loadPartitions', 'loadCollection']],
  ['releasePartitions', ['releasePartitions']],
]);
/** What makes an earlier one of the other kind count no more. */
const OF_DATABASES: readonly string[] = ['createDatabase', 'dropDatabase'];

/** What an operation is known by. */
export interface Asked {
  readonly operation: string;
  readonly object?: string | undefined;
  /** All that it would do, as text. */
  readonly what?: string;
  /** In place of one that is made of these. */
  readonly id?: string;
  /** A copy waits for it, or rows that need what it makes. */
  readonly holdsRows?: boolean;
}

export interface StepJournalContext {
  readonly journal: Pick<OperationJournal, 'decide' | 'events' | 'isAsked' | 'isSettled' | 'policyOf' | 'record'>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export class StepJournal {
  readonly #context: StepJournalContext;

  constructor(context: StepJournalContext) {
    this.#context = context;
  }

  /** Nobody need be asked, and it is not to be left out. */
  applies(operation: string): boolean {
    return this.#context.journal.policyOf(operation) === 'apply';
  }

  /** In the copy's line of operations: while somebody is asked, what comes later waits behind it. @see run */
  async inLine(asked: Asked, replica: CollectionReplica, body: () => Promise<void>): Promise<boolean> {
    let isApplied = true;
    await replica.step(async () => {
      isApplied = await this.run(asked, replica, body);
    });
    return isApplied;
  }

  /** As its policy has it, and told. @returns false: it was left out. */
  async run(
    asked: Asked,
    replica: CollectionReplica | undefined,
    body: () => Promise<void>,
    database = replica?.address.database ?? '',
  ): Promise<boolean> {
    const { journal, clock } = this.#context;
    const { operation, object } = asked;
    const signal = replica?.signal ?? this.#context.signal;
    const collection =
      replica === undefined ? {} : { collection: { id: replica.id, name: replica.address.collection } };
    const about = { tick: TIME_TICK_ZERO, source: 'catalogue', operation, database, ...collection, object } as const;
    const inRows = asked.holdsRows === true ? { holdsRows: true } : {};
    const question = await this.#questionOf({ ...about, ...inRows }, asked, signal);
    // Which the history says already.
    if (this.#isLeftOut(question)) return false;
    const decision = await journal.decide(question, signal);
    // One that nobody is asked about may come again and again, and stands in the history each time; what is left out, once.
    const isOnce = asked.id !== undefined || decision === 'skip' || journal.policyOf(operation) === 'ask';
    const id = isOnce ? { id: question.id } : {};
    const tell = (outcome: 'applied' | 'failed' | 'skipped', reason?: string): void =>
      journal.record({ ...about, ...id, at: clock.now(), outcome, reason });
    if (decision === 'skip') {
      tell('skipped', AS_DECIDED);
      return false;
    }
    try {
      await body();
    } catch (error) {
      signal.throwIfAborted();
      tell('failed', toReplicationError(error).message);
      throw error;
    }
    tell('applied');
    return true;
  }

  /** As the history has it. */
  wasLeftOut(id: string, replica: CollectionReplica): boolean {
    const events = this.#context.journal.events({ collection: replica.id });
    return events.some((event) => event.id === id && event.outcome === 'skipped');
  }

  /**
   * It was left out when the log had it: so is what comes of it in the catalogue, without asking or telling once more, and
   * whatever the policy is by now.
   */
  #isLeftOut(question: OperationQuestion): boolean {
    const { journal } = this.#context;
    if (OF_DATABASES.includes(question.operation)) {
      const last = journal
        .events({ collection: undefined })
        .find(
          ({ source, operation, database }) =>
            source === 'log' && OF_DATABASES.includes(operation) && database === question.database,
        );
      // While somebody is asked, the log's own is done once it is decided.
      return last?.operation === question.operation && (last.outcome === 'waiting' || last.reason === AS_DECIDED);
    }
    const names = LOGGED.get(question.operation);
    if (question.collection === undefined || names === undefined) return false;
    const last = journal
      .events({ collection: question.collection.id })
      .find(
        ({ source, operation, outcome, reason }) =>
          source === 'log' && names.includes(operation) && (outcome === 'applied' || reason === AS_DECIDED),
      );
    return last?.outcome === 'skipped';
  }

  /** The same whenever the same difference is met. One that was made as decided, and is there once more, is another. */
  async #questionOf(
    about: Omit<OperationQuestion, 'id'>,
    { operation, object = '', what = '', id }: Asked,
    signal: AbortSignal,
  ): Promise<OperationQuestion> {
    const { journal } = this.#context;
    if (id !== undefined) return { ...about, id };
    const digest = createHash('sha256').update(what).digest('hex').slice(0, DIGEST_CHARS);
    const subject = about.collection?.id ?? about.database;
    const base = `catalogue/${operation}/${subject}/${object}/${digest}`;
    for (let turn = 1; ; turn += 1) {
      const question = { ...about, id: turn === 1 ? base : `${base}/${turn}` };
      if (journal.policyOf(operation) !== 'ask' || !journal.isSettled(question.id)) return question;
      // Left out by a policy that was another one then; or as decided.
      if (journal.isAsked(question) || (await journal.decide(question, signal)) === 'skip') return question;
    }
  }
}
