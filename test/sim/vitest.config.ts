/** The simulation alone, with a defect planted where `LIFELINE_PLANTED` names one. */
import { defineConfig } from 'vitest/config';
import { DEFECTS } from './planted/defects.ts';
import { planted } from './planted/planted.ts';

const name = process.env['LIFELINE_PLANTED'];
const defect = DEFECTS.find((each) => each.name === name);
if (name !== undefined && defect === undefined) throw new Error(`No defect is called ${name}.`);

export default defineConfig({
  root: new URL('../..', import.meta.url).pathname,
  plugins:
    defect === undefined
      ? []
      : [planted(process.env['LIFELINE_PLANTED_HARMLESS'] ? { ...defect, to: defect.from } : defect)],
  test: {
    name: 'sim',
    include: ['test/sim/**/*.test.ts'],
    // What is kept of one defect's run would be taken for the next one's.
    fsModuleCache: false,
  },
});
