/** The core as the bench sees it: protects one cluster by another, and measures itself while it does. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { CoreCalls, CoreFigures } from '../../../shared/bench/bench-line.ts';
import { LOOP_RESOLUTION_MS, readLoopDelay } from '../../../shared/bench/loop-delay.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { EngineHost } from '../../engine/host/engine-host.ts';
import type { Core } from '../services/core.ts';

type Clusters = Parameters<CoreCalls['protect']>[0];

const NAME = 'bench';

export class MeasuredCore implements CoreCalls {
  readonly #core: Core;
  readonly #loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  #taskId = '';
  #rowsBefore = 0;
  #startedMs = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  /** By the calls that the window would make. Resolves when the protection runs. */
  async protect({ source, target }: Clusters): Promise<void> {
    const sourceId = await this.#save('source', source);
    const targetId = await this.#save('target', target);
    const { hub } = this.#core;
    const running = Promise.withResolvers<void>();
    const end = hub.on(({ name }) => {
      if (name === 'task.status') running.resolve();
    });
    const { task } = (await this.#call('tasks.create', { name: NAME, sourceId, targetId })) as { task: { id: string } };
    this.#taskId = task.id;
    await running.promise.finally(end);
  }

  measure(): void {
    this.#rowsBefore = this.#host().status?.rowsWritten ?? 0;
    this.#startedMs = performance.now();
    this.#loop.reset();
    this.#loop.enable();
  }

  report(): CoreFigures {
    this.#loop.disable();
    const elapsedS = (performance.now() - this.#startedMs) / 1_000;
    const { status } = this.#host();
    const rows = (status?.rowsWritten ?? 0) - this.#rowsBefore;
    return {
      rowsPerSecond: Math.round(rows / elapsedS),
      lagMs: { p50: status?.lagMs.p50 ?? 0, p99: status?.lagMs.p99 ?? 0 },
      loopDelayMs: readLoopDelay(this.#loop),
      peakRssMiB: Math.round(process.resourceUsage().maxRSS / 1_024),
    };
  }

  untilLevel(): Promise<void> {
    return this.#host().whenLevel();
  }

  #host(): EngineHost {
    const host = this.#core.runner.host(this.#taskId);
    if (host !== undefined) return host;
    throw new ReplicationError('bug', 'internal', "The bench's protection does not run.");
  }

  async #save(side: string, parts: Clusters['source'] | Clusters['target']): Promise<string> {
    const saved = await this.#call('connections.save', { name: `${NAME} ${side}`, ...parts });
    return (saved as { connection: { id: string } }).connection.id;
  }

  async #call(name: string, input: unknown): Promise<unknown> {
    const answer = await this.#core.dispatch(name, input);
    if (answer.ok) return answer.output;
    throw new ReplicationError('labFailed', 'internal', `${name} failed: ${answer.error.message}`);
  }
}
