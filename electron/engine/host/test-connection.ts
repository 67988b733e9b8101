/** The connection test as the core asks for it. */
import { z } from 'zod';
import {
  hopProgressSchema,
  hopSchema,
  type ConnectionParts,
  type Hop,
  type HopProgress,
} from '../../../shared/contract/procedures.ts';
import { runJob } from './job-host.ts';

/** A person waits for each answer in front of a form. */
export const HOP_BUDGET_MS = 5_000;
/** At most three hops follow each other, the rest runs beside them; starting the thread and a margin on top. */
const TEST_TIMEOUT_MS = 3 * HOP_BUDGET_MS + 5_000;

export interface ConnectionTestInput {
  readonly parts: ConnectionParts;
  readonly logLevel: string;
}

export interface ConnectionTestOptions {
  readonly signal?: AbortSignal;
  /** Each hop as it begins and as it ends. */
  readonly onHop?: (hop: HopProgress) => void;
}

/** The hops of the parts that are there, in the order of the way. */
export function hopsOf({ etcd, wal, milvus }: ConnectionParts): Hop['hop'][] {
  return [
    ...(etcd === undefined ? [] : (['etcd', 'catalog'] as const)),
    ...(wal === undefined ? [] : (['log', 'channels'] as const)),
    ...(milvus === undefined ? [] : (['milvus', 'writes'] as const)),
    ...(etcd === undefined || wal === undefined || milvus === undefined ? [] : (['rows'] as const)),
  ];
}

/** One entry for each of `hopsOf`, in that order. A failed hop is a result, no error. @throws an aborted signal's reason. */
export async function testConnection(
  parts: ConnectionParts,
  logLevel: string,
  { signal, onHop }: ConnectionTestOptions = {},
): Promise<Hop[]> {
  const input: ConnectionTestInput = { parts, logLevel };
  const result = await runJob('test-connection', input, {
    timeoutMs: TEST_TIMEOUT_MS,
    ...(signal === undefined ? {} : { signal }),
    ...(onHop === undefined ? {} : { onProgress: (progress) => onHop(hopProgressSchema.parse(progress)) }),
  });
  return z.array(hopSchema).parse(result);
}
