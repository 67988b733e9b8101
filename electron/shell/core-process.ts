/**
 * The core as a child process, in its two forms: plain Node (the project's own 24), and Electron's utility process where
 * Electron's own Node is new enough. Both end by themselves when this process dies, since their channel closes.
 */
import { spawn } from 'child_process';
import type { UtilityProcess } from 'electron';
import type { CoreToShell, ShellToCore } from '../../shared/contract/desktop.ts';

/** Enough of what a dying core said to find its sentence in. */
const LAST_WORDS_CHARS = 8 * 1024;

export interface CoreExit {
  readonly code: number | null;
  /** The last plain line that it wrote to its standard error; empty: it said nothing. */
  readonly lastWords: string;
}

export interface CoreProcess {
  /** Lost without an error when the process is gone: `onExit` tells. */
  send(message: ShellToCore): void;
  onMessage(listener: (message: CoreToShell) => void): void;
  /** Called once, also when the process could not be started at all. */
  onExit(listener: (exit: CoreExit) => void): void;
  /** `force` leaves it no time to put anything in order. */
  kill(force: boolean): void;
}

export interface CoreProgram {
  /** The core's main file. */
  readonly entry: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

export function startWithNode(node: string, options: readonly string[], program: CoreProgram): CoreProcess {
  const child = spawn(node, [...options, program.entry, ...program.args], {
    env: program.env,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    windowsHide: true,
    // Ctrl-C in a terminal reaches the whole process group; the core is to be stopped by the shell, in order.
    detached: process.platform !== 'win32',
  });
  const words = new LastWords();
  // Announced as pipes three lines above, which the types cannot follow.
  child.stdout?.on('data', (chunk: Buffer) => void process.stdout.write(chunk));
  child.stderr?.on('data', (chunk: Buffer) => words.add(chunk));
  return {
    // The callback takes the error of a channel that is closed already; the exit says the same, and says it once.
    send: (message) => {
      if (child.connected) child.send(message, () => undefined);
    },
    onMessage: (listener) => void child.on('message', (message) => listener(message as CoreToShell)),
    onExit(listener) {
      child.once('error', (error) =>
        listener({ code: null, lastWords: `${node} could not be started: ${error.message}` }),
      );
      // `close` and not `exit`: by then all of its last words are here.
      child.once('close', (code) => listener({ code, lastWords: words.line() }));
    },
    kill: (force) => void child.kill(force ? 'SIGKILL' : 'SIGTERM'),
  };
}

export function startWithUtilityProcess(
  fork: (
    entry: string,
    args: string[],
    options: { env: NodeJS.ProcessEnv; stdio: 'pipe'; serviceName: string },
  ) => UtilityProcess,
  program: CoreProgram,
): CoreProcess {
  const child = fork(program.entry, [...program.args], {
    env: program.env,
    stdio: 'pipe',
    serviceName: 'Lifeline core',
  });
  const words = new LastWords();
  child.stdout?.on('data', (chunk: Buffer) => void process.stdout.write(chunk));
  child.stderr?.on('data', (chunk: Buffer) => words.add(chunk));
  return {
    send: (message) => child.postMessage(message),
    onMessage: (listener) => void child.on('message', (message) => listener(message as CoreToShell)),
    onExit: (listener) => void child.once('exit', (code) => listener({ code, lastWords: words.line() })),
    kill(force) {
      if (force && child.pid !== undefined) process.kill(child.pid, 'SIGKILL');
      else child.kill();
    },
  };
}

/** Passes the core's standard error on and remembers its end. */
class LastWords {
  private text = '';

  add(chunk: Buffer): void {
    process.stderr.write(chunk);
    this.text = (this.text + chunk.toString('utf8')).slice(-LAST_WORDS_CHARS);
  }

  /** The last line that reads like a sentence: not of the log (JSON), a stack or a printed object. */
  line(): string {
    const sentences = this.text.split('\n').filter((line) => /^[A-Z]/.test(line) && !line.startsWith('Node.js v'));
    return (sentences.pop() ?? '').replace(/^\w*Error: /, '').trimEnd();
  }
}
