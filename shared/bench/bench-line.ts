/**
 * What `npm run bench` and the processes that it measures say to each other: over a local socket whose path the measured
 * ones find in their environment, one JSON object a line. The bench asks, they answer; the first line says who they are.
 * Both ends are of one build and one start, so nothing is checked on its way. Never in a packaged program.
 */
import type { SourceConnection, TargetConnection } from '../model/connection.ts';
import type { LoopDelay } from './loop-delay.ts';

/** The path of the bench's socket. */
export const BENCH_LINE_VARIABLE = 'LIFELINE_BENCH_LINE';

export interface ShellHello {
  readonly kind: 'hello';
  readonly from: 'shell';
  readonly electron: string;
  readonly node: string;
}
export interface CoreHello {
  readonly kind: 'hello';
  readonly from: 'core';
}
export type BenchHello = ShellHello | CoreHello;

export interface ShellFigures {
  readonly loopDelayMs: LoopDelay;
}

export interface LagSummary {
  readonly p50: number;
  readonly p99: number;
}

/** Between `measure` and `report`; of the core's process, its threads included. */
export interface CoreFigures {
  readonly elapsedMs: number;
  readonly rowsWritten: number;
  readonly rowsPerSecond: number;
  /** The engine's own: source's timestamp to the target's answer, since the task was started. */
  readonly lagMs: LagSummary;
  readonly loopDelayMs: LoopDelay;
  readonly cpuSeconds: number;
  /** Resident memory, a few times a second. */
  readonly rss: readonly RssSample[];
  /** Since the process began. */
  readonly peakRssMiB: number;
}

export interface RssSample {
  /** Since `measure`. */
  readonly atMs: number;
  readonly mib: number;
}

/** Of a task that was started to work off what had gathered. */
export interface WorkFigures {
  readonly rowsWritten: number;
  /** From the start of the task to its being level: for that, the catalogue is compared as well. */
  readonly elapsedMs: number;
  /** To the last confirmed row, as seen a few times a second. */
  readonly lastRowsMs: number;
  /** Until the first rows were seen to be confirmed. */
  readonly firstRowsMs: number;
  /** From then to the last rows. */
  readonly steadyRowsPerSecond: number;
  readonly cpuSeconds: number;
  /** Of all processes of the machine, to the last confirmed row. */
  readonly machineCpuSeconds: number;
  /** How often the target was asked to do what. */
  readonly calls: Readonly<Record<string, number>>;
  /** Its copies, where it made some: from the first look at the source to the last confirmed row. */
  readonly copyMs: readonly number[];
}

export interface Clusters {
  readonly source: SourceConnection;
  readonly target: TargetConnection;
}

/** What each of the two can be asked for. `measure` begins a measurement, `report` ends it. */
export interface ShellCalls {
  measure(): void;
  report(): ShellFigures;
}
export interface CoreCalls {
  /** Resolves when the protection runs. One at a time. */
  protect(clusters: Clusters): Promise<void>;
  /** The same, until it is level. */
  copy(clusters: Clusters): Promise<WorkFigures>;
  /** Ends it and forgets it. */
  unprotect(): Promise<void>;
  /** Resolves when it has stopped. */
  pause(): Promise<void>;
  /** Goes on after a pause, until it is level. */
  catchUp(): Promise<WorkFigures>;
  measure(): void;
  report(): CoreFigures;
  /** The target holds all that is in the source's log now. */
  untilLevel(): Promise<void>;
}

export interface BenchCall {
  readonly kind: 'call';
  readonly id: number;
  readonly name: string;
  readonly input: unknown;
}
export interface BenchAnswer {
  readonly kind: 'answer';
  readonly id: number;
  readonly output?: unknown;
  /** A sentence; in place of an output. */
  readonly error?: string;
}

/** What is used of a socket that was told to decode UTF-8. */
export interface TextSocket {
  on(event: 'data', listener: (chunk: string) => void): unknown;
  write(text: string): unknown;
}

export type BenchMessage = BenchHello | BenchCall | BenchAnswer;

export const say = (socket: TextSocket, message: BenchMessage): void =>
  void socket.write(`${JSON.stringify(message)}\n`);

export function onLine(socket: TextSocket, listener: (message: BenchMessage) => void): void {
  let rest = '';
  socket.on('data', (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) listener(JSON.parse(line) as BenchMessage);
  });
}

/** The measured side: says who it is and answers each call, a failure with its sentence. */
export function answerBench(socket: TextSocket, hello: BenchHello, calls: ShellCalls | CoreCalls): void {
  const byName = calls as unknown as Record<string, (input: unknown) => unknown>;
  onLine(socket, (message) => {
    if (message.kind !== 'call') return;
    const { id, name, input } = message;
    const answer = (rest: Pick<BenchAnswer, 'output' | 'error'>): void => say(socket, { kind: 'answer', id, ...rest });
    Promise.resolve()
      .then(() => byName[name]?.(input))
      .then(
        (output) => answer({ output }),
        (error: unknown) => answer({ error: error instanceof Error ? error.message : String(error) }),
      );
  });
  say(socket, hello);
}
