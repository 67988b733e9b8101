import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const SETUP = fileURLToPath(new URL('../../../build/setup.mjs', import.meta.url));
const PROGRAM = `
  import { endWithNpm } from ${JSON.stringify(SETUP)};
  process.on('SIGTERM', () => { console.log('ended in order'); process.exit(); });
  endWithNpm();
  setInterval(() => {}, 1000);
  console.log('running');
`;

describe.skipIf(process.platform === 'win32')('a start by npm', () => {
  it("ends in order when npm's shell was ended and did not pass the signal on", async () => {
    // A command after it, so that the shell does not give its place to the program.
    const shell = spawn('sh', ['-c', '"$0" --input-type=module -e "$1"; true', process.execPath, PROGRAM], {
      env: { ...process.env, npm_lifecycle_event: 'start' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    shell.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk;
      if (said === 'running\n') shell.kill();
    });
    // The pipe ends with the last who holds it.
    await once(shell.stdout, 'end');
    expect(said).toBe('running\nended in order\n');
  });
});
