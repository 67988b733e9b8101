/** `npm run test:sim -- --seeds N --first S`: N random lives, from seed S on. */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { ensureInstalled, nodeProgram, packageProgram, run } from '../../build/setup.mjs';

const SEEDS_DEFAULT = '2000';

let code = 1;
try {
  const { values } = parseArgs({
    options: { seeds: { type: 'string', default: SEEDS_DEFAULT }, first: { type: 'string', default: '1' } },
  });
  for (const [name, value] of Object.entries(values)) {
    if (!/^[1-9]\d{0,8}$/.test(value)) throw new Error(`--${name} takes a whole number above zero, not ${value}.`);
  }
  await ensureInstalled();
  const args = ['run', '--config', 'test/sim/vitest.config.ts', 'test/sim/random.test.ts'];
  code = await run(nodeProgram(), [packageProgram('vitest', 'vitest'), ...args], {
    env: { ...process.env, LIFELINE_SIM_SEEDS: values.seeds, LIFELINE_SIM_FIRST: values.first },
  });
} catch (error) {
  process.stderr.write(`${error.message}\n`);
}
process.exit(code);
