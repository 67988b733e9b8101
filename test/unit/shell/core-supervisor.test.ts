import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CoreExit, CoreProcess } from '../../../electron/shell/core-process.ts';
import { CoreSupervisor } from '../../../electron/shell/core-supervisor.ts';
import type { BridgeEvent, CoreToShell, ShellToCore } from '../../../shared/contract/desktop.ts';

class FakeCore implements CoreProcess {
  readonly sent: ShellToCore[] = [];
  readonly kills: boolean[] = [];
  private say: (message: CoreToShell) => void = () => {};
  private end: (exit: CoreExit) => void = () => {};

  send(message: ShellToCore): void {
    this.sent.push(message);
  }

  onMessage(listener: (message: CoreToShell) => void): void {
    this.say = listener;
  }

  onExit(listener: (exit: CoreExit) => void): void {
    this.end = listener;
  }

  kill(force: boolean): void {
    this.kills.push(force);
  }

  says(message: CoreToShell): void {
    this.say(message);
  }

  exits(lastWords = '', code = 1): void {
    this.end({ code, lastWords });
  }
}

function setUp() {
  const cores: FakeCore[] = [];
  const events: BridgeEvent[] = [];
  const unable: string[] = [];
  const supervisor = new CoreSupervisor({
    start() {
      const core = new FakeCore();
      cores.push(core);
      return core;
    },
    startMessage: () => ({ kind: 'start', dataKey: 'a2V5' }),
    onEvent: (event) => events.push(event),
    onUnable: (sentence) => unable.push(sentence),
  });
  supervisor.start();
  return { cores, events, unable, supervisor, core: () => cores.at(-1)! };
}

const failedStart = (message: string): CoreToShell => ({
  kind: 'failed',
  error: { code: 'storeFailed', side: 'store', message, context: {}, causes: [], hint: '' },
});

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('the supervisor of the core', () => {
  it('hands over the data key first, and holds calls back until the core has started', async () => {
    const { supervisor, core } = setUp();
    const answer = supervisor.call('system.info', {});
    expect(core().sent).toEqual([{ kind: 'start', dataKey: 'a2V5' }]);

    core().says({ kind: 'started' });
    expect(core().sent.at(-1)).toEqual({ kind: 'call', id: 1, name: 'system.info', input: {} });
    core().says({ kind: 'answer', id: 1, answer: { ok: true, output: { version: '1' } } });
    await expect(answer).resolves.toEqual({ ok: true, output: { version: '1' } });
  });

  it('gives each answer to its own call, in whatever order they come', async () => {
    const { supervisor, core } = setUp();
    core().says({ kind: 'started' });
    const [first, second] = [supervisor.call('tasks.list', {}), supervisor.call('lab.get', {})];
    core().says({ kind: 'answer', id: 2, answer: { ok: true, output: 'second' } });
    core().says({ kind: 'answer', id: 1, answer: { ok: true, output: 'first' } });
    await expect(Promise.all([first, second])).resolves.toMatchObject([{ output: 'first' }, { output: 'second' }]);
  });

  it('passes events on in order', () => {
    const { core, events } = setUp();
    core().says({ kind: 'started' });
    core().says({ kind: 'event', name: 'lab.changed', payload: 1 });
    core().says({ kind: 'event', name: 'lab.changed', payload: 2 });
    expect(events).toEqual([
      { name: 'link', payload: 'connected' },
      { name: 'lab.changed', payload: 1 },
      { name: 'lab.changed', payload: 2 },
    ]);
  });

  it('answers with an error the calls that a dying core took with it, and those made while it is away', async () => {
    const { supervisor, core } = setUp();
    core().says({ kind: 'started' });
    const taken = supervisor.call('tasks.list', {});
    core().exits('The disk is full.');
    await expect(taken).resolves.toMatchObject({
      ok: false,
      error: { code: 'notReady', message: 'The disk is full.' },
    });
    await expect(supervisor.call('tasks.list', {})).resolves.toMatchObject({ ok: false });
  });

  it('starts it again with growing pauses and tells the window when it is back', async () => {
    const { supervisor, core, cores, events } = setUp();
    for (const pauseMs of [500, 1000, 2000]) {
      core().says({ kind: 'started' });
      core().exits();
      const before = cores.length;
      await vi.advanceTimersByTimeAsync(pauseMs - 1);
      expect(cores).toHaveLength(before);
      await vi.advanceTimersByTimeAsync(1);
      expect(cores).toHaveLength(before + 1);
    }
    core().says({ kind: 'started' });
    expect(events.map(({ payload }) => payload)).toEqual([
      'connected',
      'lost',
      'resumed',
      'lost',
      'resumed',
      'lost',
      'resumed',
    ]);
    expect(supervisor.link()).toEqual({ name: 'link', payload: 'connected' });
  });

  it('pauses briefly again after a core that ran for long', async () => {
    const { core, cores } = setUp();
    core().says({ kind: 'started' });
    core().exits();
    await vi.advanceTimersByTimeAsync(500);
    core().says({ kind: 'started' });
    await vi.advanceTimersByTimeAsync(60_000);
    core().exits();
    await vi.advanceTimersByTimeAsync(500);
    expect(cores).toHaveLength(3);
  });

  it('gives up at once when the core says itself why it cannot begin, and tries again when told to', () => {
    const { supervisor, core, cores, unable } = setUp();
    core().says(failedStart('The data folder is served by process 12 already.'));
    core().exits();
    expect(unable).toEqual(['The data folder is served by process 12 already.']);
    expect(supervisor.link()).toMatchObject({ payload: 'lost', message: unable[0] });

    supervisor.start();
    expect(cores).toHaveLength(2);
    core().says({ kind: 'started' });
    expect(supervisor.link()).toEqual({ name: 'link', payload: 'connected' });
  });

  it('gives up after three starts that ended before the core had begun', async () => {
    const { core, cores, unable } = setUp();
    for (let start = 0; start < 3; start += 1) {
      core().exits('Cannot find module');
      await vi.advanceTimersByTimeAsync(30_000);
    }
    expect(cores).toHaveLength(3);
    expect(unable).toEqual(['Cannot find module']);
  });

  it('says why when there is nothing to start it with', () => {
    const unable: string[] = [];
    const supervisor = new CoreSupervisor({
      start() {
        throw new Error('There is no Node 24.');
      },
      startMessage: () => ({ kind: 'start' }),
      onEvent: () => {},
      onUnable: (sentence) => unable.push(sentence),
    });
    supervisor.start();
    expect(unable).toEqual(['There is no Node 24.']);
  });

  it('asks the core to stop and waits for its end, without starting it again', async () => {
    const { supervisor, core, cores } = setUp();
    core().says({ kind: 'started' });
    let isStopped = false;
    const stopped = supervisor.stop().then(() => (isStopped = true));
    expect(core().sent.at(-1)).toEqual({ kind: 'stop' });
    await vi.advanceTimersByTimeAsync(20_000);
    expect(isStopped).toBe(false);
    core().exits('', 0);
    await stopped;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(cores).toHaveLength(1);
    expect(core().kills).toEqual([]);
  });

  it('ends a core that does not stop: first asked by signal, then without asking', async () => {
    const { supervisor, core } = setUp();
    core().says({ kind: 'started' });
    const stopped = supervisor.stop();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(core().kills).toEqual([false]);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(core().kills).toEqual([false, true]);
    core().exits();
    await stopped;
  });

  it('does not start again when it is stopped during a pause', async () => {
    const { supervisor, core, cores } = setUp();
    core().says({ kind: 'started' });
    core().exits();
    await supervisor.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(cores).toHaveLength(1);
  });
});
