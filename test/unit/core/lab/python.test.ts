import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { causeInOutput, installSentence, requirePython, runPython } from '../../../../electron/core/lab/python.ts';

describe('installSentence', () => {
  it.each([
    ['ID=debian\n', 'sudo apt install python3-pip'],
    ['NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\n', 'sudo apt install python3-pip'],
    ['ID=linuxmint\nID_LIKE="ubuntu debian"\n', 'sudo apt install python3-pip'],
    ['ID="rocky"\nID_LIKE="rhel centos fedora"\n', 'sudo dnf install python3-pip'],
    ['ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n', 'sudo zypper install python3-pip'],
    ['ID=arch\n', 'sudo pacman -S python-pip'],
  ])('names the command of the distribution %j', (osRelease, command) => {
    expect(installSentence('pip', osRelease)).toBe(`Install it with: ${command}`);
  });

  it('names no command where it knows none', () => {
    expect(installSentence('pip', 'ID=plan9\n')).toContain("your system's package manager");
  });
});

describe('causeInOutput', () => {
  it('tells the broken connection and not what pip concludes from it', () => {
    // Captured from pip 23.2 with nothing listening at its index.
    const stderr = `WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPConnection object at 0x7f30762cac90>: Failed to establish a new connection: [Errno 111] Connection refused')': /simple/milvus/
ERROR: Could not find a version that satisfies the requirement milvus==2.3.5 (from versions: none)
ERROR: No matching distribution found for milvus==2.3.5`;
    expect(causeInOutput(stderr)).toBe('Failed to establish a new connection: [Errno 111] Connection refused.');
  });

  it('tells the first error otherwise, without credentials', () => {
    expect(causeInOutput('x\nERROR: 401 for https://me:secret@host.example/simple\nERROR: later\n')).toBe(
      '401 for https://host.example/simple.',
    );
  });
});

describe('with another python3 in the path', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lifeline-test-'));
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(directory, { recursive: true, force: true });
  });

  const putPython = async (script: string): Promise<void> => {
    await writeFile(join(directory, 'python3'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    vi.stubEnv('PATH', `${directory}${delimiter}/usr/bin${delimiter}/bin`);
  };

  it('names the missing Python', async () => {
    vi.stubEnv('PATH', directory);
    await expect(requirePython({ pip: true })).rejects.toMatchObject({
      code: 'prerequisiteMissing',
      side: 'lab',
      message: expect.stringMatching(/python3 was not found\. Install /),
    });
  });

  it('names the missing pip', async () => {
    await putPython('[ "$2" = pip ] && { echo "No module named pip" >&2; exit 1; }; exit 0');
    await expect(requirePython({ pip: true })).rejects.toMatchObject({
      code: 'prerequisiteMissing',
      message: expect.stringContaining('no pip'),
    });
    await expect(requirePython({ pip: false })).resolves.toBeUndefined();
  });

  it('names the missing lzma module', async () => {
    await putPython('echo "ModuleNotFoundError: No module named _lzma" >&2; exit 1');
    await expect(requirePython({ pip: false })).rejects.toMatchObject({
      code: 'prerequisiteMissing',
      message: expect.stringContaining('lzma'),
    });
  });

  it('ends the process when it is told to, and throws the reason', async () => {
    await symlink('/bin/sleep', join(directory, 'python3'));
    vi.stubEnv('PATH', directory);
    const abort = new AbortController();
    const run = runPython(['60'], { signal: abort.signal });
    abort.abort(new Error('No longer wanted.'));
    await expect(run).rejects.toThrow('No longer wanted.');
  });
});
