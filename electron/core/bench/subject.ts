/** What is measured: the core in a process of its own, alone or with the desktop window that started it. */
import { join } from 'node:path';
import type { CoreCalls, CoreFigures, ShellFigures, ShellHello } from '../../../shared/bench/bench-line.ts';

export interface Figures {
  readonly core: CoreFigures;
  readonly shell?: ShellFigures & Pick<ShellHello, 'electron' | 'node'>;
}

/** Stopped in order when it is disposed of. */
export interface Subject extends AsyncDisposable {
  /** What goes to the core alone. Rejects with what it says, or when it is gone. */
  call<N extends CoreCallName>(name: N, ...input: Parameters<CoreCalls[N]>): Promise<Awaited<ReturnType<CoreCalls[N]>>>;
  /** Begins and ends a measurement of all there is. */
  measure(): Promise<void>;
  report(): Promise<Figures>;
}

type CoreCallName = Exclude<keyof CoreCalls, 'measure' | 'report'>;

export interface SubjectOptions {
  /** Of the bench alone; the data folder is made in it. */
  readonly directory: string;
  readonly logLevel: string;
  /** Where the core's Node writes CPU profiles of its threads, one each as it ends. */
  readonly profileDirectory?: string | undefined;
  readonly signal: AbortSignal;
}

export const dataDirectoryIn = (directory: string): string => join(directory, 'data');
