import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { freePorts, isPortFree } from '../../../../electron/core/lab/ports.ts';

describe('freePorts', () => {
  it('gives as many different ports as asked for, all of them free', async () => {
    const ports = await freePorts(12);
    expect(new Set(ports).size).toBe(12);
    for (const port of ports) expect(await isPortFree(port)).toBe(true);
  });
});

describe('isPortFree', () => {
  it.each(['127.0.0.1', '0.0.0.0'])('sees a listener on %s', async (host) => {
    const server = createServer().listen(0, host);
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    expect(await isPortFree(port)).toBe(false);
    server.close();
    await once(server, 'close');
    expect(await isPortFree(port)).toBe(true);
  });
});
