/** Where the shell finds its parts, and the data folder that it shares with the headless program. */
import { app } from 'electron';
import envPaths from 'env-paths';
import { existsSync, readFileSync, realpathSync } from 'fs';
import { join, resolve } from 'path';

/** The core's modules need what this Node has (`node:sqlite`, zstd). */
export const CORE_NODE_MAJOR = 24;

export interface Places {
  readonly dataDirectory: string;
  readonly coreEntry: string;
  readonly windowDirectory: string;
  readonly preload: string;
}

/** The built parts stand side by side: `out/shell`, `out/preload`, `out/renderer`, `out/electron/core`. */
export function findPlaces(env: NodeJS.ProcessEnv = process.env): Places {
  const chosen = env['LIFELINE_DATA_DIR'];
  // A test's core and window; a packaged program takes its own only.
  const override = (name: string): string | undefined => (app.isPackaged ? undefined : env[name]);
  return {
    // As the core finds it (electron/core/data-folder.ts).
    dataDirectory: chosen === undefined || chosen === '' ? envPaths('lifeline', { suffix: '' }).data : resolve(chosen),
    coreEntry: override('LIFELINE_CORE_ENTRY') ?? join(__dirname, '..', 'electron', 'core', 'main.js'),
    windowDirectory: override('LIFELINE_WINDOW_DIR') ?? join(__dirname, '..', 'renderer'),
    preload: join(__dirname, '..', 'preload', 'preload.cjs'),
  };
}

/**
 * The Node that runs the core: named by `npm start`, packed beside the program, or the project's own. Undefined where
 * there is none.
 */
export function findNode(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const file = process.platform === 'win32' ? 'node.exe' : 'node';
  const named = env['LIFELINE_NODE'];
  const packages = join(__dirname, '..', '..', 'node_modules');
  const system = process.platform === 'win32' ? 'win' : process.platform;
  const candidates = [
    ...(named === undefined || named === '' ? [] : [named]),
    join(process.resourcesPath, 'node', file),
    join(packages, `node-${system}-${process.arch}`, 'bin', file),
    join(packages, `node-bin-${system}-${process.arch}`, 'bin', file),
  ];
  const found = candidates.find((candidate) => existsSync(candidate));
  return found === undefined ? undefined : realpathSync(found);
}

/** Of the program, not of Electron: its app name and version are Electron's when a file is started by name. */
export function programVersion(): string {
  const manifest = JSON.parse(readFileSync(join(__dirname, '..', '..', 'package.json'), 'utf8')) as { version: string };
  return manifest.version;
}
