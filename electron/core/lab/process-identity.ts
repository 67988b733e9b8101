/**
 * Which process is meant by a number, across reuse of pids, reboots and containers. Reads Linux' /proc; the lab's
 * server runs nowhere else. `ProcessTable` exists so that tests can put any machine in its place.
 */
import { readFile, readdir, readlink } from 'node:fs/promises';

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot at which the process began, as /proc/<pid>/stat counts them. */
  readonly startTime: string;
  readonly bootId: string;
  /** The pid namespace that `pid` counts in: pids of one container mean nothing in another. */
  readonly pidNamespace: string;
}

export interface ProcessTable {
  /** `undefined` when there is no such process, or it is a zombie. */
  startTime(pid: number): Promise<string | undefined>;
  pids(): Promise<number[]>;
  /** The environment that the process was started with; `undefined` when it is gone or another user's. */
  environment(pid: number): Promise<ReadonlyMap<string, string> | undefined>;
  bootId(): Promise<string>;
  pidNamespace(): Promise<string>;
  kill(pid: number, signal: NodeJS.Signals): void;
}

/** A process that ended, or that is not ours to look at, is an answer and not a failure. */
async function unlessGone<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM') return undefined;
    throw error;
  }
}

/** The start time in a line of /proc/<pid>/stat. The command's name stands in brackets and may itself hold any of them. */
export function startTimeInStat(stat: string): string | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const isDead = fields[0] === 'Z' || fields[0] === 'X';
  // Field 22 of proc(5); the slice begins at field 3.
  return isDead ? undefined : fields[19];
}

export const procTable: ProcessTable = {
  async startTime(pid) {
    const stat = await unlessGone(() => readFile(`/proc/${pid}/stat`, 'utf8'));
    return stat === undefined ? undefined : startTimeInStat(stat);
  },
  async pids() {
    return (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  },
  async environment(pid) {
    const text = await unlessGone(() => readFile(`/proc/${pid}/environ`, 'utf8'));
    if (text === undefined) return undefined;
    return new Map(
      text.split('\0').flatMap((entry) => {
        const equals = entry.indexOf('=');
        return equals < 0 ? [] : [[entry.slice(0, equals), entry.slice(equals + 1)] as const];
      }),
    );
  },
  async bootId() {
    return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  },
  pidNamespace: () => readlink('/proc/self/ns/pid'),
  kill(pid, signal) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      // Ended between the look and the signal: that is what was wanted.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  },
};

/** `undefined` when the process is gone already. */
export async function identify(table: ProcessTable, pid: number): Promise<ProcessIdentity | undefined> {
  const startTime = await table.startTime(pid);
  if (startTime === undefined) return undefined;
  return { pid, startTime, bootId: await table.bootId(), pidNamespace: await table.pidNamespace() };
}

/**
 * Whether the process still runs. Across pid namespaces that cannot be seen, and `unknown` must be treated like alive
 * by whoever would remove something.
 */
export async function livenessOf(table: ProcessTable, who: ProcessIdentity): Promise<'alive' | 'dead' | 'unknown'> {
  if (who.bootId !== (await table.bootId())) return 'dead';
  if (who.pidNamespace !== (await table.pidNamespace())) return 'unknown';
  return (await table.startTime(who.pid)) === who.startTime ? 'alive' : 'dead';
}
