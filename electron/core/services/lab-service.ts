/**
 * The embedded lab that is kept in the data folder: a real source and a real target, started and stopped by the
 * operator, taken up again at the core's start when it was running at its end, and known as two connections.
 */
import { existsSync } from 'node:fs';
import { readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { LabView } from '../../../shared/contract/procedures.ts';
import { errorDataWithHint } from '../../engine/host/error-data.ts';
import type { Logger } from '../../engine/runtime/logger.ts';
import { deleteInstances, OWNER_FILE, SIDE_NAMES, takeOver } from '../lab/lab-owner.ts';
import { startLab, type Lab, type LabOptions, type LabSide, type SideName } from '../lab/lab.ts';
import { procTable } from '../lab/process-identity.ts';
import type { SettingStore } from '../store/setting-store.ts';
import type { ConnectionService } from './connection-service.ts';
import type { EventHub } from './event-hub.ts';
import { Throttle } from './throttle.ts';

/** A download counts its bytes much faster than a person reads. */
const PROGRESS_INTERVAL_MS = 250;

const CONNECTIONS: Readonly<Record<SideName, { readonly id: string; readonly name: string }>> = {
  source: { id: 'lab-source', name: 'Lab source' },
  target: { id: 'lab-target', name: 'Lab target' },
};

export interface LabServiceOptions {
  /** Where the kept lab lives. */
  readonly directory: string;
  readonly settings: SettingStore;
  readonly connections: ConnectionService;
  readonly hub: EventHub;
  readonly logger: Logger;
  /** For tests. */
  readonly start?: (options: LabOptions) => Promise<Lab>;
}

export class LabService {
  readonly #options: LabServiceOptions;
  readonly #progress: Throttle<void>;
  #view: LabView;
  #lab: Lab | undefined;
  /** The change under way; the next one waits for it. */
  #pending: Promise<void> = Promise.resolve();
  #starting: AbortController | undefined;

  constructor(options: LabServiceOptions) {
    this.#options = options;
    this.#view = { state: this.#atRest() };
    this.#progress = new Throttle(PROGRESS_INTERVAL_MS, () => this.#publish());
  }

  get(): LabView {
    const has = (name: SideName): boolean =>
      this.#options.connections.list().some(({ id }) => id === CONNECTIONS[name].id);
    return {
      ...this.#view,
      ...(has('source') ? { sourceId: CONNECTIONS.source.id } : {}),
      ...(has('target') ? { targetId: CONNECTIONS.target.id } : {}),
    };
  }

  /** Returns at once. Nothing happens when it runs or starts already. */
  start(): LabView {
    const { state } = this.#view;
    if (state === 'starting' || state === 'running') return this.get();
    const starting = new AbortController();
    this.#starting = starting;
    this.#options.settings.set('lab', 'running');
    this.#set({ state: 'starting', progress: { message: 'Preparing' } });
    this.#queue(() => this.#start(starting.signal));
    return this.get();
  }

  /** Returns at once; ends a start that is under way. Its data is kept. */
  stop(): LabView {
    const { state } = this.#view;
    if (state === 'absent' || state === 'stopped' || state === 'stopping') return this.get();
    this.#options.settings.set('lab', 'stopped');
    this.#stopSoon();
    return this.get();
  }

  /** @throws Refusal conflict while protections use it. */
  remove(): LabView {
    const { connections, settings } = this.#options;
    for (const { id } of Object.values(CONNECTIONS)) connections.assertUnused(id);
    settings.set('lab', 'stopped');
    this.#starting?.abort();
    this.#set({ state: 'stopping', progress: { message: 'Removing the lab and its data' } });
    this.#queue(() => this.#remove());
    return this.get();
  }

  /** At the core's start. */
  takeUp(): void {
    if (this.#options.settings.get('lab') === 'running' && this.#view.state === 'stopped') this.start();
  }

  /** At the core's end: stops it, to be taken up again at the next start if it ran. */
  async close(): Promise<void> {
    this.#starting?.abort();
    if (this.#view.state === 'running') this.#stopSoon();
    await this.#pending;
    this.#progress.reset();
  }

  #stopSoon(): void {
    this.#starting?.abort();
    this.#set({ state: 'stopping', progress: { message: 'Stopping both servers' } });
    this.#queue(() => this.#stop());
  }

  async #start(signal: AbortSignal): Promise<void> {
    const start = this.#options.start ?? startLab;
    try {
      signal.throwIfAborted();
      const lab = await start({
        purpose: 'kept',
        directory: this.#options.directory,
        signal,
        onProgress: ({ message, fraction }) => {
          if (signal.aborted) return;
          this.#view = { state: 'starting', progress: { message, ...(fraction === undefined ? {} : { fraction }) } };
          this.#progress.offer();
        },
      });
      this.#lab = lab;
      if (signal.aborted) return;
      for (const side of [lab.source, lab.target]) this.#register(side);
      this.#set({ state: 'running' });
    } catch (error) {
      // Stopped by the operator: whoever asked for that says what follows.
      if (signal.aborted) return;
      throw error;
    }
  }

  async #stop(): Promise<void> {
    await this.#lab?.stop();
    this.#lab = undefined;
    this.#set({ state: this.#atRest() });
  }

  async #remove(): Promise<void> {
    const { connections, directory } = this.#options;
    if (this.#lab !== undefined) await this.#lab.remove();
    else if (existsSync(directory)) {
      // A core that was killed may have left servers running on the data.
      await takeOver(procTable, directory);
      await deleteInstances(directory);
      await rm(join(directory, OWNER_FILE), { force: true });
    }
    this.#lab = undefined;
    await removeIfEmpty(directory);
    for (const { id } of Object.values(CONNECTIONS)) connections.unregister(id);
    this.#set({ state: this.#atRest() });
  }

  #queue(work: () => Promise<void>): void {
    this.#pending = this.#pending.then(work).catch((error: unknown) => {
      const { causes, context, ...rest } = errorDataWithHint(error);
      this.#options.logger.error({ code: rest.code }, rest.message);
      this.#set({ state: 'failed', error: { ...rest, causes: [...causes], context: { ...context } } });
    });
  }

  /** Both sides are whole clusters: each can be either. */
  #register(side: LabSide): void {
    const { id, name } = CONNECTIONS[side.name];
    this.#options.connections.register(id, name, { ...side.asSource, ...side.asTarget });
  }

  #atRest(): 'absent' | 'stopped' {
    return SIDE_NAMES.some((name) => existsSync(join(this.#options.directory, name))) ? 'stopped' : 'absent';
  }

  #set(view: LabView): void {
    this.#view = view;
    this.#progress.reset();
    this.#publish();
  }

  #publish(): void {
    this.#options.hub.publish('lab.changed', { lab: this.get() });
  }
}

/** The owner's mark goes with the rest; what somebody else put there stays. */
async function removeIfEmpty(directory: string): Promise<void> {
  if (!existsSync(directory)) return;
  const names = await readdir(directory);
  if (names.length === 0) await rmdir(directory);
}
