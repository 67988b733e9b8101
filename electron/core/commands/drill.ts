/** `npm start -- drill`: a drill in a terminal, its report as text and as a file. */
import { writeFile } from 'node:fs/promises';
import { Listr, type ListrTask, type ListrTaskWrapper } from 'listr2';
import { toReplicationError } from '../../../shared/model/replication-error.ts';
import { formatReport } from '../drill/report.ts';
import { DrillRun, type DrillRunOptions, type DrillStep } from '../services/drill-run.ts';

/** Between two lines of progress where they do not replace each other. */
const PLAIN_LINE_INTERVAL_MS = 2_000;

export interface DrillOptions extends DrillRunOptions {
  readonly json?: string;
}

/** @returns the exit code: 0 only when both sides are equal. */
export async function drill(options: DrillOptions, signal: AbortSignal): Promise<number> {
  const run = new DrillRun(options, signal);
  let failure: string | undefined;
  try {
    await new Listr(run.steps().map(toListrTask), {
      fallbackRenderer: 'simple',
      collectErrors: false,
      // Its own listener would end the process before the lab is stopped.
      registerSignalListeners: false,
    }).run();
  } catch (error) {
    failure = signal.aborted ? 'The drill was stopped.' : toReplicationError(error).message;
  }
  const report = run.report(failure);
  await run.cleanUp();
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
  process.stdout.write(`\n${formatReport(report)}\n`);
  return report.equal ? 0 : 1;
}

function toListrTask(step: DrillStep): ListrTask {
  return {
    title: step.title,
    rendererOptions: { persistentOutput: true, outputBar: 1 },
    task: async (_context, task: Pick<ListrTaskWrapper<unknown, never, never>, 'output'>): Promise<void> => {
      let last = '';
      let lastAtMs = -Infinity;
      await step.run((text) => {
        const nowMs = performance.now();
        // A terminal shows one line in place; in a log every change would be a line of its own.
        if (text === last || (!process.stdout.isTTY && nowMs - lastAtMs < PLAIN_LINE_INTERVAL_MS)) return;
        lastAtMs = nowMs;
        task.output = last = text;
      });
    },
  } as ListrTask;
}
