/**
 * `npm start`: sets up what is missing, then opens the desktop window, or serves the same window to a browser where there
 * is no display. A command or an option of the core (`npm start -- drill`) runs the core alone.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ensureElectron, findElectron, hasDisplay, runWindow } from './electron.mjs';
import { endWithNpm, ensureBuilt, ensureInstalled, nodeProgram, root } from './setup.mjs';

const say = (text) => process.stderr.write(`${text}\n`);

/** @returns the window is wanted: `must`, or `may` where it can be had; and what is left for the core. */
function readArguments(args) {
  const rest = args.filter((arg) => arg !== '--headless' && arg !== '--window');
  const isForced = args.includes('--window');
  if (args.includes('--headless')) {
    if (isForced) throw new Error('--headless and --window exclude each other.');
    return { rest };
  }
  if (!isForced) return rest.length === 0 && hasDisplay() ? { rest, window: 'may' } : { rest };
  if (rest.length > 0) throw new Error(`--window opens the desktop window and takes nothing else: ${rest.join(' ')}`);
  if (!hasDisplay()) throw new Error('--window needs a display, and neither DISPLAY nor WAYLAND_DISPLAY is set.');
  return { rest, window: 'must' };
}

/** @returns the exit code; undefined where there is no window to be had, and that has been said. */
async function openWindow(isForced) {
  let reason;
  try {
    const { code, failed } = await runWindow(await ensureElectron());
    if (failed === undefined) return code;
    reason = failed;
  } catch (error) {
    reason = error.message;
  }
  if (isForced) throw new Error(reason);
  say(`${reason} The same window is served to your browser instead.`);
  return undefined;
}

/** What the core cannot find by itself: the Electron that the bench opens the window in. */
async function forBench(args) {
  if (args[0] !== 'bench' || ['--no-shell', '--help', '-h', '--electron'].some((arg) => args.includes(arg))) return [];
  const program = args.includes('--shell') ? await ensureElectron() : findElectron();
  return program === undefined ? [] : ['--electron', program];
}

function runCore(args) {
  return new Promise((resolve, reject) => {
    // What makes it small and quick to start: see electron/shell/start-core.ts.
    const options = ['--max-semi-space-size=4'];
    const variables = { MALLOC_ARENA_MAX: '1', NODE_COMPILE_CACHE: join(root, 'out', 'compiled') };
    const core = spawn(nodeProgram(), [...options, join(root, 'out', 'electron', 'core', 'main.js'), ...args], {
      stdio: 'inherit',
      env: { ...variables, ...process.env },
    });
    // Ctrl-C reaches the whole group; the application decides when to end, this only passes its answer on.
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => signal === 'SIGTERM' && core.kill(signal));
    core.once('error', reject);
    core.once('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 1)));
  });
}

try {
  const { rest, window } = readArguments(process.argv.slice(2));
  endWithNpm();
  await ensureInstalled();
  await ensureBuilt();
  const code = window === undefined ? undefined : await openWindow(window === 'must');
  process.exit(code ?? (await runCore([...rest, ...(await forBench(rest))])));
} catch (error) {
  say(error.message);
  process.exit(1);
}
