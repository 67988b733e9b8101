import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePorts } from '../../../electron/core/lab/ports.ts';
import { silentLogger } from '../../../electron/engine/runtime/logger.ts';
import { openKafkaWal } from '../../../electron/engine/source/wal/kafka-wal.ts';
import type { Wal } from '../../../electron/engine/source/wal/wal.ts';
import { ORDINAL_NONE } from '../../../shared/model/position.ts';
import { CHANNEL_PREFIX, KafkaHarness, kafkaMissing } from './kafka-harness.ts';
import { StallingProxy } from './stalling-proxy.ts';
import { describeWalContract } from './wal-contract.ts';

describeWalContract('Kafka', () => new KafkaHarness(), kafkaMissing);

const BROKER_TIMEOUT_MS = 120_000;
const CASE_TIMEOUT_MS = 30_000;
const ONE_MIB = 1024 * 1024;

describe.skipIf(kafkaMissing !== undefined)('Kafka alone', { timeout: CASE_TIMEOUT_MS }, () => {
  let harness: KafkaHarness;
  let proxy: StallingProxy;
  let wal: Wal;
  const signal = (): AbortSignal => AbortSignal.timeout(CASE_TIMEOUT_MS);

  beforeAll(async () => {
    const [proxied] = await freePorts(1);
    proxy = await StallingProxy.to(`127.0.0.1:${proxied}`);
    // A listener of its own that sends its clients to the proxy, so that they meet the leader through it too.
    harness = new KafkaHarness(({ broker, controller }) => ({
      listeners: `PLAINTEXT://127.0.0.1:${broker},CONTROLLER://127.0.0.1:${controller},PROXIED://127.0.0.1:${proxied}`,
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT',
      'advertised.listeners': `PLAINTEXT://127.0.0.1:${broker},PROXIED://${proxy.address}`,
    }));
    await harness.start();
    wal = harness.openWal();
  }, BROKER_TIMEOUT_MS);
  afterAll(async () => {
    await wal.close();
    await harness.stop();
    await proxy.close();
  }, BROKER_TIMEOUT_MS);

  it('is the same log whether Milvus has made its channels yet or not, and another under another prefix', async () => {
    const before = await wal.identity();
    expect(await wal.listDataChannels()).toEqual([]);
    expect(await wal.operationChannel()).toBeUndefined();
    for (const name of ['rootcoord-dml_10', 'rootcoord-dml_2', 'rootcoord-dml_x', 'replicate-msg']) {
      await harness.createChannel(`${CHANNEL_PREFIX}-${name}`);
    }
    expect(await wal.listDataChannels()).toEqual([2, 10].map((index) => `${CHANNEL_PREFIX}-rootcoord-dml_${index}`));
    expect(await wal.operationChannel()).toBe(`${CHANNEL_PREFIX}-replicate-msg`);
    expect(await wal.identity()).toBe(before);
    const other = openKafkaWal({ ...harness.endpoint, channelPrefix: 'elsewhere' }, { logger: silentLogger });
    expect(await other.identity()).not.toBe(before);
    await other.close();
  });

  it('never makes a topic by asking for it', async () => {
    await expect(wal.bounds('contract-rootcoord-dml_99' as never)).rejects.toMatchObject({ code: 'channelsNotFound' });
    expect(await (await harness.admin()).listTopics()).not.toContain('contract-rootcoord-dml_99');
  });

  it('does not wait for a connection that has gone silent, and dials anew', async () => {
    const through = openKafkaWal(
      { ...harness.endpoint, brokers: [proxy.address] },
      { logger: silentLogger, timeoutMs: 2_000, fetchWaitMs: 500 },
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
    // The first question on the shared connection finds it dead too, the next one dials.
    let again = await through.open(channel, start, signal()).catch(() => undefined);
    while (again === undefined) again = await through.open(channel, start, signal()).catch(() => undefined);
    expect(await again.read(ONE_MIB, signal())).toHaveLength(1);
    await again.close();
    await through.close();
  });

  it('keeps 16 readers that wait from holding each other up', async () => {
    const channels = await Promise.all(Array.from({ length: 16 }, () => harness.createChannel()));
    const readers = await Promise.all(
      channels.map(async (channel) => {
        const { incarnation } = await wal.bounds(channel);
        return wal.open(channel, { kind: 'after', ordinal: ORDINAL_NONE, incarnation }, signal());
      }),
    );
    const readings = readers.map((reader) => reader.read(ONE_MIB, signal()));
    for (const [index, channel] of channels.entries()) {
      const writtenMs = performance.now();
      await harness.publish(channel, [new Uint8Array([index])]);
      expect((await readings[index])?.[0]?.payload).toEqual(new Uint8Array([index]));
      expect(performance.now() - writtenMs).toBeLessThan(1_000);
    }
    for (const reader of readers) await reader.close();
  });

  it('does not take a topic that was made again for the old one at a broker that fetches by name (before 3.1)', async () => {
    const older = openKafkaWal(harness.endpoint, { logger: silentLogger, fetchVersionMax: 12 });
    const channel = await harness.createChannel();
    await harness.publish(channel, [new Uint8Array([1]), new Uint8Array([2])]);
    const { incarnation } = await older.bounds(channel);
    const reader = await older.open(channel, { kind: 'after', ordinal: ORDINAL_NONE, incarnation }, signal());
    const messages = [];
    while (messages.length < 2) messages.push(...(await reader.read(ONE_MIB, signal())));
    expect(messages.map(({ payload }) => payload[0])).toEqual([1, 2]);
    await harness.recreate(channel);
    await harness.publish(channel, [new Uint8Array([3]), new Uint8Array([4]), new Uint8Array([5])]);
    await expect(reader.read(ONE_MIB, signal())).rejects.toMatchObject({
      code: 'positionLost',
      message: expect.stringContaining('made again') as unknown,
    });
    await reader.close();
    await older.close();
  });

  it('passes over the marks of transactions, which take an offset and are no message', async () => {
    const channel = await harness.createChannel();
    await harness.publishInTransaction(channel, [new Uint8Array([1]), new Uint8Array([2])]);
    // The mark is written after the commit has been answered.
    await expect.poll(async () => (await wal.bounds(channel)).latest).toBe(2n);
    await harness.publish(channel, [new Uint8Array([3])]);
    const { incarnation, latest } = await wal.bounds(channel);
    expect(latest).toBe(3n);
    const reader = await wal.open(channel, { kind: 'after', ordinal: ORDINAL_NONE, incarnation }, signal());
    const messages = [];
    while (messages.length < 3) messages.push(...(await reader.read(ONE_MIB, signal())));
    expect(messages.map(({ ordinal, payload }) => [ordinal, payload[0]])).toEqual([
      [0n, 1],
      [1n, 2],
      [3n, 3],
    ]);
    await reader.close();
  });
});
