/** `npm run bench`: figures, not tests. Starts two real clusters and a core, runs the phases, prints a table, writes a file. */
import { writeFile } from 'node:fs/promises';
import { availableParallelism, loadavg } from 'node:os';
import { Listr, type ListrTask, type ListrTaskWrapper } from 'listr2';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import { BenchCluster } from '../bench/bench-cluster.ts';
import type { BenchContext } from '../bench/bench-context.ts';
import { planBench, type BenchPlanOptions, type PhaseName } from '../bench/bench-plan.ts';
import { emptyReport, formatReport, type BenchReport } from '../bench/bench-report.ts';
import { openDesktop } from '../bench/desktop-window.ts';
import { openHeadless } from '../bench/headless-core.ts';
import { measureCatchUp } from '../bench/phases/catch-up.ts';
import { measureCollections } from '../bench/phases/collections.ts';
import { measureCopy } from '../bench/phases/copy.ts';
import { measureFollow } from '../bench/phases/follow.ts';
import { measureLag } from '../bench/phases/lag.ts';
import { measureMemory } from '../bench/phases/memory.ts';
import type { Subject, SubjectOptions } from '../bench/subject.ts';
import { startLab } from '../lab/lab.ts';

export interface BenchOptions extends BenchPlanOptions {
  readonly wal: 'nats' | 'kafka';
  /** With the desktop window around the core: `true` or not at all, `false` never, absent where it can be had. */
  readonly shell?: boolean;
  /** Electron's program, found by `npm run bench`. */
  readonly electron?: string;
  readonly profile?: string;
  readonly json?: string;
  readonly logLevel: string;
}

type Print = (line: string) => void;
type Say = BenchContext['say'];

/** @returns the process's exit code. What was measured before a failure or a stop is told all the same. */
export async function bench(options: BenchOptions, signal: AbortSignal, print: Print): Promise<number> {
  const plan = planBench(options);
  const report = emptyReport(options.wal, plan, availableParallelism());
  try {
    await run({ options, plan, report, signal, print });
    return 0;
  } catch (error) {
    if (!signal.aborted) throw error;
    print('The bench was stopped.');
    return 1;
  } finally {
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
    print(`\n${formatReport(report)}`);
  }
}

/** A database may hold 64 by default (2.3.5). */
const MANY_COLLECTIONS = { 'quotaAndLimits.limits.maxCollectionNumPerDB': 4_096 };

interface Run {
  readonly options: BenchOptions;
  readonly plan: BenchContext['plan'];
  readonly report: BenchReport;
  readonly signal: AbortSignal;
  readonly print: Print;
}

async function run({ options, plan, report, signal, print }: Run): Promise<void> {
  const { wal } = options;
  print(`Starting two Milvus clusters on ${wal} …`);
  const settings = { source: MANY_COLLECTIONS, target: MANY_COLLECTIONS };
  await using lab = await startLab({ purpose: 'throwaway', wal, settings, signal });
  await using source = await BenchCluster.open(lab.source.asTarget.milvus, 'source');
  await using target = await BenchCluster.open(lab.target.asTarget.milvus, 'target');
  await using subject = await openSubject(options, lab.directory, signal, print);
  const clusters = { source: lab.source.asSource, target: lab.target.asTarget };
  const etcds = [lab.source, lab.target].map((side) => side.asSource.etcd);
  const onBusyStart = (): void => void (report.busyStarts += 1);
  const phases = PHASES_IN_ORDER.filter(({ name }) => plan.phases.has(name));
  await new Listr(
    phases.map(({ name, title, measure }) =>
      toListrTask(title, async (say) => {
        const before = loadNow();
        const context: BenchContext = { plan, clusters, etcds, source, target, subject, signal, say, onBusyStart };
        await orStopped(measure(context, report), signal);
        report.load[name] = [before, loadNow()];
      }),
    ),
    {
      fallbackRenderer: 'simple',
      collectErrors: false,
      // Its own listener would end the process before the lab is stopped.
      registerSignalListeners: false,
    },
  ).run();
  await subject.measure();
  report.peakRssMiB = (await subject.report()).core.peakRssMiB;
}

interface Phase {
  readonly name: PhaseName;
  readonly title: string;
  readonly measure: (context: BenchContext, report: BenchReport) => Promise<void>;
}

const PHASES_IN_ORDER: readonly Phase[] = [
  {
    name: 'copy',
    title: 'Copy, against reading alone',
    measure: async (context, report) => void Object.assign(report, await measureCopy(context)),
  },
  {
    name: 'catch-up',
    title: 'Catch-up, against a client that writes straight to the target',
    measure: async (context, report) => {
      const { raw, catchUp } = await measureCatchUp(context);
      const { cpuSecondsPerMillionRows } = catchUp;
      Object.assign(report, { raw, catchUp, cpuSecondsPerMillionRows });
    },
  },
  {
    name: 'follow',
    title: 'Following a source that is written to without a pause',
    measure: async (context, report) => {
      const { follow, loops } = await measureFollow(context);
      Object.assign(report, { follow, ...loops });
    },
  },
  {
    name: 'lag',
    title: 'Lag of single rows',
    measure: async (context, report) => void Object.assign(report, await measureLag(context)),
  },
  {
    name: 'collections',
    title: 'More and more collections',
    measure: async (context, report) => {
      report.collections = await measureCollections(context);
    },
  },
  {
    name: 'memory',
    title: 'Memory over time',
    measure: async (context, report) => void Object.assign(report, await measureMemory(context)),
  },
];

const loadNow = (): number => Math.round((loadavg()[0] ?? 0) * 100) / 100;

/** What waits for a server has its own limits; a person who stops the bench does not wait for them. */
async function orStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const stopped = Promise.withResolvers<never>();
  const onAbort = (): void => stopped.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([work, stopped.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Its words are one line that is overwritten on a terminal, and a line each in a log. */
function toListrTask(title: string, run: (say: Say) => Promise<void>): ListrTask {
  return {
    title,
    rendererOptions: { outputBar: 1 },
    task: (_context, task: Pick<ListrTaskWrapper<unknown, never, never>, 'output'>) =>
      run((text) => (task.output = text)),
  } as ListrTask;
}

async function openSubject(
  { shell, electron, profile, logLevel }: BenchOptions,
  directory: string,
  signal: AbortSignal,
  print: Print,
): Promise<Subject> {
  const options: SubjectOptions = { directory, logLevel, profileDirectory: profile, signal };
  if (shell !== false) {
    try {
      if (electron === undefined) throw noElectron();
      return await openDesktop({ ...options, electron });
    } catch (error) {
      if (shell === true || !(error instanceof ReplicationError) || error.code !== 'prerequisiteMissing') throw error;
      print(`${error.message} The core is measured alone.`);
    }
  }
  return openHeadless(options);
}

const noElectron = (): ReplicationError =>
  new ReplicationError(
    'prerequisiteMissing',
    'config',
    'The shell cannot be measured: there is no Electron here (npm run bench -- --shell fetches it).',
  );
