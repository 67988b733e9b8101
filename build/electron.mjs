/** The desktop's Electron: found, fetched through its own package's installer, and started with the built shell. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeProgram, root } from './setup.mjs';

const electronPackage = join(root, 'node_modules', 'electron');
/** Without a byte in this time the download host is taken for out of reach. */
const STALL_MS = 60_000;
const LOOK_EVERY_MS = 1_000;
/** Where nothing can be overwritten (a log), a line now and then. */
const LINE_EVERY_MS = 10_000;
/** An Electron that cannot open its window says so at once. */
const STARTED_AFTER_MS = 15_000;
const LAST_WORDS_CHARS = 16 * 1024;

const PROGRAM =
  { darwin: 'Electron.app/Contents/MacOS/Electron', win32: 'electron.exe' }[process.platform] ?? 'electron';

/** What can be seen where it is started; macOS and Windows always have a screen. */
export function hasDisplay(env = process.env, platform = process.platform) {
  return platform === 'darwin' || platform === 'win32' || Boolean(env.DISPLAY || env.WAYLAND_DISPLAY);
}

/** The program's path where it is at hand; nothing is fetched. Throws a sentence when another place was named in vain. */
export function findElectron() {
  const given = process.env.ELECTRON_OVERRIDE_DIST_PATH;
  if (given) {
    const program = join(given, PROGRAM);
    if (existsSync(program)) return program;
    throw new Error(`ELECTRON_OVERRIDE_DIST_PATH names ${given}, which holds no Electron.`);
  }
  const program = join(electronPackage, 'dist', PROGRAM);
  return isWhole(program) ? program : undefined;
}

/** The program's path, fetched when it is missing. Rejects with a sentence. */
export async function ensureElectron() {
  const found = findElectron();
  if (found !== undefined) return found;
  await fetchElectron(join(electronPackage, 'install.js'), join(electronPackage, 'dist'));
  return join(electronPackage, 'dist', PROGRAM);
}

/** As its installer sees it: the package's own version lies there, to the end. */
function isWhole(program) {
  try {
    const { version } = JSON.parse(readFileSync(join(electronPackage, 'package.json'), 'utf8'));
    const there = readFileSync(join(electronPackage, 'dist', 'version'), 'utf8')
      .replace(/^v/, '')
      .trim();
    return there === version && existsSync(join(electronPackage, 'path.txt')) && existsSync(program);
  } catch {
    // Not there, or not to the end.
    return false;
  }
}

/**
 * Runs the installer, tells how far it is, and ends it when no byte has come for `stallMs`. It says nothing of its
 * progress itself, so the folders that it writes to are watched: its temporary one, which is ours, and the last one.
 */
export async function fetchElectron(installer, dist, { stallMs = STALL_MS, out = process.stderr } = {}) {
  const work = mkdtempSync(join(tmpdir(), 'lifeline-electron-'));
  try {
    await new Promise((resolve, reject) => {
      const child = spawn(nodeProgram(), [installer], {
        env: { ...process.env, TMPDIR: work, TEMP: work, TMP: work, ELECTRON_GET_NO_PROGRESS: '1' },
        stdio: ['ignore', 'ignore', 'pipe'],
        shell: process.platform === 'win32',
      });
      let words = '';
      child.stderr.on('data', (chunk) => (words = (words + chunk).slice(-LAST_WORDS_CHARS)));
      let [bytes, movedAt, lineAt, isStalled] = [0, Date.now(), 0, false];
      const look = setInterval(
        () => {
          const now = sizeOf(work) + sizeOf(dist);
          if (now !== bytes) [bytes, movedAt] = [now, Date.now()];
          if (Date.now() - movedAt >= stallMs) {
            isStalled = true;
            child.kill('SIGKILL');
          }
          const line = `Fetching Electron for the window, once: ${Math.round(bytes / 1e6)} MB`;
          if (out.isTTY) out.write(`\r${line}`);
          else if (Date.now() - lineAt >= LINE_EVERY_MS) {
            lineAt = Date.now();
            out.write(`${line}\n`);
          }
        },
        Math.min(LOOK_EVERY_MS, stallMs),
      );
      const end = (error) => {
        clearInterval(look);
        if (out.isTTY) out.write('\r\u001b[K');
        if (error === undefined) resolve();
        else reject(error);
      };
      child.once('error', (error) => end(new Error(`Electron could not be fetched: ${error.message}.`)));
      child.once('close', (code) => {
        if (isStalled)
          end(new Error(`Electron could not be fetched: not a byte came in ${Math.round(stallMs / 1000)} s.`));
        else if (code !== 0) end(new Error(`Electron could not be fetched: ${causeIn(words)}.`));
        else end();
      });
    });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The installer prints the outermost error and its stack: "fetch failed" alone helps nobody. */
function causeIn(words) {
  const cause = /^(?:\w*Error): (.+)$/m.exec(words)?.[1] ?? words.trim().split('\n').pop();
  if (!cause) return 'its installer said nothing';
  return /fetch failed|ENOTFOUND|ECONN|EAI_AGAIN|ETIMEDOUT/.test(cause)
    ? 'its download host could not be reached'
    : cause;
}

function sizeOf(path) {
  try {
    const stat = statSync(path);
    if (!stat.isDirectory()) return stat.size;
    return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
  } catch {
    // Moved away between two looks, or not there yet.
    return 0;
  }
}

/**
 * Opens the window and waits for its end. Resolves with the exit code, or with `failed`, a sentence, when Electron ended
 * badly before it can have shown anything.
 */
export function runWindow(program, env = {}) {
  const startedAt = Date.now();
  // Chromium's sandbox refuses to run as root. The page stays apart from Node all the same (sandboxed preload).
  const args = process.platform === 'linux' && process.getuid() === 0 ? ['--no-sandbox'] : [];
  const node = nodeProgram();
  const child = spawn(program, [...args, join(root, 'out', 'shell', 'main.cjs')], {
    cwd: process.cwd(),
    env: { ...process.env, ...(node.endsWith('.cmd') ? {} : { LIFELINE_NODE: realpathSync(node) }), ...env },
    stdio: ['inherit', 'inherit', 'pipe'],
  });
  let words = '';
  child.stderr.on('data', (chunk) => {
    words = (words + chunk).slice(-LAST_WORDS_CHARS);
    // Chromium's own chatter is for its developers; everything else is ours or the core's.
    const lines = String(chunk).split('\n');
    const ours = lines.filter((line) => !/^\[\d+:\d+\/[\d.]+:(ERROR|WARNING|INFO)/.test(line)).join('\n');
    if (ours.trim() !== '') process.stderr.write(ours);
  });
  const pass = (signal) => child.kill(signal);
  // Ctrl-C reaches the whole group: the window ends its core in order, and this waits for it.
  const wait = () => undefined;
  process.on('SIGTERM', pass).on('SIGINT', wait);
  return new Promise((resolve) => {
    const end = (result) => {
      process.off('SIGTERM', pass).off('SIGINT', wait);
      resolve(result);
    };
    child.once('error', (error) => end({ failed: `Electron could not be started: ${error.message}.` }));
    child.once('close', (code, signal) => {
      const isEarly = Date.now() - startedAt < STARTED_AFTER_MS;
      const isOver = signal === 'SIGINT' || signal === 'SIGTERM';
      if (isEarly && code !== 0 && !isOver) end({ failed: `The window could not be opened: ${whyNoWindow(words)}.` });
      else end({ code: code ?? (signal === 'SIGINT' ? 130 : 1) });
    });
  });
}

function whyNoWindow(words) {
  if (/sandbox/i.test(words)) return 'this system does not let Electron set up its sandbox';
  if (/display|X server/i.test(words)) return 'the display could not be reached';
  const library = /error while loading shared libraries: (\S+?):/.exec(words)?.[1];
  if (library !== undefined) return `the system library ${library} is missing`;
  const last = words.trim().split('\n').pop();
  if (last) return last;
  // What it does when it cannot connect to the display.
  return process.platform === 'linux'
    ? `Electron ended at once; perhaps the display ${process.env.DISPLAY || process.env.WAYLAND_DISPLAY} cannot be reached`
    : 'Electron ended at once';
}
