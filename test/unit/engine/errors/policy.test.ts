import { describe, expect, it } from 'vitest';
import { ERROR_POLICY, outcomeOf } from '../../../../electron/engine/errors/policy.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';

describe('the policy', () => {
  it('repeats by itself only what time or the hand of an administrator over there can mend', () => {
    const automatic = Object.entries(ERROR_POLICY).filter(([, { retry }]) => retry === 'automatic');
    expect(automatic.map(([code]) => code)).toEqual([
      'unreachable',
      'timeout',
      'rateLimited',
      'notReady',
      'writeRefused',
      'storeFull',
    ]);
  });

  it.each(Object.entries(ERROR_POLICY))('tells the operator in one sentence what to do about %s', (_, { hint }) => {
    expect(hint).toMatch(/^[A-Z].*\.$/);
  });

  it('takes the outcome from the error, and from its code where the error is silent', () => {
    const error = (context: Record<string, string>) =>
      new ReplicationError('unreachable', 'target', 'The target is away.', { context });
    expect(outcomeOf(error({ outcome: 'refused' }))).toBe('refused');
    expect(outcomeOf(error({}))).toBe('unknown');
    expect(outcomeOf(new ReplicationError('notFound', 'target', 'It is gone.'))).toBe('refused');
  });
});
