import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../electron/engine/runtime/logger.ts';
import { openNatsWal } from '../../../electron/engine/source/wal/nats-wal.ts';
import type { Wal } from '../../../electron/engine/source/wal/wal.ts';
import { ORDINAL_NONE } from '../../../shared/model/position.ts';
import { NatsHarness } from './nats-harness.ts';
import { StallingProxy } from './stalling-proxy.ts';
import { describeWalContract } from './wal-contract.ts';

describeWalContract('NATS JetStream', () => new NatsHarness());

const BROKER_TIMEOUT_MS = 120_000;
const CASE_TIMEOUT_MS = 30_000;
const ONE_MIB = 1024 * 1024;

describe('NATS JetStream alone', { timeout: CASE_TIMEOUT_MS }, () => {
  const harness = new NatsHarness();
  let wal: Wal;
  const signal = (): AbortSignal => AbortSignal.timeout(CASE_TIMEOUT_MS);

  beforeAll(async () => {
    await harness.start();
    wal = harness.openWal();
  }, BROKER_TIMEOUT_MS);
  afterAll(async () => {
    await wal.close();
    await harness.stop();
  }, BROKER_TIMEOUT_MS);

  it("finds Milvus' own channels, sorted by index, and its identity in the first", async () => {
    const channels = await wal.listDataChannels();
    expect(channels).toEqual(channels.map((_, index) => `contract-rootcoord-dml_${index}`));
    expect(channels.length).toBe(16);
    expect(await wal.operationChannel()).toBe('contract-replicate-msg');
    const [first] = channels;
    if (first === undefined) throw new Error('There is no channel.');
    expect(await wal.identity()).toBe(`nats:${first}:${(await wal.bounds(first)).incarnation}`);
  });

  it('names the prefix when Milvus has no channel under it', async () => {
    const other = openNatsWal({ ...harness.endpoint, channelPrefix: 'elsewhere' }, { logger: silentLogger });
    expect(await other.listDataChannels()).toEqual([]);
    expect(await other.operationChannel()).toBeUndefined();
    await expect(other.identity()).rejects.toMatchObject({
      code: 'channelsNotFound',
      message: expect.stringContaining('elsewhere') as unknown,
    });
    await other.close();
  });

  it('does not wait for a connection that has gone silent, and dials anew', async () => {
    const proxy = await StallingProxy.to(harness.endpoint.servers[0] ?? '');
    const through = openNatsWal(
      { ...harness.endpoint, servers: [proxy.address] },
      { logger: silentLogger, timeoutMs: 2_000 },
    );
    const channel = await harness.createChannel();
    const { incarnation } = await through.bounds(channel);
    const start = { kind: 'after', ordinal: ORDINAL_NONE, incarnation } as const;
    const reader = await through.open(channel, start, signal());
    const reading = reader.read(ONE_MIB, signal());
    proxy.stall();
    await expect(reading).rejects.toMatchObject({ code: 'unreachable' });
    await reader.close();
    await harness.publish(channel, [new Uint8Array([1])]);
    // The client's own pings end the dead connection, at which the next call dials.
    let again = await through.open(channel, start, signal()).catch(() => undefined);
    while (again === undefined) again = await through.open(channel, start, signal()).catch(() => undefined);
    expect(await again.read(ONE_MIB, signal())).toHaveLength(1);
    await again.close();
    await through.close();
    await proxy.close();
  });

  it('reads large messages on many channels at once without being dropped as too slow', async () => {
    const channels = await Promise.all(Array.from({ length: 16 }, () => harness.createChannel()));
    const large = new Uint8Array(5 * ONE_MIB);
    const small = Array.from({ length: 40 }, () => new Uint8Array(100_000));
    for (const channel of channels) await harness.publish(channel, [...small, large]);
    await Promise.all(
      channels.map(async (channel) => {
        const { incarnation } = await wal.bounds(channel);
        const reader = await wal.open(channel, { kind: 'after', ordinal: ORDINAL_NONE, incarnation }, signal());
        let count = 0;
        while (count < small.length + 1) count += (await reader.read(64 * ONE_MIB, signal())).length;
        await reader.close();
      }),
    );
  });
});
