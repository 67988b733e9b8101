/**
 * Users, roles and grants, with the task's option: one after the other in the order of the log, by the source's own bytes.
 *
 * Two users are never touched, whatever the source does to its own: `root`, and the one that Lifeline signs in with. A changed
 * password or a lost role there would lock Lifeline and the operator out of the standby. What the target refuses is recorded
 * and passed over: a user that the source made before replication began is not on the target, since nobody can read a password.
 */
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import { isRefused } from '../errors/policy.ts';
import type { SerialLane } from '../runtime/waiting.ts';
import type { OperationRecord } from '../codec/records.ts';
import { isTakenAway, readRightsSubject, withNewPasswordAsOld, type RightsSubject } from '../codec/rights-requests.ts';
import type { RightsOperation, Target } from '../target/target.ts';
import type { OperationOutcome } from './operation-executor.ts';

/** Milvus' own superuser (internal/util: `UserRoot`, 2.3). */
export const ROOT = 'root';

export interface RightsOperationsContext {
  readonly target: Pick<Target, 'operateRights'>;
  /** The user that the target is signed in to with, where it is known. */
  readonly signInUser: string | undefined;
  /** One after the other with what the source's API shows (`rights-copy.ts`). */
  readonly lane: SerialLane;
  /** Repeated after the policy; a failure is the caller's. */
  readonly onTarget: <T>(name: string, call: (signal: AbortSignal) => Promise<T>) => Promise<T>;
  notice(text: string): void;
}

export class RightsOperations {
  readonly #context: RightsOperationsContext;

  constructor(context: RightsOperationsContext) {
    this.#context = context;
  }

  /** Why it is left alone whatever the policy says. */
  protectedReason({ user }: RightsSubject): string | undefined {
    if (user === undefined) return undefined;
    if (user === ROOT) return 'root is never changed on the target.';
    if (user === this.#context.signInUser) return `${user} is the user that Lifeline signs in to the target with.`;
    return undefined;
  }

  run(operation: RightsOperation, { request }: OperationRecord, subject: RightsSubject): Promise<OperationOutcome> {
    return this.#context.lane.run(() => this.#run(operation, request, subject));
  }

  async #run(operation: RightsOperation, request: Uint8Array, subject: RightsSubject): Promise<OperationOutcome> {
    try {
      await this.#send(operation, request);
      return { outcome: 'applied' };
    } catch (error) {
      if (!isNotTaken(error)) throw error;
      if (isDoneAlready(operation, request, error))
        return { outcome: 'applied', reason: 'It was so on the target already.' };
      if (operation === 'updateCredential' && (await this.#isPasswordSet(request))) return { outcome: 'applied' };
      const whom = subject.user ?? subject.role ?? subject.privilegeGroup ?? '';
      this.#context.notice(
        `The target refused ${operation} of ${whom}. Rights differ there; see the history of operations.`,
      );
      return { outcome: 'failed', reason: error.message };
    }
  }

  /** Read again after a crash, the old password is the old one no longer. */
  async #isPasswordSet(request: Uint8Array): Promise<boolean> {
    try {
      await this.#send('updateCredential', withNewPasswordAsOld(request));
      return true;
    } catch (error) {
      if (isNotTaken(error)) return false;
      throw error;
    }
  }

  #send(operation: RightsOperation, request: Uint8Array): Promise<void> {
    const { target, onTarget } = this.#context;
    return onTarget(operation, (signal) => target.operateRights(operation, request, signal));
  }
}

/**
 * The target has answered that it does not do it. Milvus has no codes for what it refuses of rights (65535 and a text; 2.3 to
 * 2.5), so that such an answer counts as open everywhere else; here a repetition asks for the same, and is met again after a crash.
 */
export const isNotTaken = (error: unknown): error is ReplicationError =>
  isRefused(error) || (error instanceof ReplicationError && error.code === 'unknown');

/** In the words of 2.3 to 2.6: of a user or a role that is to be made or added to, and of a privilege group. */
const THERE_ALREADY = /already exist|has already|been granted|is defined by users/i;
/** What is to be taken away, or what it is to be taken from. */
const GONE_ALREADY = /not found|not exist|not a custom privilege group|there is no privilege group/i;

/** A password that differs is not "there already", and is tried otherwise. */
function isDoneAlready(operation: RightsOperation, request: Uint8Array, error: ReplicationError): boolean {
  if (operation === 'updateCredential') return false;
  if (isTakenAway(operation, request)) return GONE_ALREADY.test(error.message);
  return error.code === 'alreadyExists' || THERE_ALREADY.test(error.message);
}

export const subjectOf = (record: OperationRecord): RightsSubject =>
  readRightsSubject(record.operation, record.request);

export const subjectText = ({ user, role, privilegeGroup }: RightsSubject): string | undefined =>
  [user, role, privilegeGroup].filter((name) => name !== undefined && name !== '').join(' / ') || undefined;
