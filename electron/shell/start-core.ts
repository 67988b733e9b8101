/** Which process the core gets, on this Electron and this machine. */
import * as electron from 'electron';
import envPaths from 'env-paths';
import { join } from 'path';
import { DESKTOP_COMMAND } from '../../shared/contract/desktop.ts';
import { startWithNode, startWithUtilityProcess, type CoreProcess, type CoreProgram } from './core-process.ts';
import { CORE_NODE_MAJOR, findNode, type Places } from './places.ts';

/**
 * What the core's Node is started with, as build/start.mjs does. One pool of memory for all of its threads: glibc gives each
 * its own, which keeps what that thread has given back. And what was compiled is kept: a task's thread starts in two
 * thirds of the time (0.38 s, and 0.24 with it).
 */
const NODE_VARIABLES = {
  MALLOC_ARENA_MAX: '1',
  NODE_COMPILE_CACHE: join(envPaths('lifeline', { suffix: '' }).cache, 'compiled'),
};
/** MiB for what has just been made, of which little survives here: V8 takes 16, and keeps them. A task's thread has its own. */
const V8_OPTIONS = ['--max-semi-space-size=4'];
/** Set by Electron for itself and of no use, or of harm, to the core. */
const OWN_VARIABLES = ['ELECTRON_RUN_AS_NODE', 'ELECTRON_NO_ATTACH_CONSOLE', 'NODE_OPTIONS'];

/**
 * Electron's utility process where its Node is new enough; else, or when the core failed to start in one, plain Node.
 * Throws a sentence where there is neither.
 */
export function startCore(places: Places, failedStarts: number): CoreProcess {
  const env: NodeJS.ProcessEnv = { ...NODE_VARIABLES, ...process.env, LIFELINE_DATA_DIR: places.dataDirectory };
  for (const name of OWN_VARIABLES) Reflect.deleteProperty(env, name);
  const program: CoreProgram = { entry: places.coreEntry, args: [DESKTOP_COMMAND], env };
  const node = findNode();
  // Since Electron 22.
  const utility = (electron as Partial<typeof electron>).utilityProcess;
  const isNodeNew = Number(process.versions.node.split('.')[0]) >= CORE_NODE_MAJOR;
  if (utility !== undefined && isNodeNew && (failedStarts === 0 || node === undefined)) {
    return startWithUtilityProcess((entry, args, options) => utility.fork(entry, args, options), program);
  }
  if (node !== undefined) return startWithNode(node, V8_OPTIONS, program);
  throw new Error(
    `Lifeline's core needs Node ${CORE_NODE_MAJOR}, and there is none for ${process.platform} ${process.arch}. Start it with: npm start`,
  );
}
