/**
 * What `npm start` and `npm test` share: the missing set-up, done once and only when needed. Runs on any Node from 20
 * on, with nothing installed; everything else runs on the project's own Node (see README, "Requirements").
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const lockFile = join(root, 'package-lock.json');
const installStamp = join(root, 'node_modules', '.lifeline-installed');
const ownNode = join(root, 'node_modules', '.bin', process.platform === 'win32' ? 'node.cmd' : 'node');
const NODE_MAJOR = 24;

/** Runs a program to its end; rejects with a sentence when it fails. */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: 'inherit',
      shell: process.platform === 'win32',
      ...options,
    });
    child.once('error', (error) => reject(new Error(`${command} could not be started: ${error.message}`)));
    child.once('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 1)));
  });
}

const say = (text) => process.stderr.write(`${text}\n`);

/** npm's shell dies of a SIGTERM without passing it on: what it leaves behind would run on, unseen. */
const PARENT_LOOK_EVERY_MS = 500;

/** Takes the end of the npm that started this for the signal that it was ended with. */
export function endWithNpm() {
  // Windows never says that a parent has gone; without npm the signal arrives by itself.
  if (process.platform === 'win32' || process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const look = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(look);
    process.kill(process.pid, 'SIGTERM');
  }, PARENT_LOOK_EVERY_MS);
  look.unref();
}

/** Installs the packages of the lock file, unless that was done for this very lock file. */
export async function ensureInstalled() {
  const wanted = createHash('sha256').update(readFileSync(lockFile)).digest('hex');
  const done = existsSync(installStamp) ? readFileSync(installStamp, 'utf8') : '';
  if (done === wanted) return;
  say('Installing packages (npm ci); this happens once.');
  const code = await run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  if (code !== 0) throw new Error('npm ci failed. Check the network and the npm registry setting, then try again.');
  writeFileSync(installStamp, wanted);
}

/** The project's own Node where its platform has one, otherwise this one if it is new enough. */
export function nodeProgram() {
  if (existsSync(ownNode)) return ownNode;
  if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR) return process.execPath;
  throw new Error(
    `Node ${NODE_MAJOR} is needed on this platform (${process.platform} ${process.arch}); this is ${process.version}. Install Node ${NODE_MAJOR} or newer and try again.`,
  );
}

/** The path of an installed package's program, to be run by `nodeProgram()`. */
export function packageProgram(name, program) {
  const require = createRequire(join(root, 'package.json'));
  const manifestFile = join(root, 'node_modules', ...name.split('/'), 'package.json');
  const { bin } = require(manifestFile);
  return join(dirname(manifestFile), typeof bin === 'string' ? bin : bin[program]);
}

/** Compiles what changed since the last time, and bundles the window anew when something of it changed. */
export async function ensureBuilt() {
  const out = join(root, 'out');
  mkdirSync(out, { recursive: true });
  if (!existsSync(join(out, 'electron', 'core', 'main.js'))) say('Building; this happens once.');
  const node = nodeProgram();
  // The compiler itself knows what changed; the bundler does not, so its inputs are compared here.
  const code = await run(node, [packageProgram('typescript', 'tsc'), '--build']);
  if (code !== 0) throw new Error('The build failed; the errors are above.');

  const stamp = join(out, 'window.stamp');
  const wanted = hashOf(WINDOW_INPUTS);
  const isThere = WINDOW_OUTPUTS.every((file) => existsSync(join(out, file)));
  if (isThere && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  rmSync(stamp, { force: true });
  const args = [packageProgram('electron-vite', 'electron-vite'), 'build', '--logLevel', 'warn'];
  if ((await run(node, args)) !== 0) throw new Error('The window could not be built; the errors are above.');
  writeFileSync(stamp, wanted);
}

/** What the window's bundles are made of. */
const WINDOW_INPUTS = [
  'electron/preload',
  'electron/shell',
  'electron.vite.config.ts',
  'package-lock.json',
  'renderer',
  'shared',
];
const WINDOW_OUTPUTS = ['shell/main.cjs', 'preload/preload.cjs', 'renderer/index.html'];

function hashOf(paths) {
  const hash = createHash('sha256');
  const add = (path) => {
    const full = join(root, path);
    if (statSync(full).isDirectory()) {
      for (const name of readdirSync(full).sort()) add(`${path}/${name}`);
    } else hash.update(`${path}\0`).update(readFileSync(full)).update('\0');
  };
  for (const path of paths) add(path);
  return hash.digest('hex');
}
