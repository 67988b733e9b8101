import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  OWNER_FILE,
  killServersOf,
  readOwner,
  removeLeftovers,
  takeOver,
  writeOwner,
} from '../../../../electron/core/lab/lab-owner.ts';
import { INSTANCE_ENV } from '../../../../electron/core/lab/server-process.ts';
import { identify, procTable, type ProcessIdentity } from '../../../../electron/core/lab/process-identity.ts';

let parent: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'lifeline-test-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(parent, { recursive: true, force: true });
});

/** A stand-in for a server: a process that says by its environment which instance it serves. */
async function runServer(instance?: string): Promise<ChildProcess> {
  const env = { PATH: process.env['PATH'], ...(instance === undefined ? {} : { [INSTANCE_ENV]: instance }) };
  const child = spawn('sleep', ['60'], { env, stdio: 'ignore' });
  children.push(child);
  await once(child, 'spawn');
  return child;
}

async function deadProcess(): Promise<ProcessIdentity> {
  const child = await runServer();
  const identity = await identify(procTable, child.pid ?? 0);
  child.kill('SIGKILL');
  await once(child, 'exit');
  if (identity === undefined) throw new Error('The process was not seen.');
  return identity;
}

async function makeLab(name: string, owner: ProcessIdentity, purpose = 'throwaway'): Promise<string> {
  const directory = join(parent, name);
  await mkdir(join(directory, 'source'), { recursive: true });
  await writeFile(join(directory, OWNER_FILE), JSON.stringify({ version: 1, purpose, owner }));
  return directory;
}

describe('removeLeftovers', () => {
  it('ends the servers of a lab whose owner died and deletes its folder', async () => {
    const directory = await makeLab('lifeline-lab-dead', await deadProcess());
    const server = await runServer(join(directory, 'source'));
    const exited = once(server, 'exit');
    expect(await removeLeftovers(procTable, parent)).toEqual([directory]);
    await exited;
    expect(server.signalCode).toBe('SIGKILL');
    await expect(access(directory)).rejects.toThrow('ENOENT');
  });

  it('leaves the lab of a living owner alone', async () => {
    const self = await identify(procTable, process.pid);
    const directory = await makeLab('lifeline-lab-alive', self as ProcessIdentity);
    const server = await runServer(join(directory, 'source'));
    expect(await removeLeftovers(procTable, parent)).toEqual([]);
    expect(server.exitCode ?? server.signalCode).toBeNull();
    await access(directory);
  });

  it("knows a living process with the dead owner's number for another one", async () => {
    const self = (await identify(procTable, process.pid)) as ProcessIdentity;
    const directory = await makeLab('lifeline-lab-reused', { ...self, startTime: '1' });
    expect(await removeLeftovers(procTable, parent)).toEqual([directory]);
  });

  it('touches no process that does not name a folder of that lab', async () => {
    const directory = await makeLab('lifeline-lab-dead', await deadProcess());
    const strangers = [
      await runServer(),
      await runServer(`${directory}2/source`),
      await runServer('/elsewhere/source'),
    ];
    await removeLeftovers(procTable, parent);
    expect(strangers.map((child) => child.exitCode ?? child.signalCode)).toEqual([null, null, null]);
  });

  it('leaves kept labs, other folders, links and owners that it cannot read alone', async () => {
    const dead = await deadProcess();
    const target = await makeLab('target-of-link', dead);
    await makeLab('lifeline-lab-kept', dead, 'kept');
    await makeLab('some-other-folder', dead);
    await symlink(target, join(parent, 'lifeline-lab-link'));
    await mkdir(join(parent, 'lifeline-lab-strange'));
    await writeFile(join(parent, 'lifeline-lab-strange', OWNER_FILE), 'not ours');
    await writeFile(join(parent, 'lifeline-lab-file'), '');
    const before = (await readdir(parent)).sort();
    expect(await removeLeftovers(procTable, parent)).toEqual([]);
    expect((await readdir(parent)).sort()).toEqual(before);
  });

  it('removes an old empty folder that never got an owner, and leaves a fresh one to whoever is making it', async () => {
    const old = join(parent, 'lifeline-lab-old');
    await mkdir(old);
    await utimes(old, new Date(0), new Date(0));
    await mkdir(join(parent, 'lifeline-lab-new'));
    const full = join(parent, 'lifeline-lab-full');
    await mkdir(full);
    await writeFile(join(full, 'file'), '');
    await utimes(full, new Date(0), new Date(0));
    await removeLeftovers(procTable, parent);
    expect((await readdir(parent)).sort()).toEqual(['lifeline-lab-full', 'lifeline-lab-new']);
  });
});

describe('takeOver', () => {
  it('refuses a lab that another living process has open', async () => {
    const other = await runServer();
    const directory = await makeLab('kept', (await identify(procTable, other.pid ?? 0)) as ProcessIdentity, 'kept');
    await expect(takeOver(procTable, directory)).rejects.toMatchObject({
      code: 'labFailed',
      message: expect.stringContaining(`in use by process ${other.pid}`),
    });
  });

  it('ends the servers that a dead owner left running and becomes the owner', async () => {
    const directory = await makeLab('kept', await deadProcess(), 'kept');
    const server = await runServer(join(directory, 'target'));
    const exited = once(server, 'exit');
    await takeOver(procTable, directory);
    await exited;
    expect((await readOwner(directory))?.owner.pid).toBe(process.pid);
    await access(join(directory, 'source'));
  });
});

it('writes an owner that it can read again', async () => {
  await writeOwner(procTable, parent, 'throwaway');
  expect(await readOwner(parent)).toMatchObject({ version: 1, purpose: 'throwaway', owner: { pid: process.pid } });
  await killServersOf(procTable, parent);
});
