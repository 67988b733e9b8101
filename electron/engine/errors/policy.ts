/**
 * What to do about each error. The one table: throw sites say what happened, this says what follows.
 *
 * - `automatic`: try again, with growing pauses, without anyone's doing. Only where time alone can mend it.
 * - `operator`: stop at the last checkpoint and wait for somebody; then go on from there.
 * - `never`: repeating cannot help.
 */
import { ReplicationError, type ErrorCode } from '../../../shared/model/replication-error.ts';

export type Retry = 'automatic' | 'operator' | 'never';
/** Whether a call that failed in this way may have had its effect all the same. */
export type Outcome = 'refused' | 'unknown';

export interface ErrorPolicy {
  readonly retry: Retry;
  /** What the operator should do: one sentence. */
  readonly hint: string;
  /** Where the error itself does not say. */
  readonly outcome: Outcome;
}

const refused = (retry: Retry, hint: string): ErrorPolicy => ({ retry, hint, outcome: 'refused' });
const open = (retry: Retry, hint: string): ErrorPolicy => ({ retry, hint, outcome: 'unknown' });

export const ERROR_POLICY: Readonly<Record<ErrorCode, ErrorPolicy>> = {
  // Servers restart and networks break; both come back by themselves.
  unreachable: open('automatic', 'Check that the server runs and that its address and port can be reached from here.'),
  // A busy server answers later.
  timeout: open('automatic', 'Check the load of the server, and its log if this lasts.'),
  // The server asks for nothing but patience.
  rateLimited: refused('automatic', 'Wait, or raise the limits of rate and memory on the server if this lasts.'),
  // A server that starts or recovers is ready after a while.
  notReady: refused('automatic', 'Wait until all parts of the server have started.'),

  unauthenticated: refused('operator', 'Correct the user name and password of the connection, then resume.'),
  permissionDenied: refused('operator', 'Grant the user the missing privilege, then resume.'),
  // Quotas free themselves and settings are flipped back; the sentence says what to do, and it goes on by itself.
  writeRefused: refused('automatic', 'Lift what keeps the target from taking writes; it goes on by itself.'),
  notFound: refused('operator', 'Find out who dropped it on the target, and make it again or rebuild the copy.'),
  notReadable: refused(
    'operator',
    'Load the collection on the source, or allow it to be loaded for the copy, then resume.',
  ),
  importNotCopied: refused(
    'operator',
    'Give the source the address of its Milvus, or set imports to be skipped, then resume.',
  ),
  alreadyExists: refused('operator', 'Drop or rename what is in the way on the target, then resume.'),
  invalidRequest: refused('operator', 'Compare the schema and settings of the collection on both sides, then resume.'),
  messageTooLarge: refused('operator', 'Raise the limits of message size on the target, then resume.'),
  unsupported: refused(
    'operator',
    'Use a target whose version offers what the source uses, or leave the collection out.',
  ),
  unknown: open('operator', 'Read the log of the server named in the message, then resume.'),
  rootPathNotFound: refused(
    'operator',
    "Enter the source's etcd.rootPath and etcd.metaSubPath as its milvus.yaml has them.",
  ),
  channelsNotFound: refused(
    'operator',
    "Enter the source's channel prefix and log address as its milvus.yaml has them.",
  ),
  storeFailed: refused('operator', 'Check the free space and the rights of the data folder, then resume.'),
  // Whoever makes room need not tell us.
  storeFull: refused('automatic', 'Make room on the disk of the data folder; it goes on by itself.'),
  storeOutdated: refused('operator', 'Bring back the newest copy of the data folder, or copy the collections again.'),
  // Where it began anew by itself, the two would take the task from each other in turn.
  leaseLost: refused('operator', 'Resume it here only when it no longer runs elsewhere.'),
  targetInUse: refused('operator', 'Stop the other one, or take the target over if it is no longer needed.'),
  replicationLoop: refused(
    'operator',
    'Leave the collection out here, or end the replication that brings it to the source; then resume.',
  ),
  invalidConfig: refused('operator', 'Correct the named setting.'),
  prerequisiteMissing: refused('operator', 'Install what is missing with the command in the message.'),
  downloadFailed: refused('operator', 'Check the network, or give the file by hand.'),
  labFailed: refused('operator', 'Read the named log of the lab, then start it again.'),

  positionLost: refused('never', 'Copy the collection afresh: the log no longer holds what has to be read.'),
  sourceChanged: refused('never', 'Point the task at its own source again, or make a new task for this one.'),
  sourceGone: refused('never', 'Drop its copy on the target when it is no longer needed, then resume.'),
  targetChanged: refused('never', 'Copy the collection again.'),
  doubledRows: refused('operator', 'Retry the collection; if it comes again, copy it afresh.'),
  decisionNeeded: refused('operator', 'Decide whether it is to be applied or skipped.'),
  malformedMessage: refused('never', 'Report the message with the version of the source; it is not passed over.'),
  bug: open('never', 'Report this failure with its details.'),
};

/** Whether the failed call may have had its effect: what the error says, else what its code implies. */
export function outcomeOf(error: ReplicationError): Outcome {
  const told = error.context['outcome'];
  return told === 'refused' || told === 'unknown' ? told : ERROR_POLICY[error.code].outcome;
}

/** The call that failed has had no effect. */
export const isRefused = (error: unknown): error is ReplicationError =>
  error instanceof ReplicationError && outcomeOf(error) === 'refused';

export const isRetriedAutomatically = (error: ReplicationError): boolean =>
  ERROR_POLICY[error.code].retry === 'automatic';

/** What the operator should do about it: one sentence. */
export const hintFor = (error: ReplicationError): string => ERROR_POLICY[error.code].hint;

const HELD: ReadonlySet<string> = new Set<ErrorCode>([
  'sourceChanged',
  'sourceGone',
  'targetChanged',
  'targetInUse',
  'replicationLoop',
  'leaseLost',
  'storeOutdated',
  'positionLost',
  'alreadyExists',
  'notReadable',
  'importNotCopied',
  'unsupported',
  'decisionNeeded',
]);

/** `held` waits for a decision about the data; every other error that is not repeated is a failure. */
export const isHeld = (code: string): boolean => HELD.has(code);
