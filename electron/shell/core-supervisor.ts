/**
 * Keeps one core running: starts it, passes calls and events, starts it again with growing pauses when it ends unasked,
 * and stops it in order. Knows nothing of Electron.
 *
 *     starting ─started─► running ──exit──► waiting ──pause over──► starting
 *         │ exit without having started, thrice, or with its own sentence
 *         └──────────────► unable ──retry()──► starting
 *     any ──stop()──► stopping ──exit──► stopped
 *
 * Every call is answered, whatever becomes of the core: a call that the core took with it ends in an error, never in silence.
 */
import type { ContractAnswer } from '../../shared/contract/client.ts';
import { linkEvent, type BridgeEvent, type CoreToShell, type ShellToCore } from '../../shared/contract/desktop.ts';
import type { ContractErrorData } from '../../shared/contract/procedures.ts';
import type { CoreExit, CoreProcess } from './core-process.ts';

/** The first pause before a restart; each further one doubles. */
const PAUSE_FIRST_MS = 500;
/** A person who has just repaired something should not wait longer than this. */
const PAUSE_MAX_MS = 30_000;
/** A core that ran this long has earned a first pause again. */
const STEADY_AFTER_MS = 60_000;
/** A core that dies so often before it has started will go on so: a broken installation. */
const FAILED_STARTS_MAX = 3;
/** Storing checkpoints takes well under a second; stopping the lab's servers takes the rest. */
const STOP_LIMIT_MS = 30_000;
/** After the signal that asks a second time. */
const STOP_SIGNAL_LIMIT_MS = 5_000;

export interface SupervisorOptions {
  /** `failedStarts`: how often in a row it ended before it had started. */
  readonly start: (failedStarts: number) => CoreProcess;
  readonly startMessage: () => ShellToCore;
  readonly onEvent: (event: BridgeEvent) => void;
  /** It will not run without a person; `retry` tries again. The sentence says why. */
  readonly onUnable: (sentence: string) => void;
}

type State = 'starting' | 'running' | 'waiting' | 'unable' | 'stopping' | 'stopped';

export class CoreSupervisor {
  private state: State = 'stopped';
  private core: CoreProcess | undefined;
  private readonly pending = new Map<number, (answer: ContractAnswer) => void>();
  /** Calls of a window that was faster than the core. */
  private early: ShellToCore[] = [];
  private lastId = 0;
  private hasStarted = false;
  private failedStarts = 0;
  private restarts = 0;
  private startedAt = 0;
  private failure: ContractErrorData | undefined;
  private timer: NodeJS.Timeout | undefined;
  private reason = '';
  private stopWaiters: Array<() => void> = [];
  private readonly options: SupervisorOptions;

  constructor(options: SupervisorOptions) {
    this.options = options;
  }

  /** Also: tries again after `onUnable`. */
  start(): void {
    if (this.state !== 'stopped' && this.state !== 'unable') return;
    this.failedStarts = 0;
    this.restarts = 0;
    this.launch();
  }

  /** The link as a window sees it that has just opened; undefined while the first start is under way. */
  link(): BridgeEvent | undefined {
    if (this.state === 'running') return linkEvent('connected');
    return this.reason === '' ? undefined : linkEvent('lost', this.reason);
  }

  call(name: string, input: unknown): Promise<ContractAnswer> {
    if (this.state !== 'running' && this.state !== 'starting') return Promise.resolve(this.away());
    this.lastId += 1;
    const id = this.lastId;
    return new Promise((resolve) => {
      this.pending.set(id, resolve);
      const message: ShellToCore = { kind: 'call', id, name, input };
      // The core listens for calls once it has started.
      if (this.state === 'running') this.core?.send(message);
      else this.early.push(message);
    });
  }

  /** Resolves when the core is gone; at most `STOP_LIMIT_MS` and a little later. May be called twice. */
  stop(): Promise<void> {
    if (this.timer !== undefined) clearTimeout(this.timer);
    const core = this.core;
    if (core === undefined) {
      this.state = 'stopped';
      return Promise.resolve();
    }
    const gone = new Promise<void>((resolve) => void this.stopWaiters.push(resolve));
    if (this.state === 'stopping') return gone;
    this.state = 'stopping';
    core.send({ kind: 'stop' });
    this.timer = setTimeout(() => {
      core.kill(false);
      this.timer = setTimeout(() => core.kill(true), STOP_SIGNAL_LIMIT_MS);
    }, STOP_LIMIT_MS);
    return gone;
  }

  private launch(): void {
    this.state = 'starting';
    this.failure = undefined;
    let core: CoreProcess;
    let message: ShellToCore;
    try {
      message = this.options.startMessage();
      core = this.options.start(this.failedStarts);
    } catch (error) {
      this.giveUp((error as Error).message);
      return;
    }
    this.core = core;
    core.onMessage((received) => this.core === core && this.receive(received));
    core.onExit((exit) => this.core === core && this.exited(exit));
    core.send(message);
  }

  private receive(message: CoreToShell): void {
    switch (message.kind) {
      case 'started': {
        if (this.state !== 'starting') return;
        this.state = 'running';
        this.failedStarts = 0;
        this.startedAt = Date.now();
        this.reason = '';
        this.options.onEvent(linkEvent(this.hasStarted ? 'resumed' : 'connected'));
        this.hasStarted = true;
        for (const call of this.early) this.core?.send(call);
        this.early = [];
        return;
      }
      case 'failed':
        this.failure = message.error;
        return;
      case 'answer': {
        const resolve = this.pending.get(message.id);
        this.pending.delete(message.id);
        resolve?.(message.answer);
        return;
      }
      case 'event':
        this.options.onEvent({ name: message.name, payload: message.payload });
        return;
    }
  }

  private exited(exit: CoreExit): void {
    this.core = undefined;
    const { state, failure } = this;
    const words = failure === undefined ? exit.lastWords : `${failure.message} ${failure.hint}`.trimEnd();
    this.reason = words === '' ? `Lifeline's core ended unexpectedly (code ${exit.code ?? 'none'}).` : words;
    for (const resolve of this.pending.values()) resolve(this.away());
    this.pending.clear();
    this.early = [];

    if (state === 'stopping') {
      if (this.timer !== undefined) clearTimeout(this.timer);
      this.state = 'stopped';
      for (const resolve of this.stopWaiters) resolve();
      this.stopWaiters = [];
      return;
    }
    if (state === 'starting') this.failedStarts += 1;
    else if (Date.now() - this.startedAt >= STEADY_AFTER_MS) this.restarts = 0;
    if (failure !== undefined || this.failedStarts >= FAILED_STARTS_MAX) {
      this.giveUp(this.reason);
      return;
    }
    this.options.onEvent(linkEvent('lost', this.reason));
    this.state = 'waiting';
    const pauseMs = Math.min(PAUSE_FIRST_MS * 2 ** this.restarts, PAUSE_MAX_MS);
    this.restarts += 1;
    this.timer = setTimeout(() => this.launch(), pauseMs);
  }

  private giveUp(sentence: string): void {
    this.state = 'unable';
    this.reason = sentence;
    this.options.onEvent(linkEvent('lost', sentence));
    this.options.onUnable(sentence);
  }

  private away(): ContractAnswer {
    const isComing = this.state === 'starting' || this.state === 'running' || this.state === 'waiting';
    const message = this.reason === '' ? "Lifeline's core does not run." : this.reason;
    const hint = isComing ? 'It is being started again; try once more in a moment.' : 'Start Lifeline again.';
    return {
      ok: false,
      error: { code: 'notReady', side: 'internal', message, context: {}, causes: [], hint },
    };
  }
}
