/**
 * What is to become of each operation, and what became of it: those that stand in the log and those that are seen in the
 * catalogue alone. Whoever applies an operation asks `decide` (or `policyOf`) first and calls `record` afterwards.
 *
 * An operation whose policy is to ask waits in `decide`, at exactly its place, until a person has decided. The decision is on
 * disk before the wait ends: after a crash the same operation, met again, is not asked about twice.
 */
import type { CollectionId } from '../../../shared/model/ids.ts';
import type { OperationDecision, OperationEvent as StoredEvent } from '../../../shared/model/operation-event.ts';
import {
  defaultActionOf,
  OPERATION_GROUPS,
  policyNameOf,
  type OperationAction,
  type OperationSettings,
} from '../../../shared/model/operation-policy.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { TaskStore } from '../../../shared/model/task-state.ts';
import type { TimeTick } from '../../../shared/time/time-tick.ts';
import type { Clock } from '../runtime/clock.ts';
import { Conditions } from '../runtime/waiting.ts';

export interface OperationEvent {
  /** See `shared/model/operation-event.ts`. Needed where it is asked about. */
  readonly id?: string | undefined;
  /** Unix ms. */
  readonly at: number;
  readonly tick: TimeTick;
  readonly source: 'log' | 'catalogue';
  /** A name of `operation-policy.ts` where it has one. */
  readonly operation: string;
  /** Empty: it is about the cluster. */
  readonly database: string;
  readonly collection?: { readonly id: CollectionId; readonly name: string } | undefined;
  /** What else it is about: a partition, an alias, a role. Never a secret. */
  readonly object?: string | undefined;
  readonly outcome: StoredEvent['outcome'];
  readonly reason?: string | undefined;
  /** It failed, and is not tried again: what came behind it has gone on. */
  readonly isPassedOver?: boolean | undefined;
}

/** An operation before anything has become of it. The id is the same whenever it is met. */
export type OperationQuestion = Omit<OperationEvent, 'id' | 'at' | 'outcome' | 'reason'> & {
  readonly id: string;
  /** Nobody could apply it: it can only be skipped. */
  readonly isSkipOnly?: boolean;
  /** It has a place among the rows of its collection, which wait with it. */
  readonly holdsRows?: boolean;
};

/** Why it was left out. */
export const AS_DECIDED = 'By its policy, or as decided.';

export interface OperationJournalContext {
  readonly store: Pick<TaskStore, 'recordOperation' | 'operations' | 'decideOperation' | 'operationDecisions'>;
  readonly clock: Clock;
}

/** Asked for when an operation has to wait for a person; disposed when it no longer does. `undefined`: too many wait. */
export type Park = () => Disposable | undefined;

export class OperationJournal {
  readonly #context: OperationJournalContext;
  readonly #conditions = new Conditions();
  /** Asked about, by id, and not decided on; since when (Unix ms). */
  readonly #waiting = new Map<string, OperationQuestion>();
  readonly #askedAt = new WeakMap<OperationQuestion, number>();
  readonly #decisions = new Map<string, OperationDecision>();
  /** Ids of what has had its effect, or was left out for good. */
  readonly #settled = new Set<string>();
  #settings: OperationSettings = {};

  constructor(context: OperationJournalContext) {
    this.#context = context;
  }

  /** What was done and decided in earlier runs. */
  takeUp(): void {
    for (const event of this.events()) if (event.id !== undefined && isEnd(event)) this.#settled.add(event.id);
    for (const [id, decision] of this.#context.store.operationDecisions()) this.#decisions.set(id, decision);
  }

  get settings(): OperationSettings {
    return this.#settings;
  }

  /** Holds at once, also for what waits: an operation that no longer needs to be asked about goes on. */
  setSettings(settings: OperationSettings): void {
    this.#settings = settings;
    this.#conditions.changed();
  }

  policyOf(operation: string): OperationAction {
    const name = policyNameOf(operation);
    if (name === undefined) return 'apply';
    return this.#settings.policies?.[name] ?? defaultActionOf(name);
  }

  /** It has had its effect, or was left out, perhaps in an earlier run. One that failed is settled where it was passed over. */
  isSettled(id: string): boolean {
    return this.#settled.has(id);
  }

  /** `decide` will wait for a person. */
  isAsked(question: OperationQuestion): boolean {
    return this.#answerTo(question) === undefined;
  }

  /** An event of an id that is there already takes its place. */
  record(event: OperationEvent): void {
    this.#context.store.recordOperation(toStored(event));
    if (event.id !== undefined && isEnd(event)) this.#settled.add(event.id);
  }

  /** Resolves at once unless the policy is to ask; then when a person has decided, or the policy no longer asks. */
  async decide(question: OperationQuestion, signal: AbortSignal): Promise<OperationDecision> {
    const now = this.#answerTo(question);
    if (now !== undefined) return now;
    const { store, clock } = this.#context;
    const { isSkipOnly, ...asked } = question;
    store.recordOperation({
      ...toStored({ ...asked, at: clock.now(), outcome: 'waiting' }),
      ...(isSkipOnly === true ? { isSkipOnly } : {}),
    });
    this.#waiting.set(question.id, question);
    this.#askedAt.set(question, clock.now());
    try {
      await this.#conditions.until(() => this.#answerTo(question) !== undefined, signal);
    } finally {
      this.#waiting.delete(question.id);
    }
    return this.#answerTo(question) ?? 'skip';
  }

  #answerTo({ id, operation, isSkipOnly }: OperationQuestion): OperationDecision | undefined {
    const decided = this.#decisions.get(id);
    if (decided !== undefined) return decided;
    const policy = this.policyOf(operation);
    // To apply what nobody can apply is to be asked about.
    return policy === 'ask' || (policy === 'apply' && isSkipOnly === true) ? undefined : policy;
  }

  /** What waits of a collection that the task no longer follows is no longer asked. Its waits have ended. */
  leave(isFollowed: (id: string) => boolean): void {
    const reason = 'The collection is no longer replicated.';
    for (const event of this.events()) {
      const { id, collection, outcome } = event;
      if (outcome !== 'waiting' || collection === undefined || isFollowed(collection.id)) continue;
      this.#context.store.recordOperation({ ...event, at: this.#context.clock.now(), outcome: 'skipped', reason });
      if (id !== undefined) this.#settled.add(id);
    }
  }

  /** A person's answer. @throws notFound: it does not wait (any more); invalidRequest: it can only be skipped. */
  answer(id: string, decision: OperationDecision): void {
    // One that an earlier run has asked about may not have been met again yet.
    const question = this.#waiting.get(id) ?? this.events().find((event) => event.id === id);
    if (question === undefined || ('outcome' in question && question.outcome !== 'waiting')) {
      throw new ReplicationError(
        'notFound',
        'internal',
        `No operation "${id}" waits for a decision any more. Look at the list of operations again.`,
      );
    }
    if (decision === 'apply' && question.isSkipOnly === true) {
      throw new ReplicationError(
        'invalidRequest',
        'config',
        `This version cannot apply ${question.operation}. Do on the target what it did by hand, then skip it.`,
      );
    }
    this.#context.store.decideOperation(id, decision);
    this.#decisions.set(id, decision);
    this.#conditions.changed();
  }

  /** What waits for a person, of a collection or of what is about none: the first that holds rows, else the first. */
  waitingOf(id: CollectionId | undefined): OperationQuestion | undefined {
    const questions = this.waiting().filter(({ collection }) => collection?.id === id);
    return questions.find(({ holdsRows }) => holdsRows === true) ?? questions[0];
  }

  /** Unix ms. */
  askedAt(question: OperationQuestion): number {
    return this.#askedAt.get(question) ?? this.#context.clock.now();
  }

  /** What waits for a person now. */
  waiting(): readonly OperationQuestion[] {
    return [...this.#waiting.values()];
  }

  /** The newest first. `of`: @see TaskStore.operations */
  events(of?: { readonly collection: CollectionId | undefined }): readonly StoredEvent[] {
    return this.#context.store.operations(of);
  }
}

/** While a person is asked, the operation does not count among those that hold up the reading. */
export async function decided(
  journal: OperationJournal,
  question: OperationQuestion,
  park: Park,
  signal: AbortSignal,
): Promise<OperationDecision> {
  if (!journal.isAsked(question)) return journal.decide(question, signal);
  const parked = park();
  try {
    return await journal.decide(question, signal);
  } finally {
    parked?.[Symbol.dispose]();
  }
}

function toStored(event: OperationEvent): StoredEvent {
  const { id, at, tick, source, operation, database, collection, object, outcome, reason, isPassedOver } = event;
  return {
    ...(id === undefined ? {} : { id }),
    at,
    tick: tick.toString(),
    source,
    operation,
    database,
    ...(collection === undefined ? {} : { collection: { id: collection.id.toString(), name: collection.name } }),
    ...(object === undefined ? {} : { object }),
    outcome,
    ...(reason === undefined ? {} : { reason }),
    ...(isPassedOver === true ? { isPassedOver } : {}),
  };
}

const isEnd = ({ outcome, isPassedOver }: Pick<OperationEvent, 'outcome' | 'isPassedOver'>): boolean =>
  outcome === 'applied' || outcome === 'skipped' || isPassedOver === true;

/** What a collection, or a task, says of itself while an operation waits for a person. */
export function decisionNeeded(question: OperationQuestion): ReplicationError {
  const { id, operation, database, collection, object } = question;
  const name = collection === undefined ? database : `${database}.${collection.name}`;
  const of = [name, object].filter((part) => part !== undefined && part !== '').join(', ');
  return new ReplicationError(
    'decisionNeeded',
    'config',
    `${operation}${of === '' ? '' : ` of ${of}`} waits for your decision. ${nextOf(question)}`,
    { context: { operationId: id, operation } },
  );
}

/** What to do, and what waits until then. @see SPEC.md §6.2 */
function nextOf({ operation, collection, isSkipOnly, holdsRows }: OperationQuestion): string {
  if (isSkipOnly === true) return 'Do on the target what it did, then skip it; everything else goes on.';
  if (operation === 'import')
    return 'Apply it, which copies the collection again, or skip it; the rows of the stream go on meanwhile.';
  if (holdsRows === true) return 'Apply it or skip it; the collection waits at that place until then.';
  if (collection !== undefined)
    return 'Apply it or skip it; operations of the collection that come behind it wait, its rows go on.';
  const what = isOfRights(operation) ? 'users and rights' : 'the database';
  return `Apply it or skip it; operations on ${what} that come behind it wait, all rows go on.`;
}

const isOfRights = (operation: string): boolean => (OPERATION_GROUPS.rights as readonly string[]).includes(operation);
