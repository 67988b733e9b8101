/** What both kinds of subject have in common: a process that is asked, and ended. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Measured } from './bench-server.ts';
import type { Subject } from './subject.ts';

/** The engine gives calls under way 30 s, its host and the shell some more. */
const STOP_LIMIT_MS = 45_000;

export const callsTo = (core: Measured<'core'>): Subject['call'] =>
  ((name: string, input?: unknown) => core.call(name, input)) as Subject['call'];

/** Resolves when it has ended: as `ask` asked it to, or killed when that takes too long. */
export async function endChild(child: ChildProcess, ask: () => void): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
    ask();
    return;
  }
  const closed = once(child, 'close');
  ask();
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
  await closed;
  clearTimeout(timer);
}
