/** `npm start`: sets up what is missing, then runs the application with the arguments given after `--`. */
import { join } from 'node:path';
import { ensureBuilt, ensureInstalled, nodeProgram, root } from './setup.mjs';
import { spawn } from 'node:child_process';

try {
  await ensureInstalled();
  await ensureBuilt();
  const child = spawn(nodeProgram(), [join(root, 'out', 'electron', 'core', 'main.js'), ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  // Ctrl-C reaches the whole group; the application decides when to end, this only passes its answer on.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => signal === 'SIGTERM' && child.kill(signal));
  child.once('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
