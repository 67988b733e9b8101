/** The proof of a join, for the task's history. */
import type { JoinCertificate, TaskStore } from '../../../shared/model/task-state.ts';
import type { Clock } from '../runtime/clock.ts';
import type { CopiedReplica } from './copy-runner.ts';

export function joinCertificate(
  { replica, shards, ends, copyBeganMs, copyEndedMs }: CopiedReplica,
  { store, clock }: { readonly store: Pick<TaskStore, 'copyProgress'>; readonly clock: Clock },
): JoinCertificate {
  const progress = store.copyProgress(replica.id);
  const lanes = new Map([...replica.lanes()].map((lane) => [lane.vchannel, lane]));
  return {
    collectionId: replica.id.toString(),
    ...replica.address,
    rowsCopied: progress.reduce((total, { rowCount }) => total + rowCount, 0n).toString(),
    sourceDoubles: progress.reduce((total, { doubledRowCount }) => total + doubledRowCount, 0n).toString(),
    ...(replica.isRecopy
      ? {
          isRecopy: true,
          rowsDeleted: progress.reduce((total, { deletedRowCount }) => total + deletedRowCount, 0n).toString(),
        }
      : {}),
    copyBegan: copyBeganMs,
    copyEnded: copyEndedMs,
    joined: clock.now(),
    shards: shards.map(({ vchannel, checkpoint }) => ({
      vchannel,
      copyStart: checkpoint.resume.ordinal.toString(),
      copyEnd: (ends.get(vchannel) ?? checkpoint.resume.ordinal).toString(),
      joinedAt: (lanes.get(vchannel)?.confirmed.resume.ordinal ?? checkpoint.resume.ordinal).toString(),
      joinedTick: (lanes.get(vchannel)?.confirmed.tick ?? checkpoint.tick).toString(),
    })),
  };
}
