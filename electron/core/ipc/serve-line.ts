/** The contract over the line to the desktop's shell: calls, answers and events, through the same `dispatch` as HTTP. */
import { parseShellToCore, type ShellToCore } from '../../../shared/contract/desktop.ts';
import type { Core } from '../services/core.ts';
import type { ParentLine } from './parent-line.ts';

/** Calls `onStop` when the parent asks for the end. What is no message of ours is not answered. */
export function serveLine(core: Core, line: ParentLine, onStop: () => void): void {
  core.hub.on(({ name, payload }) => line.send({ kind: 'event', name, payload }));
  line.onMessage((received) => {
    const message = parseShellToCore(received);
    if (message?.kind === 'stop') onStop();
    if (message?.kind === 'call') void answer(core, line, message);
  });
}

type Call = Extract<ShellToCore, { kind: 'call' }>;

async function answer(core: Core, line: ParentLine, { id, name, input }: Call): Promise<void> {
  line.send({ kind: 'answer', id, answer: await core.dispatch(name, input) });
}
