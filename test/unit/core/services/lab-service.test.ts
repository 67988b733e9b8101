import { mkdirSync, mkdtempSync, rmSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Lab, LabOptions } from '../../../../electron/core/lab/lab.ts';
import type { ConnectionService } from '../../../../electron/core/services/connection-service.ts';
import { EventHub } from '../../../../electron/core/services/event-hub.ts';
import { LabService } from '../../../../electron/core/services/lab-service.ts';
import type { SettingStore } from '../../../../electron/core/store/setting-store.ts';
import { silentLogger } from '../../../../electron/engine/runtime/logger.ts';
import type { LabView } from '../../../../shared/contract/procedures.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';

let parent: string;
let directory: string;
let settings: Map<string, string>;
let known: Map<string, string>;
let views: LabView[];
let hub: EventHub;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'lifeline-lab-service-'));
  directory = join(parent, 'lab');
  settings = new Map();
  known = new Map();
  views = [];
  hub = new EventHub();
  hub.on(({ payload }) => views.push((payload as { lab: LabView }).lab));
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

const side = (name: 'source' | 'target') => ({
  name,
  asSource: { etcd: { endpoints: ['e:1'] }, wal: { kind: 'nats' } },
  asTarget: { milvus: { address: `${name}:1` } },
});

function fakeLab(): Lab {
  for (const name of ['source', 'target']) mkdirSync(join(directory, name), { recursive: true });
  const stop = (): Promise<void> => Promise.resolve();
  return {
    directory,
    source: side('source'),
    target: side('target'),
    stop,
    remove: async () => rmSync(directory, { recursive: true }),
    [Symbol.asyncDispose]: stop,
  } as unknown as Lab;
}

function serviceOf(start: (options: LabOptions) => Promise<Lab>): LabService {
  const connections = {
    list: () => [...known.keys()].map((id) => ({ id })),
    register: (id: string, name: string) => void known.set(id, name),
    unregister: (id: string) => void known.delete(id),
    assertUnused: () => undefined,
  } as unknown as ConnectionService;
  return new LabService({
    directory,
    settings: settings as unknown as SettingStore,
    connections,
    hub,
    logger: silentLogger,
    start,
  });
}

const until = (state: LabView['state']): Promise<LabView> =>
  new Promise((resolve) => {
    const off = hub.on(({ payload }) => {
      const { lab } = payload as { lab: LabView };
      if (lab.state !== state) return;
      off();
      resolve(lab);
    });
  });

describe('the kept lab', () => {
  it('starts once, makes both sides known, stops with its data, and is taken up by the next core', async () => {
    let starts = 0;
    const service = serviceOf(({ onProgress }) => {
      starts += 1;
      onProgress?.({ step: 'start', message: 'Starting', fraction: 0.5 });
      return Promise.resolve(fakeLab());
    });
    expect(service.get()).toEqual({ state: 'absent' });
    const running = until('running');
    service.start();
    service.start();
    expect(await running).toEqual({ state: 'running', sourceId: 'lab-source', targetId: 'lab-target' });
    expect(starts).toBe(1);
    expect(views.some(({ progress }) => progress?.fraction === 0.5)).toBe(true);
    await service.close();
    expect(service.get().state).toBe('stopped');

    const again = serviceOf(() => Promise.resolve(fakeLab()));
    const up = until('running');
    again.takeUp();
    await up;
    const stopped = until('stopped');
    again.stop();
    await stopped;

    const third = serviceOf(() => Promise.reject(new Error('nobody asked for it')));
    third.takeUp();
    expect(third.get().state).toBe('stopped');
  });

  it('says why it could not start, and can be started again', async () => {
    let isMended = false;
    const service = serviceOf(() =>
      isMended
        ? Promise.resolve(fakeLab())
        : Promise.reject(new ReplicationError('prerequisiteMissing', 'lab', 'Python is missing.')),
    );
    const failed = until('failed');
    service.start();
    expect((await failed).error).toMatchObject({ code: 'prerequisiteMissing', message: 'Python is missing.' });
    isMended = true;
    const running = until('running');
    service.start();
    await running;
  });

  it('ends a start under way when it is stopped', async () => {
    const service = serviceOf(
      ({ signal }) =>
        new Promise((_, reject) => {
          signal?.addEventListener('abort', () => reject(signal.reason as Error));
        }),
    );
    service.start();
    const ended = until('absent');
    service.stop();
    expect((await ended).error).toBeUndefined();
  });

  it('goes with its data and its connections when it is removed, running or not', async () => {
    const service = serviceOf(() => Promise.resolve(fakeLab()));
    const running = until('running');
    service.start();
    await running;
    const absent = until('absent');
    service.remove();
    expect(await absent).toEqual({ state: 'absent' });
    expect(known.size).toBe(0);
    expect(existsSync(directory)).toBe(false);
  });
});
