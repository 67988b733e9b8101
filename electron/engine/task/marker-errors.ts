/** What marker and store tell of the past and of others, as sentences. */
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { CopyDoubt } from '../../../shared/model/task-state.ts';
import type { MarkerReading } from '../target/target-marker.ts';
import type { WatchedCopy } from './changed-copies.ts';

/** The error of a collection whose copy is in doubt. */
export function doubtError(
  doubt: CopyDoubt,
  { source, address, id }: Pick<WatchedCopy, 'address' | 'source' | 'id'>,
): ReplicationError {
  const side = doubt.code === 'storeOutdated' ? 'store' : 'target';
  const { database, collection } = source ?? address;
  return new ReplicationError(doubt.code, side, `${doubt.message} Copy ${database}.${collection} again.`, {
    context: { database, collection, collectionId: id.toString() },
  });
}

export const targetRestored = (shown: bigint, confirmed: bigint): CopyDoubt => ({
  code: 'targetChanged',
  message: `The target was put back to an earlier state: Lifeline's marker there shows beat ${shown}, and ${confirmed} was confirmed. What was written since is missing.`,
});

export const storeOutdated = (shown: bigint, sent: bigint): CopyDoubt => ({
  code: 'storeOutdated',
  message: `The store was put back to an earlier state, or another Lifeline has written meanwhile: the marker in the target shows beat ${shown}, and the store knows of ${sent}.`,
});

function placeOf({ holder }: MarkerReading): string {
  if (holder === undefined) return 'an unknown place';
  const { task, host, folder, pid, began } = holder;
  const since = Number.isFinite(began) ? new Date(began).toISOString() : 'an unknown time';
  return `task ${task} on ${host} (process ${pid}, data folder ${folder}), since ${since}`;
}

export const inUse = (reading: MarkerReading): ReplicationError =>
  new ReplicationError(
    'targetInUse',
    'target',
    `Another Lifeline writes into the target from the same source: ${placeOf(reading)}. Stop it there, or resume here and take the target over.`,
    { context: { runId: reading.holder?.id ?? '', host: reading.holder?.host ?? '' } },
  );

/** @param withinMs Until it shows. */
export const waitsFor = (reading: MarkerReading, withinMs: number): ReplicationError =>
  new ReplicationError(
    'notReady',
    'target',
    `The target bears the marker of another Lifeline: ${placeOf(reading)}. Whether that one still lives shows within ${Math.round(withinMs / 1000)} s.`,
  );

export const lost = (reading: MarkerReading): ReplicationError =>
  new ReplicationError(
    'leaseLost',
    'target',
    `Another Lifeline has taken the target over: ${placeOf(reading)}. This run ends at its last checkpoint.`,
    { context: { runId: reading.holder?.id ?? '', host: reading.holder?.host ?? '' } },
  );
