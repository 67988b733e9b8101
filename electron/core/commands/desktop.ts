/**
 * `desktop`: the core as a child of the desktop's shell. Waits for the start message, which may bring the data key, and
 * ends when the shell asks for it or is gone.
 */
import { pino } from 'pino';
import { parseShellToCore } from '../../../shared/contract/desktop.ts';
import { openDataFolder } from '../data-folder.ts';
import { openParentLine, type ParentLine } from '../ipc/parent-line.ts';
import { serveLine } from '../ipc/serve-line.ts';
import { toErrorData } from '../services/contract.ts';
import { openCore, type Core } from '../services/core.ts';

export interface DesktopOptions {
  readonly dataDir?: string;
  readonly logLevel: string;
}

/** `onStarted` is for who measures the core from within. @returns the process's exit code. */
export async function desktop(
  { dataDir, logLevel }: DesktopOptions,
  signal: AbortSignal,
  onStarted?: (core: Core) => void,
): Promise<number> {
  const line = openParentLine();
  if (line === undefined) {
    process.stderr.write('This command is started by the desktop window. Start that with: npm start\n');
    return 1;
  }
  const logger = pino({ level: logLevel, base: null }, pino.destination(2));
  const stopped = Promise.withResolvers<void>();
  const stop = (): void => stopped.resolve();
  line.onClosed(stop);
  signal.addEventListener('abort', stop, { once: true });
  let core: Core | undefined;
  try {
    const start = await Promise.race([startMessage(line), stopped.promise]);
    if (start === undefined) return 0;
    core = openCore({ folder: openDataFolder(dataDir), dataKey: start.dataKey, logLevel, logger });
    serveLine(core, line, stop);
    core.start();
    line.send({ kind: 'started' });
    onStarted?.(core);
    await stopped.promise;
    return 0;
  } catch (error) {
    line.send({ kind: 'failed', error: toErrorData(error, 'start', logger) });
    return 1;
  } finally {
    await core?.close();
    line.close();
  }
}

function startMessage(line: ParentLine): Promise<{ readonly dataKey?: string | undefined }> {
  return new Promise((resolve) => {
    line.onMessage((received) => {
      const message = parseShellToCore(received);
      if (message?.kind === 'start') resolve(message);
    });
  });
}
