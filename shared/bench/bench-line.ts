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

export interface CoreFigures {
  readonly rowsPerSecond: number;
  readonly lagMs: { readonly p50: number; readonly p99: number };
  readonly loopDelayMs: LoopDelay;
  readonly peakRssMiB: number;
}

/** What each of the two can be asked for. `measure` begins a measurement, `report` ends it. */
export interface ShellCalls {
  measure(): void;
  report(): ShellFigures;
}
export interface CoreCalls {
  protect(clusters: { readonly source: SourceConnection; readonly target: TargetConnection }): Promise<void>;
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
