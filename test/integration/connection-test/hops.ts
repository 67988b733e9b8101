/** The connection test as the core runs it, looked at as a person sees it. */
import { expect } from 'vitest';
import { testConnection } from '../../../electron/engine/host/test-connection.ts';
import type { ConnectionParts, Hop } from '../../../shared/contract/procedures.ts';

/** A person waits for the whole answer; starting the thread is in it. */
const ANSWER_MS_MAX = 8_000;

export type HopName = Hop['hop'];

/** No secret of the parts may stand in what is said. */
export async function testHops(parts: ConnectionParts): Promise<ReadonlyMap<HopName, Hop>> {
  const startedMs = performance.now();
  const hops = await testConnection(parts, 'silent');
  expect(performance.now() - startedMs).toBeLessThan(ANSWER_MS_MAX);
  const said = JSON.stringify(hops);
  for (const secret of secretsOf(parts)) expect(said).not.toContain(secret);
  return new Map(hops.map((hop) => [hop.hop, hop]));
}

/** The state of each hop in order, and what the first that failed says. */
export async function firstFailure(parts: ConnectionParts): Promise<{ states: string; message: string }> {
  const hops = [...(await testHops(parts)).values()];
  return {
    states: hops.map(({ hop, state }) => `${hop} ${state}`).join(', '),
    message: hops.find(({ state }) => state === 'failed')?.message ?? '',
  };
}

/** A word that stands in every sentence about Milvus is no secret, though it be its first password. */
const WORDS = new Set(['', 'Milvus']);

function secretsOf(value: unknown, name = ''): string[] {
  if (typeof value === 'string') return ['password', 'token', 'key'].includes(name) && !WORDS.has(value) ? [value] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([inner, part]) => secretsOf(part, inner));
}
