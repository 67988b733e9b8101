import { describe, expect, it } from 'vitest';
import type { DrillStep } from '../../../../electron/core/services/drill-run.ts';
import { DrillService } from '../../../../electron/core/services/drill-service.ts';
import { EventHub } from '../../../../electron/core/services/event-hub.ts';
import { silentLogger } from '../../../../electron/engine/runtime/logger.ts';
import type { DrillView } from '../../../../shared/contract/procedures.ts';

const INPUT = { wal: 'nats', rows: 100, seconds: 0 } as const;

function serviceOf(
  steps: (signal: AbortSignal) => DrillStep[],
  checkWal: (wal: string) => Promise<void> = () => Promise.resolve(),
) {
  const hub = new EventHub();
  const views: DrillView[] = [];
  const done = Promise.withResolvers<DrillView>();
  hub.on(({ payload }) => {
    const { drill } = payload as { drill: DrillView };
    views.push(drill);
    if (drill.state === 'done') done.resolve(drill);
  });
  let cleanedUp = 0;
  const service = new DrillService({
    hub,
    logLevel: 'silent',
    logger: silentLogger,
    checkWal,
    createRun: (_options, signal) => ({
      steps: () => steps(signal),
      report: (failure) => ({ failure, equal: failure === undefined }) as never,
      cleanUp: () => {
        cleanedUp += 1;
        return Promise.resolve();
      },
    }),
  });
  return { service, views, done: done.promise, cleanedUp: () => cleanedUp };
}

const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  });

describe('a drill in the window', () => {
  it('shows its steps in turn, and its report at the end', async () => {
    const { service, views, done, cleanedUp } = serviceOf(() => [
      { title: 'one', run: async (say) => say('half way') },
      { title: 'two', run: async () => undefined },
    ]);
    expect(service.get()).toEqual({ state: 'idle', steps: [] });
    expect((await service.start(INPUT)).state).toBe('running');
    const last = await done;
    expect(last.steps.map(({ title, state }) => `${title} ${state}`)).toEqual(['one done', 'two done']);
    expect(last.report).toMatchObject({ equal: true });
    expect(views.some(({ steps }) => steps[0]?.state === 'running' && steps[1]?.state === 'waiting')).toBe(true);
    expect(cleanedUp()).toBe(1);
  });

  it('stops at the step that fails, says why, and removes what it started', async () => {
    const { service, done, cleanedUp } = serviceOf(() => [
      { title: 'one', run: () => Promise.reject(new Error('No room.')) },
      { title: 'two', run: async () => undefined },
    ]);
    await service.start(INPUT);
    const last = await done;
    expect(last.steps.map(({ state }) => state)).toEqual(['failed', 'waiting']);
    expect(last.steps[0]?.message).toContain('No room.');
    expect(last.report?.['failure']).toContain('No room.');
    expect(cleanedUp()).toBe(1);
  });

  it('runs one at a time, ends when it is cancelled, and can be started again', async () => {
    const begun = Promise.withResolvers<void>();
    const run = (signal: AbortSignal) => (): Promise<never> => {
      begun.resolve();
      return untilAborted(signal);
    };
    const { service, done, cleanedUp } = serviceOf((signal) => [{ title: 'one', run: run(signal) }]);
    await service.start(INPUT);
    await expect(service.start(INPUT)).rejects.toThrow('A drill is running already.');
    await begun.promise;
    service.cancel();
    const last = await done;
    expect(last.report?.['failure']).toBe('The drill was stopped.');
    expect(last.steps[0]).toMatchObject({ state: 'failed', message: 'The drill was stopped.' });
    expect(cleanedUp()).toBe(1);
    expect((await service.start(INPUT)).state).toBe('running');
    await service.close();
    expect(cleanedUp()).toBe(2);
  });

  it('begins nothing where its log wants what the machine does not have', async () => {
    const { service, views } = serviceOf(
      () => [],
      (wal) => (wal === 'kafka' ? Promise.reject(new Error('There is no Java.')) : Promise.resolve()),
    );
    await expect(service.start({ ...INPUT, wal: 'kafka' })).rejects.toThrow('There is no Java.');
    expect(service.get()).toEqual({ state: 'idle', steps: [] });
    expect(views).toEqual([]);
    expect(await service.start(INPUT)).toMatchObject({ state: 'running', wal: 'nats' });
    await service.close();
  });

  it('begins once, however many ask while the machine is looked at', async () => {
    const { service, done } = serviceOf(() => [{ title: 'one', run: async () => undefined }]);
    const asked = await Promise.allSettled([service.start(INPUT), service.start(INPUT)]);
    expect(asked.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(await done).toMatchObject({ state: 'done', wal: 'nats' });
  });
});
