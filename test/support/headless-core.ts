/** The core without a desktop, as `npm start -- --headless` runs it, and the link that it prints. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const CORE =
  process.env['LIFELINE_CORE_ENTRY'] ?? fileURLToPath(new URL('../../out/electron/core/main.js', import.meta.url));
const START_LIMIT_MS = 30_000;

export interface HeadlessCore {
  /** Signs one browser in, once. */
  readonly signInLink: string;
  /** In order, as Ctrl-C does. */
  stop(): Promise<void>;
}

export async function startHeadlessCore(dataDirectory: string): Promise<HeadlessCore> {
  const core = spawn(process.execPath, [CORE, 'serve', '--data-dir', dataDirectory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(core, 'exit');
  const said: string[] = [];
  const link = new Promise<string>((resolve, reject) => {
    createInterface({ input: core.stdout }).on('line', (line) => {
      said.push(line);
      const found = /https?:\/\/\S+#\/sign-in\S*/.exec(line)?.[0];
      if (found !== undefined) resolve(found);
    });
    const fail = (): void => reject(new Error(`The core printed no sign-in link:\n${said.join('\n')}`));
    void exited.then(fail);
    setTimeout(fail, START_LIMIT_MS).unref();
  });
  const stop = async (): Promise<void> => {
    core.kill('SIGTERM');
    await exited;
  };
  try {
    return { signInLink: await link, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
