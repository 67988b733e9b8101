import { cpus } from 'node:os';

const MS_PER_SECOND = 1_000;

/** What all processes together have spent since the machine was started: source, target and product share its processors. */
export const machineCpuSeconds = (): number =>
  cpus().reduce((sum, { times }) => sum + (times.user + times.nice + times.sys + times.irq) / MS_PER_SECOND, 0);
