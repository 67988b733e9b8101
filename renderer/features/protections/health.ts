/** What stands in a protection's way and what can be done about it, from its last status. Pure. */
import type { QuarantinedRecordView, TaskView } from '../../../shared/contract/procedures.ts';
import type { Collection, Status } from './protection-view.ts';

export type Stages = NonNullable<Status['stages']>;
export type Stage = Stages['bottleneck']['stage'];
export type Source = NonNullable<Status['source']>;
export type Headroom = NonNullable<Status['headroom']>[number];
export type Gap = NonNullable<Status['gaps']>[number];

const LEVELS: readonly Headroom['level'][] = ['critical', 'low', 'ok'];

/**
 * When what the channel needs is removed, in ms from now: at this rate while the protection runs, by the clock while it
 * does not. `undefined`: no end is in sight, or none is known.
 */
export function headroomLeftMs({ leftMs, keptUntilMs }: Headroom, isRunning: boolean, now: number): number | undefined {
  if (isRunning) return leftMs ?? undefined;
  return keptUntilMs === undefined ? undefined : Math.max(0, keptUntilMs - now);
}

/** The most pressing channel first. */
export function byUrgency(headroom: readonly Headroom[], isRunning: boolean, now: number): readonly Headroom[] {
  const leftOf = (one: Headroom): number => headroomLeftMs(one, isRunning, now) ?? Infinity;
  return [...headroom].sort(
    (a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level) || compare(leftOf(a), leftOf(b)),
  );
}

// Infinity minus itself is no number.
const compare = (a: number, b: number): number => (a === b ? 0 : a < b ? -1 : 1);

/**
 * It has been stopped by an error of its own: it must be resumed before any of its collections can be helped. While a person is
 * asked about an operation, it runs.
 */
export function hasEnded({ status }: TaskView): boolean {
  if (status?.trouble === undefined || status.trouble.nextTryAt !== undefined) return false;
  if (status.trouble.error.code === 'decisionNeeded') return false;
  return status.state === 'failed' || status.state === 'held';
}

/** It can be told what to do with its collections. */
export const takesOrders = (task: TaskView): boolean =>
  task.desired === 'running' && task.status !== undefined && !hasEnded(task);

/** It waits for a person. */
export const isStopped = ({ state }: Pick<Collection, 'state'>): boolean => state === 'held' || state === 'failed';

/** It stands where it can be copied again: not while a copy of it is under way. */
export const canCopyAgain = ({ state }: Pick<Collection, 'state'>): boolean =>
  state === 'following' || state === 'blocked' || state === 'held' || state === 'failed';

/** Ids of the collections that wait because of a gap. */
export function collectionsOfGap({ collections: names }: Gap, collections: readonly Collection[]): readonly string[] {
  return collections
    .filter((one) => isStopped(one) && names.includes(`${one.database}.${one.name}`))
    .map(({ id }) => id);
}

/** What can only be closed by a copy: to try again would fail again. */
const COPY_HELPS: ReadonlySet<string> = new Set(['positionLost', 'targetChanged', 'storeOutdated']);

export const needsCopy = ({ trouble }: Collection): boolean =>
  trouble !== undefined && COPY_HELPS.has(trouble.error.code);

/** The message that a collection waits for a decision on. */
export const openRecordOf = (
  { id }: Pick<Collection, 'id'>,
  records: readonly QuarantinedRecordView[],
): QuarantinedRecordView | undefined =>
  records.find(({ collectionId, decision }) => collectionId === id && decision === undefined);

/** Another engine that writes into the target, as far as the refusal names it. */
export function otherEngine({ status }: TaskView): { readonly message: string; readonly host: string } | undefined {
  const error = status?.trouble?.error;
  if (error?.code !== 'targetInUse') return undefined;
  const { host } = error.context;
  return { message: error.message, host: typeof host === 'string' ? host : '' };
}
