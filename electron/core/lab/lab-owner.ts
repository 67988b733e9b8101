/**
 * Whose a lab is, and what becomes of it when its owner is gone.
 *
 * A lab's folder holds `owner.json`, which names the process that made it. A throwaway lab whose owner is dead is a
 * leftover: its servers are ended and its folder is deleted. Servers are found by an environment variable that only we
 * set and that holds the folder's path, so a server counts as ours even if its owner died before noting its pid, and a
 * process that merely inherited a pid never does.
 */
import { lstat, readFile, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import { readRecord } from './instance-record.ts';
import { KAFKA_FOLDER } from './kafka-instance.ts';
import { identify, livenessOf, type ProcessIdentity, type ProcessTable } from './process-identity.ts';
import { INSTANCE_ENV } from './server-process.ts';
import { removeServerTraces } from './server-traces.ts';

export const THROWAWAY_PREFIX = 'lifeline-lab-';
export const OWNER_FILE = 'owner.json';

/** Folder names of the two instances inside a lab. */
export const SIDE_NAMES = ['source', 'target'] as const;

/** An empty folder without an owner may belong to a lab that is being made this moment; after this time it does not. */
const OWNERLESS_AGE_MS = 60_000;
/** For a killed process to be gone: the kernel frees hundreds of megabytes first. */
const KILL_TIMEOUT_MS = 10_000;
const KILL_POLL_MS = 20;

const ownerSchema = z.strictObject({
  version: z.literal(1),
  purpose: z.enum(['throwaway', 'kept']),
  owner: z.strictObject({ pid: z.int(), startTime: z.string(), bootId: z.string(), pidNamespace: z.string() }),
});
export type LabOwner = z.infer<typeof ownerSchema>;

export async function writeOwner(table: ProcessTable, directory: string, purpose: LabOwner['purpose']): Promise<void> {
  const owner = await identify(table, process.pid);
  if (owner === undefined) throw new ReplicationError('bug', 'lab', 'Lifeline cannot find its own process in /proc.');
  const content: LabOwner = { version: 1, purpose, owner };
  const file = join(directory, OWNER_FILE);
  await writeFile(`${file}.new`, JSON.stringify(content, undefined, 2), { mode: 0o600 });
  await rename(`${file}.new`, file);
}

/** `undefined` when there is none or it says nothing that we understand. */
export async function readOwner(directory: string): Promise<LabOwner | undefined> {
  let text: string;
  try {
    text = await readFile(join(directory, OWNER_FILE), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return ownerSchema.parse(JSON.parse(text));
  } catch {
    // Not written by this version of Lifeline; who does not understand it does not touch what belongs to it.
    return undefined;
  }
}

/** Ends every server that runs in the lab's folder, at once, and waits until they are gone. */
export async function killServersOf(table: ProcessTable, directory: string): Promise<void> {
  const victims: ProcessIdentity[] = [];
  for (const pid of await table.pids()) {
    const instance = (await table.environment(pid))?.get(INSTANCE_ENV);
    if (instance === undefined || !instance.startsWith(directory + sep)) continue;
    const victim = await identify(table, pid);
    if (victim === undefined) continue;
    table.kill(pid, 'SIGKILL');
    victims.push(victim);
  }
  const deadline = Date.now() + KILL_TIMEOUT_MS;
  for (const victim of victims) {
    while ((await livenessOf(table, victim)) === 'alive') {
      if (Date.now() > deadline) {
        throw new ReplicationError(
          'labFailed',
          'lab',
          `The lab's old server (process ${victim.pid}) cannot be ended. End it by hand.`,
        );
      }
      await delay(KILL_POLL_MS);
    }
  }
}

/** Deletes the instances' folders of a lab whose servers have ended, and the files that they left elsewhere. */
export async function deleteInstances(directory: string): Promise<void> {
  for (const side of SIDE_NAMES) {
    const instance = join(directory, side);
    // A record that was damaged or never written names no traces to remove.
    const record = await readRecord(instance).catch(() => undefined);
    if (record !== undefined) removeServerTraces(record.alias);
    await rm(instance, { recursive: true, force: true, maxRetries: 5 });
  }
  await rm(join(directory, KAFKA_FOLDER), { recursive: true, force: true, maxRetries: 5 });
}

/**
 * Removes the throwaway labs under `parent` whose owners are dead; the folders removed are returned. Folders of other
 * users, symbolic links, folders without an owner's file that are not empty, and labs of living owners are left alone.
 */
export async function removeLeftovers(table: ProcessTable, parent: string): Promise<string[]> {
  const removed: string[] = [];
  for (const name of await readdir(parent)) {
    if (!name.startsWith(THROWAWAY_PREFIX)) continue;
    const directory = join(parent, name);
    if (await isLeftover(table, directory)) {
      await killServersOf(table, directory);
      await deleteInstances(directory);
      await rm(directory, { recursive: true, force: true, maxRetries: 5 });
      removed.push(directory);
    }
  }
  return removed;
}

async function isLeftover(table: ProcessTable, directory: string): Promise<boolean> {
  const stats = await lstat(directory).catch(() => undefined);
  // Gone meanwhile, or put there by somebody else under our name.
  if (stats === undefined || !stats.isDirectory() || stats.uid !== process.getuid?.()) return false;
  const owner = await readOwner(directory);
  if (owner !== undefined) return owner.purpose === 'throwaway' && (await livenessOf(table, owner.owner)) === 'dead';
  // rmdir deletes nothing but an empty folder.
  if (Date.now() - stats.mtimeMs > OWNERLESS_AGE_MS) await rmdir(directory).catch(() => undefined);
  return false;
}

/** Refuses a kept lab that another living process has open, and makes it this process's; ends what a dead owner left. */
export async function takeOver(table: ProcessTable, directory: string): Promise<void> {
  const before = await readOwner(directory);
  if (before !== undefined && before.owner.pid !== process.pid) {
    const liveness = await livenessOf(table, before.owner);
    if (liveness !== 'dead') {
      throw new ReplicationError(
        'labFailed',
        'lab',
        liveness === 'alive'
          ? `The lab in ${directory} is in use by process ${before.owner.pid}. Close it there first.`
          : `The lab in ${directory} may be in use in another container. Close it there, then remove ${join(directory, OWNER_FILE)}.`,
      );
    }
  }
  await killServersOf(table, directory);
  await writeOwner(table, directory, 'kept');
}
