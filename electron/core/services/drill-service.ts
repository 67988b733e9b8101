/** A drill that the window watches: its steps, its report, and how to end it. One at a time. */
import type { DrillView } from '../../../shared/contract/procedures.ts';
import { toReplicationError } from '../../../shared/model/replication-error.ts';
import { requireJava } from '../lab/kafka-java.ts';
import type { Logger } from '../../engine/runtime/logger.ts';
import type { DrillRun, DrillRunOptions } from './drill-run.ts';
import type { EventHub } from './event-hub.ts';
import { Refusal } from './refusal.ts';
import { Throttle } from './throttle.ts';

const PROGRESS_INTERVAL_MS = 250;

type Step = DrillView['steps'][number];
type Run = Pick<DrillRun, 'steps' | 'report' | 'cleanUp'>;
type CreateRun = (options: DrillRunOptions, signal: AbortSignal) => Run | Promise<Run>;

/** Loaded when it is first needed: its client library takes half a second, which no start of the core should wait for. */
async function createDrillRun(options: DrillRunOptions, signal: AbortSignal): Promise<Run> {
  const { DrillRun } = await import('./drill-run.ts');
  return new DrillRun(options, signal);
}

/** Here, at the button, and not some steps later. @throws prerequisiteMissing: Kafka is to run, and there is no Java. */
async function requirePrerequisites(wal: DrillRunOptions['wal']): Promise<void> {
  // Maven is another matter: Kafka may have been fetched already.
  if (wal === 'kafka') await requireJava({ maven: false });
}

type DrillInput = Pick<DrillRunOptions, 'wal' | 'rows' | 'seconds'>;

export interface DrillServiceOptions {
  readonly hub: EventHub;
  readonly logLevel: string;
  readonly logger: Logger;
  /** For tests. */
  readonly createRun?: CreateRun;
  readonly checkWal?: (wal: DrillRunOptions['wal']) => Promise<void>;
}

export class DrillService {
  readonly #options: DrillServiceOptions;
  readonly #progress: Throttle<void>;
  #view: DrillView = { state: 'idle', steps: [] };
  #cancelling: AbortController | undefined;
  #done: Promise<void> = Promise.resolve();

  constructor(options: DrillServiceOptions) {
    this.#options = options;
    this.#progress = new Throttle(PROGRESS_INTERVAL_MS, () => this.#publish());
  }

  get(): DrillView {
    return this.#view;
  }

  /**
   * Returns as soon as it has begun. @throws Refusal conflict while one runs; prerequisiteMissing: the log wants what this
   * machine does not have, and nothing was begun.
   */
  async start({ wal, rows, seconds }: DrillInput): Promise<DrillView> {
    this.#assertNoneRuns();
    const { logLevel, checkWal = requirePrerequisites } = this.#options;
    await checkWal(wal);
    // Another one may have begun meanwhile.
    this.#assertNoneRuns();
    const cancelling = new AbortController();
    this.#cancelling = cancelling;
    const options: DrillRunOptions = { wal, rows, seconds, logLevel };
    this.#set({ state: 'running', wal, steps: [] });
    this.#done = this.#drill(options, cancelling.signal).catch((error: unknown) => {
      // Not even its steps are known: it could not be loaded, or its report could not be made.
      const { message } = toReplicationError(error);
      this.#options.logger.error({ err: error }, 'The drill failed outside of its steps.');
      this.#set({ state: 'done', wal, steps: [{ title: 'Prepare the drill', state: 'failed', message }] });
    });
    return this.#view;
  }

  /** Returns at once; its servers are stopped and removed before it is `done`. Nothing happens when none runs. */
  cancel(): DrillView {
    this.#cancelling?.abort(new Error('The drill was stopped.'));
    return this.#view;
  }

  /** At the core's end. */
  async close(): Promise<void> {
    this.cancel();
    await this.#done;
    this.#progress.reset();
  }

  async #drill(options: DrillRunOptions, signal: AbortSignal): Promise<void> {
    const run = await (this.#options.createRun ?? createDrillRun)(options, signal);
    const steps: Step[] = run.steps().map(({ title }) => ({ title, state: 'waiting' }));
    this.#set({ state: 'running', wal: options.wal, steps });
    let failure: string | undefined;
    try {
      for (const [index, step] of run.steps().entries()) {
        signal.throwIfAborted();
        await this.#step(index, (say) => step.run(say), signal);
      }
    } catch (error) {
      failure = sentenceOf(error, signal);
    }
    const report = run.report(failure);
    try {
      await run.cleanUp();
    } catch (error) {
      this.#options.logger.error({ err: error }, 'What the drill had started could not be removed.');
    }
    this.#set({ ...this.#view, state: 'done', report: { ...report } });
  }

  async #step(index: number, run: (say: (text: string) => void) => Promise<void>, signal: AbortSignal): Promise<void> {
    const startedMs = performance.now();
    this.#change(index, { state: 'running' });
    try {
      await run((message) => {
        this.#view = withStep(this.#view, index, { message });
        this.#progress.offer();
      });
      this.#change(index, { state: 'done', durationMs: Math.round(performance.now() - startedMs) });
    } catch (error) {
      const durationMs = Math.round(performance.now() - startedMs);
      this.#change(index, { state: 'failed', durationMs, message: sentenceOf(error, signal) });
      throw error;
    }
  }

  #assertNoneRuns(): void {
    if (this.#view.state !== 'running') return;
    throw new Refusal('conflict', 'A drill is running already.', 'Wait for its end, or cancel it.');
  }

  #change(index: number, change: Partial<Step>): void {
    this.#set(withStep(this.#view, index, change));
  }

  #set(view: DrillView): void {
    this.#view = view;
    this.#progress.reset();
    this.#publish();
  }

  #publish(): void {
    this.#options.hub.publish('drill.changed', { drill: this.#view });
  }
}

const sentenceOf = (error: unknown, signal: AbortSignal): string =>
  signal.aborted ? 'The drill was stopped.' : toReplicationError(error).message;

function withStep(view: DrillView, index: number, change: Partial<Step>): DrillView {
  return { ...view, steps: view.steps.map((step, at) => (at === index ? { ...step, ...change } : step)) };
}
