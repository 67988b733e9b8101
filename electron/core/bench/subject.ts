/** What is measured: a core in this process, or a desktop window with the core that it starts. */
import { join } from 'node:path';
import type { Logger } from '../../engine/runtime/logger.ts';
import type { CoreCalls, CoreFigures, ShellFigures, ShellHello } from '../../../shared/bench/bench-line.ts';
import { openDataFolder } from '../data-folder.ts';
import { openCore } from '../services/core.ts';
import { MeasuredCore } from './measured-core.ts';

export interface Figures {
  readonly core: CoreFigures;
  readonly shell?: ShellFigures & Pick<ShellHello, 'electron' | 'node'>;
}

/** Stopped in order when it is disposed of. */
export interface Subject extends AsyncDisposable {
  protect: CoreCalls['protect'];
  measure(): Promise<void>;
  report(): Promise<Figures>;
  untilLevel(): Promise<void>;
}

export interface SubjectOptions {
  /** Of the bench alone; the data folder is made in it. */
  readonly directory: string;
  readonly logLevel: string;
}

export const dataDirectoryIn = (directory: string): string => join(directory, 'data');

export function openHeadless({ directory, logLevel, logger }: SubjectOptions & { readonly logger: Logger }): Subject {
  const core = openCore({ folder: openDataFolder(dataDirectoryIn(directory)), logLevel, logger });
  core.start();
  const measured = new MeasuredCore(core);
  return {
    protect: (clusters) => measured.protect(clusters),
    measure() {
      measured.measure();
      return Promise.resolve();
    },
    report: () => Promise.resolve({ core: measured.report() }),
    untilLevel: () => measured.untilLevel(),
    [Symbol.asyncDispose]: () => core.close(),
  };
}
