import { describe, expect, it } from 'vitest';
import {
  identify,
  livenessOf,
  procTable,
  startTimeInStat,
  type ProcessTable,
} from '../../../../electron/core/lab/process-identity.ts';

const who = { pid: 7, startTime: '100', bootId: 'boot-1', pidNamespace: 'pid:[1]' };

/** A machine with at most one process, number 7. */
const machine = (startTime: string | undefined, bootId = 'boot-1', pidNamespace = 'pid:[1]'): ProcessTable => ({
  startTime: async (pid) => (pid === 7 ? startTime : undefined),
  pids: async () => [7],
  environment: async () => undefined,
  bootId: async () => bootId,
  pidNamespace: async () => pidNamespace,
  kill: () => {
    throw new Error('Nothing may be killed here.');
  },
});

describe('livenessOf', () => {
  it('takes a process for alive when number and start time agree', async () => {
    expect(await livenessOf(machine('100'), who)).toBe('alive');
  });

  it('is not fooled by another process that was given the same number', async () => {
    expect(await livenessOf(machine('101'), who)).toBe('dead');
  });

  it('takes every process from before a reboot for dead, whatever runs under its number now', async () => {
    expect(await livenessOf(machine('100', 'boot-2'), who)).toBe('dead');
  });

  it('does not judge a process of another container', async () => {
    expect(await livenessOf(machine(undefined, 'boot-1', 'pid:[2]'), who)).toBe('unknown');
  });
});

describe('startTimeInStat', () => {
  const rest = `${Array.from({ length: 18 }, (_, index) => index + 4).join(' ')} 4711 23 24`;

  it('finds the start time behind a command name with spaces and brackets', () => {
    expect(startTimeInStat(`7 (a ) S (b) S ${rest}`)).toBe('4711');
  });

  it('takes a zombie for gone', () => {
    expect(startTimeInStat(`7 (sleep) Z ${rest}`)).toBeUndefined();
  });
});

describe('procTable', () => {
  it('sees this process alive', async () => {
    const self = await identify(procTable, process.pid);
    expect(self && (await livenessOf(procTable, self))).toBe('alive');
    expect(await procTable.pids()).toContain(process.pid);
  });

  it('answers undefined for a process that does not exist', async () => {
    const pidMax = 2 ** 22;
    expect(await procTable.startTime(pidMax + 1)).toBeUndefined();
    expect(await procTable.environment(pidMax + 1)).toBeUndefined();
  });
});
