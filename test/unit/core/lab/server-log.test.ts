import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { causeInLog, isPortTaken, recentLog } from '../../../../electron/core/lab/server-log.ts';

it('finds the last failure in a log and leaves its stack out', () => {
  const log = `[2026/11/23 06:48:16.897 +00:00] [ERROR] [proxy/util.go:964] ["Verify password failed"] [error="old"] [stack="a\\n\\tb"]
[2026/11/23 06:48:17.897 +00:00] [ERROR] [proxy/service.go:1] ["Proxy failed"] [error="no disk"] [stack="github.com/x\\n\\t/y.go:1"]
[2026/11/23 06:48:17.998 +00:00] [WARN] [roles/roles.go:285] ["Get signal to exit"] [signal=terminated]`;
  expect(causeInLog(log)).toBe('["Proxy failed"] [error="no disk"]');
});

it('takes the first panic for the reason and not one that follows from it', () => {
  expect(causeInLog('panic: mq type nonsense is invalid\n\ngoroutine 1\npanic: runtime error: nil pointer')).toBe(
    'panic: mq type nonsense is invalid',
  );
});

it('prefers the panic that ended the server to errors around it', () => {
  expect(causeInLog('panic: open /x: permission denied\n\ngoroutine 1\n[t] [ERROR] [a.go:1] ["later"]')).toBe(
    'panic: open /x: permission denied',
  );
});

it('finds nothing where nothing failed', () => {
  expect(causeInLog('[t] [INFO] [a.go:1] ["fine"]')).toBeUndefined();
});

it('knows a taken port', () => {
  expect(isPortTaken('listen tcp 127.0.0.1:41001: bind: address already in use')).toBe(true);
});

it('reads the logs of this run only', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'lifeline-test-'));
  try {
    const since = Date.now() - 1_000;
    await writeFile(join(directory, 'old.log'), 'old');
    await utimes(join(directory, 'old.log'), new Date(0), new Date(0));
    await writeFile(join(directory, 'console.log'), 'new');
    expect(await recentLog(directory, since)).toBe('new');
  } finally {
    await rm(directory, { recursive: true });
  }
});
