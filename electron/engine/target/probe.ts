/**
 * Finds out, without leaving a trace on the target, whether it can be reached, signs us in, and takes writes.
 *
 * - `GetVersion` needs the sign-in.
 * - `ReplicateMessage` is what a mirror takes instead of writes: an ordinary cluster answers 1900 at once, a mirror
 *   complains of the empty channel name (internal/proxy/impl.go, 2.3; seen with 2.3.5 both ways).
 * - `CheckHealth` lists the quotas that are in force, `limitWriting.forceDeny` among them (seen with 2.3.5). An insert
 *   into a collection that does not exist would not tell: quotas are looked at after the collection.
 *
 * The last two are refinements: a server or a user that is not allowed them is no worse a target for it.
 */
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import { classifyMilvusError } from '../errors/classify-milvus.ts';
import type { Logger } from '../runtime/logger.ts';
import type { MilvusRpc } from '../milvus/milvus-rpc.ts';
import type { TargetInfo } from './target.ts';

/** `ErrParameterInvalid`: the answer of a mirror to an empty channel name. */
const CODE_INVALID_PARAMETER = 1100;
/** `milvus.QuotaState.DenyToWrite`. */
const QUOTA_DENY_TO_WRITE = 5;
/** `ErrServiceQuotaExceeded` and, beside it, `ForceDeny`: what a write would be answered. */
const CODE_QUOTA = 9;
const ERROR_CODE_FORCE_DENY = 48;
/** `ErrDenyProduceMsg`: what a write to a mirror would be answered. */
const CODE_DENY_PRODUCE = 1303;

/** Codes that say nothing against the target as such. */
const TOLERATED: ReadonlySet<string> = new Set(['unsupported', 'permissionDenied', 'unknown', 'invalidRequest']);

/** @throws unreachable, unauthenticated, notReady, rateLimited, writeRefused, timeout; within `probeMs`. */
export async function probeTarget(
  rpc: MilvusRpc,
  probeMs: number,
  logger: Logger,
  signal: AbortSignal,
): Promise<TargetInfo> {
  const endsAtMs = performance.now() + probeMs;
  const { version } = await rpc.call('GetVersion', {}, { deadlineMs: probeMs, signal });
  const deadlineMs = Math.max(endsAtMs - performance.now(), 1);
  const tolerate = (error: unknown): void => {
    if (!(error instanceof ReplicationError && TOLERATED.has(error.code))) throw error;
    logger.debug({ address: rpc.address, code: error.code, context: error.context }, 'A part of the probe was refused');
  };
  await Promise.all([
    assertNoMirror(rpc, deadlineMs, signal).catch(tolerate),
    assertWritable(rpc, deadlineMs, signal).catch(tolerate),
  ]);
  return { version };
}

async function assertNoMirror(rpc: MilvusRpc, deadlineMs: number, signal: AbortSignal): Promise<void> {
  try {
    await rpc.call('ReplicateMessage', { channelName: '' }, { deadlineMs, signal });
  } catch (error) {
    if (!(error instanceof ReplicationError && error.context['milvusCode'] === CODE_INVALID_PARAMETER)) throw error;
    throw classifyMilvusError(
      { kind: 'status', errorCode: 0, code: CODE_DENY_PRODUCE, reason: 'common.ttMsgEnabled is false' },
      { side: 'target', address: rpc.address, call: 'ReplicateMessage', deadlineMs },
    );
  }
}

async function assertWritable(rpc: MilvusRpc, deadlineMs: number, signal: AbortSignal): Promise<void> {
  const health = await rpc.call('CheckHealth', {}, { deadlineMs, signal });
  const fault = { kind: 'status', reason: health.reasons.join('; ') } as const;
  const origin = { side: 'target', address: rpc.address, call: 'CheckHealth', deadlineMs } as const;
  if (health.quotaStates.includes(QUOTA_DENY_TO_WRITE)) {
    throw classifyMilvusError({ ...fault, code: CODE_QUOTA, errorCode: ERROR_CODE_FORCE_DENY }, origin);
  }
  if (!health.isHealthy) throw classifyMilvusError({ ...fault, code: 2, errorCode: 0 }, origin);
}
