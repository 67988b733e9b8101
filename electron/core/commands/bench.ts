/**
 * `npm run bench`: figures, not tests. So far: how fast a task follows a source that is written to without a pause, and
 * how long event loops are kept from their work meanwhile, which is what a person at the window would feel: the core's,
 * and the shell's where one can run.
 */
import { writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { LOOP_RESOLUTION_MS, type LoopDelay } from '../../../shared/bench/loop-delay.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import { startLoad } from '../bench/bulk-load.ts';
import { openDesktop } from '../bench/desktop-window.ts';
import { openHeadless, type Figures, type Subject, type SubjectOptions } from '../bench/subject.ts';
import { startLab } from '../lab/lab.ts';

export interface BenchOptions {
  readonly wal: 'nats' | 'kafka';
  readonly seconds: number;
  /** With the desktop window around the core: `true` or not at all, `false` never, absent where it can be had. */
  readonly shell?: boolean;
  /** Electron's program, found by `npm run bench`. */
  readonly electron?: string;
  readonly json?: string;
  readonly logLevel: string;
}

type Print = (line: string) => void;

/** @returns the process's exit code. */
export async function bench(options: BenchOptions, signal: AbortSignal, print: Print): Promise<number> {
  try {
    await run(options, signal, print);
    return 0;
  } catch (error) {
    if (!signal.aborted) throw error;
    print('The bench was stopped.');
    return 1;
  }
}

async function run(options: BenchOptions, signal: AbortSignal, print: Print): Promise<void> {
  const { wal, seconds } = options;
  print(`Starting two Milvus clusters on ${wal} …`);
  await using lab = await startLab({ purpose: 'throwaway', wal, signal });
  await using subject = await openSubject(options, lab.directory, signal, print);
  await subject.protect({ source: lab.source.asSource, target: lab.target.asTarget });
  const load = startLoad(lab.source.asTarget.milvus);
  await load.loading;
  print(`Measuring for ${seconds} s …`);
  await subject.measure();
  const startedMs = performance.now();
  await delay(seconds * 1_000, undefined, { signal });
  const figures = await subject.report();
  const elapsedS = (performance.now() - startedMs) / 1_000;
  const sourceRows = await load.stop();
  await subject.untilLevel();
  const report = reportOf(options, sourceRows / elapsedS, figures);
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
  printReport(report, print);
}

async function openSubject(
  { shell, electron, logLevel }: BenchOptions,
  directory: string,
  signal: AbortSignal,
  print: Print,
): Promise<Subject> {
  const logger = pino({ level: logLevel, base: null }, pino.destination(2));
  const options: SubjectOptions = { directory, logLevel };
  if (shell !== false) {
    try {
      if (electron === undefined) throw noElectron();
      return await openDesktop({ ...options, electron, signal });
    } catch (error) {
      if (shell === true || !(error instanceof ReplicationError) || error.code !== 'prerequisiteMissing') throw error;
      print(`${error.message} The core is measured alone.`);
    }
  }
  return openHeadless({ ...options, logger });
}

const noElectron = (): ReplicationError =>
  new ReplicationError(
    'prerequisiteMissing',
    'config',
    'The shell cannot be measured: there is no Electron here (npm run bench -- --shell fetches it).',
  );

interface Report {
  readonly version: 1;
  readonly wal: BenchOptions['wal'];
  readonly seconds: number;
  readonly rowsPerSecond: { readonly source: number };
  readonly follow: { readonly rowsPerSecond: number };
  readonly lagMs: Figures['core']['lagMs'];
  /** Of the core. Holds the resolution: an idle loop shows that much. */
  readonly loopDelayMs: LoopDelay;
  readonly loopResolutionMs: number;
  /** Of the core's process, its threads included; a core that runs alone shares it with the bench and the lab. */
  readonly peakRssMiB: number;
  /** Absent where none ran. */
  readonly shell?: Figures['shell'];
}

function reportOf({ wal, seconds }: BenchOptions, sourceRowsPerSecond: number, { core, shell }: Figures): Report {
  return {
    version: 1,
    wal,
    seconds,
    rowsPerSecond: { source: Math.round(sourceRowsPerSecond) },
    follow: { rowsPerSecond: core.rowsPerSecond },
    lagMs: core.lagMs,
    loopDelayMs: core.loopDelayMs,
    loopResolutionMs: LOOP_RESOLUTION_MS,
    peakRssMiB: core.peakRssMiB,
    ...(shell === undefined ? {} : { shell }),
  };
}

function printReport(
  { wal, rowsPerSecond, follow, lagMs, loopDelayMs, peakRssMiB, shell }: Report,
  print: Print,
): void {
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  const loop = ({ p50, p99, max }: LoopDelay): string => `p50 ${ms(p50)}, p99 ${ms(p99)}, at most ${ms(max)}`;
  print(`Log                     ${wal}`);
  print(
    `Source takes            ${rowsPerSecond.source.toLocaleString('en-US')} rows/s (128 floats, batches of 2,000)`,
  );
  print(`Target follows          ${follow.rowsPerSecond.toLocaleString('en-US')} rows/s`);
  print(`Lag                     p50 ${ms(lagMs.p50)}, p99 ${ms(lagMs.p99)}`);
  print(`Core's event loop late  ${loop(loopDelayMs)} (idle: ${LOOP_RESOLUTION_MS} ms)`);
  if (shell !== undefined) {
    print(`Shell's event loop late ${loop(shell.loopDelayMs)} (Electron ${shell.electron}, Node ${shell.node})`);
  }
  print(`Peak memory of the core ${peakRssMiB} MiB`);
}
