import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openBenchServer, type BenchServer } from '../../../../electron/core/bench/bench-server.ts';
import { answerBench, type CoreCalls } from '../../../../shared/bench/bench-line.ts';
import { LOOP_RESOLUTION_MS, readLoopDelay } from '../../../../shared/bench/loop-delay.ts';

let directory: string;
let server: BenchServer;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'lifeline-bench-line-'));
  server = await openBenchServer(directory);
});
afterEach(() => {
  server.close();
  rmSync(directory, { recursive: true });
});

async function connectAs(calls: Partial<CoreCalls>): Promise<Socket> {
  const socket = connect(server.path).setEncoding('utf8');
  await once(socket, 'connect');
  answerBench(socket, { kind: 'hello', from: 'core' }, calls as CoreCalls);
  return socket;
}

describe("the bench's line", () => {
  it('brings each call to the one that it measures, and its answer back', async () => {
    const figures = { loopDelayMs: { p50: 5, p99: 9, max: 12 } };
    await connectAs({ report: () => figures as ReturnType<CoreCalls['report']>, measure: () => undefined });
    const core = await server.core;
    await expect(core.call('report')).resolves.toEqual(figures);
    await expect(core.call('measure')).resolves.toBeUndefined();
  });

  it('hands inputs over as they are, also those that come in several pieces', async () => {
    const heard: unknown[] = [];
    await connectAs({ protect: async (clusters) => void heard.push(clusters) });
    const core = await server.core;
    const input = { source: '源'.repeat(100_000), target: 'a\nb' };
    await core.call('protect', input);
    expect(heard).toEqual([input]);
  });

  it('answers a call that failed with its sentence', async () => {
    await connectAs({ untilLevel: () => Promise.reject(new Error('The source is gone.')) });
    const core = await server.core;
    await expect(core.call('untilLevel')).rejects.toThrow("The window's core failed: The source is gone.");
  });

  it('rejects the calls that a process took with it, and all later ones', async () => {
    const socket = await connectAs({ untilLevel: () => new Promise(() => undefined) });
    const core = await server.core;
    const pending = core.call('untilLevel');
    socket.destroy();
    await expect(pending).rejects.toThrow("The window's core ended in the middle of the bench.");
    await expect(core.call('report')).rejects.toThrow('ended in the middle');
  });
});

describe("an event loop's delay", () => {
  it('is at least as long as the loop was kept, and the resolution in an idle one', async () => {
    const loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
    loop.enable();
    await vi.waitUntil(() => loop.count > 20);
    const startedMs = performance.now();
    while (performance.now() - startedMs < 60);
    const { count } = loop;
    await vi.waitUntil(() => loop.count > count);
    loop.disable();
    const { p50, max } = readLoopDelay(loop);
    expect(p50).toBeGreaterThan(LOOP_RESOLUTION_MS - 1.5);
    expect(max).toBeGreaterThanOrEqual(60);
  });
});
