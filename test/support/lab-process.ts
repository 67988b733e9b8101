/** What a process on this machine has taken, from /proc. Linux only, as the lab is. */
import { readdirSync, readFileSync } from 'node:fs';

/** Of `utime` and `stime`; the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
const SAMPLE_INTERVAL_MS = 250;

export interface ProcessFigures {
  readonly peakRssMiB: number;
  readonly cpuSeconds: number;
}

/** Undefined when the process is gone. */
export function readProcess(pid: number): ProcessFigures | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const peakKiB = Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0);
    // The name may hold spaces; what follows it does not.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    return { peakRssMiB: Math.round(peakKiB / 1024), cpuSeconds: ticks / TICKS_PER_SECOND };
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** Looks at the processes whose command line names the folder, each until it ends. */
export class ProcessWatch implements Disposable {
  readonly #seen = new Map<number, ProcessFigures>();
  readonly #timer: NodeJS.Timeout;

  constructor(folder: string) {
    this.#timer = setInterval(() => {
      for (const pid of pidsNaming(folder)) {
        const figures = readProcess(pid);
        if (figures !== undefined) this.#seen.set(pid, figures);
      }
    }, SAMPLE_INTERVAL_MS);
  }

  /** Over all runs so far: the highest peak, and the CPU time of all. */
  get figures(): ProcessFigures {
    const all = [...this.#seen.values()];
    return {
      peakRssMiB: Math.max(0, ...all.map(({ peakRssMiB }) => peakRssMiB)),
      cpuSeconds: Math.round(all.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0) * 10) / 10,
    };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

function pidsNaming(folder: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => commandLine(pid).includes(folder));
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    // It has ended between the two.
    return '';
  }
}
