import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { retrying } from '../../../../electron/engine/runtime/retry.ts';
import { ReplicationError, type ErrorCode } from '../../../../shared/model/replication-error.ts';

const failure = (code: ErrorCode): ReplicationError => new ReplicationError(code, 'target', `It failed: ${code}.`);
const observer = () => ({ blocked: vi.fn(), unblocked: vi.fn() });

describe('retrying', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    vi.setTimerTickMode('nextTimerAsync');
  });
  afterEach(() => vi.useRealTimers());

  test('gives the result of an attempt that succeeds at once, and says nothing', async () => {
    const seen = observer();
    await expect(retrying(() => Promise.resolve(7), new AbortController().signal, seen)).resolves.toBe(7);
    expect(seen.blocked).not.toHaveBeenCalled();
    expect(seen.unblocked).not.toHaveBeenCalled();
  });

  test('repeats what time can mend, hands each attempt the failure before, and says when it is over', async () => {
    const seen = observer();
    const previous: (string | undefined)[] = [];
    const codes: ErrorCode[] = ['timeout', 'rateLimited'];
    const result = await retrying(
      (before) => {
        previous.push(before?.code);
        const code = codes.shift();
        return code === undefined ? Promise.resolve('done') : Promise.reject(failure(code));
      },
      new AbortController().signal,
      seen,
    );
    expect(result).toBe('done');
    expect(previous).toEqual([undefined, 'timeout', 'rateLimited']);
    expect(seen.blocked.mock.calls.map(([error]) => (error as ReplicationError).code)).toEqual([
      'timeout',
      'rateLimited',
    ]);
    expect(seen.unblocked).toHaveBeenCalledTimes(1);
  });

  test('pauses longer and longer, and never longer than ten seconds', async () => {
    const pauses: number[] = [];
    let attempts = 0;
    await retrying(
      () => ((attempts += 1) < 15 ? Promise.reject(failure('unreachable')) : Promise.resolve()),
      new AbortController().signal,
      { blocked: (_error, pauseMs) => pauses.push(pauseMs), unblocked: () => undefined },
    );
    expect(pauses[0]).toBeGreaterThanOrEqual(200);
    expect(pauses[0]).toBeLessThanOrEqual(400);
    expect(Math.max(...pauses)).toBe(10_000);
  });

  test.each(['permissionDenied', 'positionLost', 'bug', 'unknown'] as const)('throws %s at once', async (code) => {
    const attempt = vi.fn(() => Promise.reject(failure(code)));
    await expect(retrying(attempt, new AbortController().signal, observer())).rejects.toMatchObject({ code });
    expect(attempt).toHaveBeenCalledTimes(1);
  });

  test('takes an error that is none of ours for a bug, and keeps it as the cause', async () => {
    const thrown = new TypeError('x is not a function');
    await expect(
      retrying(() => Promise.reject(thrown), new AbortController().signal, observer()),
    ).rejects.toMatchObject({
      code: 'bug',
      cause: thrown,
    });
  });

  test('ends in the middle of a pause when it is aborted, with the reason', async () => {
    vi.setTimerTickMode('manual');
    const stop = new AbortController();
    const blocked = Promise.withResolvers<void>();
    const result = retrying(() => Promise.reject(failure('timeout')), stop.signal, {
      blocked: () => blocked.resolve(),
      unblocked: () => undefined,
    });
    await blocked.promise;
    stop.abort(new Error('stopped'));
    await expect(result).rejects.toThrow('stopped');
    expect(vi.getTimerCount()).toBe(0);
  });

  test('does not begin when it is aborted already', async () => {
    const attempt = vi.fn(() => Promise.resolve());
    await expect(retrying(attempt, AbortSignal.abort(new Error('stopped')), observer())).rejects.toThrow('stopped');
    expect(attempt).not.toHaveBeenCalled();
  });
});
