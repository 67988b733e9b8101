/**
 * What every adapter of a source's log has to do, run unchanged against each broker. A harness supplies a real broker and
 * does to its log what only its administrator can.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oldestKept } from '../../../electron/engine/source/wal/oldest-kept.ts';
import type { Wal, WalMessage, WalReader } from '../../../electron/engine/source/wal/wal.ts';
import { asPChannel } from '../../../shared/model/ids.ts';
import type { PChannel } from '../../../shared/model/ids.ts';
import { asOrdinal, ORDINAL_NONE } from '../../../shared/model/position.ts';
import type { MessageOrdinal, ResumePoint } from '../../../shared/model/position.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { ErrorCode } from '../../../shared/model/replication-error.ts';
import { timeTickFromMs } from '../../../shared/time/time-tick.ts';
import { buildTick } from '../../support/wal-builder.ts';

export interface WalHarness {
  /** Starts the broker. */
  start(): Promise<void>;
  /** Ends it and removes all that it kept. */
  stop(): Promise<void>;
  /** Ends the broker without warning and starts it again on the same data and address. */
  restartBroker(): Promise<void>;
  openWal(): Wal;
  /** An empty one under a new name. */
  createChannel(): Promise<PChannel>;
  /** Resolves when the broker has kept all. */
  publish(channel: PChannel, payloads: readonly Uint8Array[]): Promise<void>;
  /** Removes what retention would: every message below the ordinal. */
  expireBelow(channel: PChannel, ordinal: MessageOrdinal): Promise<void>;
  /** From now on the broker removes what is older, or what is too much. */
  limit(channel: PChannel, limits: { readonly ageMs: number; readonly bytes: number }): Promise<void>;
  /** The channel's log deleted and made again, empty, under the same name. */
  recreate(channel: PChannel): Promise<void>;
  /** How much of readers (consumers, groups, cursors) the broker holds for the channel. */
  readersAtBroker(channel: PChannel): Promise<number>;
}

/** Starting a broker, or starting it again. */
const BROKER_TIMEOUT_MS = 120_000;
const CASE_TIMEOUT_MS = 20_000;
/** For one read of which the answer should come at once. */
const READ_TIMEOUT_MS = 10_000;
/** A late message is read within this, on a busy machine too; what waits for a request's end would take seconds. */
const PROMPT_MS = 1_000;
const ONE_MIB = 1024 * 1024;

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const numbered = (from: number, count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, index) => text(`message ${from + index}`));
const asText = (message: WalMessage): string => new TextDecoder().decode(message.payload);

async function failureOf(work: Promise<unknown>): Promise<ReplicationError> {
  const error: unknown = await work.then(
    () => new Error('It succeeded.'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof ReplicationError) return error;
  throw error;
}

async function expectFailure(work: Promise<unknown>, code: ErrorCode, sentence: RegExp): Promise<void> {
  const error = await failureOf(work);
  expect(error.code).toBe(code);
  expect(error.side).toBe('wal');
  expect(error.message).toMatch(sentence);
}

const read = (reader: WalReader, bytesMax = ONE_MIB): Promise<readonly WalMessage[]> =>
  reader.read(bytesMax, AbortSignal.timeout(READ_TIMEOUT_MS));

async function readCount(reader: WalReader, count: number, bytesMax = ONE_MIB): Promise<WalMessage[]> {
  const messages: WalMessage[] = [];
  while (messages.length < count) messages.push(...(await read(reader, bytesMax)));
  return messages;
}

/** Reads until the reader fails; what it gave until then must be without holes. */
async function readUntilFailure(
  reader: WalReader,
  bytesMax: number,
): Promise<{ messages: WalMessage[]; error: ReplicationError }> {
  const messages: WalMessage[] = [];
  for (;;) {
    try {
      messages.push(...(await read(reader, bytesMax)));
    } catch (error) {
      if (error instanceof ReplicationError) return { messages, error };
      throw error;
    }
  }
}

/** @param missing What the broker cannot run without and this machine lacks: then every case is skipped, and says so. */
export function describeWalContract(name: string, makeHarness: () => WalHarness, missing?: string): void {
  const title = `the log of ${name}${missing === undefined ? '' : ` (skipped: ${missing})`}`;
  describe.skipIf(missing !== undefined)(title, { timeout: CASE_TIMEOUT_MS }, () => {
    const harness = makeHarness();
    let wal: Wal;

    beforeAll(async () => {
      await harness.start();
      wal = harness.openWal();
    }, BROKER_TIMEOUT_MS);

    afterAll(async () => {
      await wal.close();
      await harness.stop();
    }, BROKER_TIMEOUT_MS);

    const channelWith = async (count: number): Promise<PChannel> => {
      const channel = await harness.createChannel();
      await harness.publish(channel, numbered(0, count));
      return channel;
    };
    const beginning = async (channel: PChannel): Promise<ResumePoint> => ({
      kind: 'after',
      ordinal: ORDINAL_NONE,
      incarnation: (await wal.bounds(channel)).incarnation,
    });
    const open = (channel: PChannel, start: ResumePoint): Promise<WalReader> =>
      wal.open(channel, start, AbortSignal.timeout(READ_TIMEOUT_MS));
    const readAll = async (channel: PChannel, count: number): Promise<WalMessage[]> => {
      const reader = await open(channel, await beginning(channel));
      const messages = await readCount(reader, count);
      await reader.close();
      return messages;
    };
    /** The `index`th message of a channel that has not been cut. */
    const ordinalOf = async (channel: PChannel, index: number): Promise<MessageOrdinal> => {
      const message = (await readAll(channel, index + 1))[index];
      if (message === undefined) throw new Error(`The channel has no message ${index}.`);
      return message.ordinal;
    };

    describe('reading', () => {
      it('gives every message once, in order, from the beginning', async () => {
        const channel = await channelWith(500);
        const messages = await readAll(channel, 500);
        expect(messages.map(asText)).toEqual(numbered(0, 500).map((payload) => new TextDecoder().decode(payload)));
        for (const [index, message] of messages.entries()) {
          if (index > 0) expect(message.ordinal > (messages[index - 1]?.ordinal ?? 0n)).toBe(true);
        }
      });

      it('begins "at" with the very message and "after" with the next one', async () => {
        const channel = await channelWith(20);
        const { incarnation } = await wal.bounds(channel);
        const ordinal = await ordinalOf(channel, 7);
        for (const [kind, first] of [['at', 7] as const, ['after', 8] as const]) {
          const reader = await open(channel, { kind, ordinal, incarnation });
          const messages = await readCount(reader, 20 - first);
          expect(messages.map(asText)).toEqual(numbered(first, 20 - first).map((it) => new TextDecoder().decode(it)));
          await reader.close();
        }
      });

      it('waits at the end of the log and returns a late message promptly', async () => {
        const channel = await channelWith(3);
        const { incarnation, latest } = await wal.bounds(channel);
        const reader = await open(channel, { kind: 'after', ordinal: latest, incarnation });
        for (let round = 0; round < 5; round += 1) {
          let hasReturned = false;
          const reading = read(reader).finally(() => (hasReturned = true));
          await wal.bounds(channel);
          expect(hasReturned).toBe(false);
          await harness.publish(channel, numbered(round, 1));
          const writtenMs = performance.now();
          const messages = await reading;
          expect(performance.now() - writtenMs).toBeLessThan(PROMPT_MS);
          expect(messages.map(asText)).toEqual([`message ${round}`]);
        }
        await reader.close();
      });

      it('waits on an empty log, from below everything', async () => {
        const channel = await harness.createChannel();
        const bounds = await wal.bounds(channel);
        expect(bounds.earliest > bounds.latest).toBe(true);
        const reader = await open(channel, await beginning(channel));
        const reading = read(reader);
        await harness.publish(channel, [text('the first')]);
        expect((await reading).map(asText)).toEqual(['the first']);
        await reader.close();
      });

      it('continues after a latest position that is the end of an empty log', async () => {
        const channel = await harness.createChannel();
        const { incarnation, latest } = await wal.bounds(channel);
        const reader = await open(channel, { kind: 'after', ordinal: latest, incarnation });
        await harness.publish(channel, [text('the first')]);
        expect((await read(reader)).map(asText)).toEqual(['the first']);
        await reader.close();
      });

      it('continues after the last message when all of the log has expired', async () => {
        const channel = await channelWith(10);
        const { incarnation, latest } = await wal.bounds(channel);
        await harness.expireBelow(channel, asOrdinal(latest + 1n));
        const bounds = await wal.bounds(channel);
        expect(bounds.earliest > bounds.latest).toBe(true);
        expect(bounds.latest).toBe(latest);
        const reader = await open(channel, { kind: 'after', ordinal: latest, incarnation });
        await harness.publish(channel, [text('next')]);
        expect((await read(reader)).map(asText)).toEqual(['next']);
        await reader.close();
      });

      it('leaves the payload to its receiver', async () => {
        const channel = await channelWith(50);
        const reader = await open(channel, await beginning(channel));
        const messages = await readCount(reader, 50);
        for (const message of messages) message.payload.fill(0);
        await harness.publish(channel, [text('untouched')]);
        expect((await read(reader)).map(asText)).toEqual(['untouched']);
        expect(messages.every((message) => message.payload.every((byte) => byte === 0))).toBe(true);
        await reader.close();
      });

      it('keeps two readers of one channel apart', async () => {
        const channel = await channelWith(40);
        const one = await open(channel, await beginning(channel));
        const other = await open(channel, await beginning(channel));
        const [first, second] = await Promise.all([readCount(one, 40, 50), readCount(other, 40, 400)]);
        expect(first.map(asText)).toEqual(second.map(asText));
        await one.close();
        await harness.publish(channel, [text('for the other')]);
        expect((await read(other)).map(asText)).toEqual(['for the other']);
        await other.close();
      });
    });

    describe('credit', () => {
      it('returns no more bytes than asked for', async () => {
        const channel = await harness.createChannel();
        const payloads = Array.from({ length: 60 }, (_, index) => new Uint8Array(100 + 37 * (index % 11)).fill(index));
        await harness.publish(channel, payloads);
        const reader = await open(channel, await beginning(channel));
        const sizes: number[] = [];
        for (const bytesMax of [1_000, 999, 2_500, 517]) {
          while (sizes.length < 60) {
            const messages = await read(reader, bytesMax);
            const bytes = messages.reduce((sum, message) => sum + message.payload.length, 0);
            expect(messages.length).toBeGreaterThan(0);
            expect(bytes).toBeLessThanOrEqual(bytesMax);
            sizes.push(...messages.map((message) => message.payload.length));
            if (sizes.length % 4 === 0) break;
          }
        }
        while (sizes.length < 60) sizes.push(...(await read(reader, 1_000)).map((message) => message.payload.length));
        expect(sizes).toEqual(payloads.map((payload) => payload.length));
        await reader.close();
      });

      it('gives a single message that is larger than the credit, alone', async () => {
        const channel = await harness.createChannel();
        const large = new Uint8Array(4 * ONE_MIB).map((_, index) => index % 251);
        await harness.publish(channel, [text('before'), large, text('behind')]);
        const reader = await open(channel, await beginning(channel));
        const batches: WalMessage[][] = [];
        while (batches.flat().length < 3) batches.push([...(await read(reader, 1_000))]);
        const alone = batches.find((batch) => batch.some((message) => message.payload.length === large.length));
        expect(alone?.length).toBe(1);
        expect(Buffer.compare(alone?.[0]?.payload ?? text(''), large)).toBe(0);
        await reader.close();
      });

      it('gives every message however small the credit', async () => {
        const channel = await channelWith(10);
        const reader = await open(channel, await beginning(channel));
        for (let index = 0; index < 10; index += 1)
          expect((await read(reader, 1)).map(asText)).toEqual([`message ${index}`]);
        await reader.close();
      });

      it('gives many messages at once to a reader that is behind', async () => {
        const channel = await channelWith(2_000);
        const reader = await open(channel, await beginning(channel));
        let reads = 0;
        for (let count = 0; count < 2_000; reads += 1) count += (await read(reader)).length;
        expect(reads).toBeLessThan(20);
        await reader.close();
      });
    });

    describe('retention', () => {
      const DAY_MS = 86_400_000;

      it('says how long and how much is kept, and follows the settings', async () => {
        const channel = await channelWith(10);
        await harness.limit(channel, { ageMs: 2 * DAY_MS, bytes: 50 * ONE_MIB });
        expect(await wal.retention(channel)).toMatchObject({ ageMsMax: 2 * DAY_MS, bytesMax: 50 * ONE_MIB });
        await harness.limit(channel, { ageMs: DAY_MS, bytes: -1 });
        expect(await wal.retention(channel)).toMatchObject({ ageMsMax: DAY_MS, bytesMax: undefined });
      });

      it('has limits, or none, where nobody has set any', async () => {
        const retention = await wal.retention(await harness.createChannel());
        expect(retention?.ageMsMax).toBeGreaterThan(DAY_MS);
        expect(retention).toMatchObject({ bytesMax: undefined, messagesMax: undefined });
      });

      it('is that of a channel which exists', async () => {
        await expectFailure(wal.retention(asPChannel('contract-test_none')), 'channelsNotFound', /contract-test_none/);
      });

      it('gives the oldest message that is kept, and its time', async () => {
        const channel = await harness.createChannel();
        const signal = AbortSignal.timeout(READ_TIMEOUT_MS);
        expect(await oldestKept(wal, channel, signal)).toBeUndefined();
        const ticks = [1, 2, 3].map((second) => timeTickFromMs(1_700_000_000_000 + second * 1000));
        await harness.publish(channel, ticks.map(buildTick));
        expect((await oldestKept(wal, channel, signal))?.tick).toBe(ticks[0]);
        const second = await ordinalOf(channel, 1);
        await harness.expireBelow(channel, second);
        expect(await oldestKept(wal, channel, signal)).toEqual({ ordinal: second, tick: ticks[1] });
      });

      it('is told by the error of a position that is lost, with the reason', async () => {
        const reasonAt = async (channel: PChannel, start: ResumePoint) =>
          (await failureOf(wal.assertKept(channel, start))).context['reason'];
        const cut = await channelWith(10);
        const { incarnation, latest } = await wal.bounds(cut);
        expect(await reasonAt(cut, { kind: 'at', ordinal: asOrdinal(latest + 1n), incarnation })).toBe('cutOff');
        const first = await ordinalOf(cut, 0);
        await harness.expireBelow(cut, asOrdinal(first + 5n));
        expect(await reasonAt(cut, { kind: 'at', ordinal: first, incarnation })).toBe('removed');
        const made = await channelWith(10);
        const before = await wal.bounds(made);
        await harness.recreate(made);
        const old: ResumePoint = { kind: 'at', ordinal: before.latest, incarnation: before.incarnation };
        expect(await reasonAt(made, old)).toBe('recreated');
      });
    });

    describe('continuity', () => {
      it('refuses to begin at a message that has expired, and after one whose next has', async () => {
        const channel = await channelWith(30);
        const { incarnation } = await wal.bounds(channel);
        const eighth = await ordinalOf(channel, 8);
        const ninth = await ordinalOf(channel, 9);
        const tenth = await ordinalOf(channel, 10);
        await harness.expireBelow(channel, tenth);
        await expectFailure(open(channel, { kind: 'at', ordinal: ninth, incarnation }), 'positionLost', /removed/);
        await expectFailure(open(channel, { kind: 'after', ordinal: eighth, incarnation }), 'positionLost', /removed/);
        await expectFailure(
          open(channel, { kind: 'after', ordinal: ORDINAL_NONE, incarnation }),
          'positionLost',
          /removed/,
        );
        for (const [kind, ordinal] of [['after', ninth] as const, ['at', tenth] as const]) {
          const reader = await open(channel, { kind, ordinal, incarnation });
          expect(asText((await read(reader))[0] as WalMessage)).toBe('message 10');
          await reader.close();
        }
      });

      it('says of a position whether a reader could begin there', async () => {
        const channel = await channelWith(30);
        const { incarnation, latest } = await wal.bounds(channel);
        const ninth = await ordinalOf(channel, 9);
        const tenth = await ordinalOf(channel, 10);
        await harness.expireBelow(channel, tenth);
        await wal.assertKept(channel, { kind: 'after', ordinal: ninth, incarnation });
        await wal.assertKept(channel, { kind: 'at', ordinal: latest, incarnation });
        await wal.assertKept(channel, { kind: 'after', ordinal: latest, incarnation });
        await expectFailure(
          wal.assertKept(channel, { kind: 'at', ordinal: ninth, incarnation }),
          'positionLost',
          /removed/,
        );
        const elsewhere: ResumePoint = { kind: 'at', ordinal: tenth, incarnation: 'another' };
        await expectFailure(wal.assertKept(channel, elsewhere), 'positionLost', /made again/);
        expect(await harness.readersAtBroker(channel)).toBe(0);
      });

      it('stops, and never jumps, when the log expires past a reader that is behind', async () => {
        const channel = await channelWith(100);
        const reader = await open(channel, await beginning(channel));
        const before = await read(reader, 100);
        await harness.expireBelow(channel, await ordinalOf(channel, 60));
        const { messages, error } = await readUntilFailure(reader, 100);
        expect(error.code).toBe('positionLost');
        expect(error.message).toContain(channel);
        const received = [...before, ...messages].map(asText);
        expect(received).toEqual(numbered(0, received.length).map((payload) => new TextDecoder().decode(payload)));
        expect(received.length).toBeLessThan(60);
        expect((await failureOf(read(reader))).code).toBe('positionLost');
        await reader.close();
      });

      it('stops when all that was not read yet expires and nothing follows', async () => {
        const channel = await channelWith(100);
        const { latest } = await wal.bounds(channel);
        const reader = await open(channel, await beginning(channel));
        await read(reader, 100);
        await harness.expireBelow(channel, asOrdinal(latest + 1n));
        const { error } = await readUntilFailure(reader, 100);
        expect(error.code).toBe('positionLost');
        await reader.close();
      });

      it('refuses a position above the end of a log that was cut off or made again shorter', async () => {
        const channel = await channelWith(30);
        const before = await wal.bounds(channel);
        const ordinal = await ordinalOf(channel, 20);
        const missing = asOrdinal(before.latest + 1n);
        await expectFailure(
          open(channel, { kind: 'at', ordinal: missing, incarnation: before.incarnation }),
          'positionLost',
          /cut off/,
        );
        await expectFailure(
          open(channel, { kind: 'after', ordinal: missing, incarnation: before.incarnation }),
          'positionLost',
          /cut off/,
        );
        await harness.recreate(channel);
        await harness.publish(channel, numbered(0, 5));
        for (const kind of ['at', 'after'] as const) {
          const start: ResumePoint = { kind, ordinal, incarnation: before.incarnation };
          await expectFailure(open(channel, start), 'positionLost', /made again/);
        }
      });

      it('refuses a position in a log that was made again and has grown past it', async () => {
        const channel = await channelWith(10);
        const { incarnation } = await wal.bounds(channel);
        const ordinal = await ordinalOf(channel, 5);
        await harness.recreate(channel);
        await harness.publish(channel, numbered(0, 30));
        await expectFailure(open(channel, { kind: 'after', ordinal, incarnation }), 'positionLost', /made again/);
        const reader = await open(channel, await beginning(channel));
        expect(await readCount(reader, 30)).toHaveLength(30);
        await reader.close();
      });

      it('does not read on in a log that was made again under it', async () => {
        const channel = await channelWith(10);
        const { incarnation } = await wal.bounds(channel);
        const reader = await open(channel, await beginning(channel));
        const last = (await readCount(reader, 10)).at(-1) as WalMessage;
        const reading = failureOf(read(reader));
        await harness.recreate(channel);
        await harness.publish(channel, numbered(0, 30));
        expect(['unreachable', 'positionLost']).toContain((await reading).code);
        await reader.close();
        await expectFailure(
          open(channel, { kind: 'after', ordinal: last.ordinal, incarnation }),
          'positionLost',
          /made again/,
        );
      });

      it(
        'fails the read when the broker is restarted, and continues exactly after the last message',
        async () => {
          const channel = await channelWith(50);
          const identity = await wal.identity();
          const { incarnation } = await wal.bounds(channel);
          const reader = await open(channel, await beginning(channel));
          const before = await readCount(reader, 50);
          const last = before.at(-1) as WalMessage;
          const reading = failureOf(reader.read(ONE_MIB, AbortSignal.timeout(BROKER_TIMEOUT_MS)));
          await harness.restartBroker();
          expect((await reading).code).toBe('unreachable');
          await reader.close();
          await harness.publish(channel, numbered(50, 5));
          expect((await wal.bounds(channel)).incarnation).toBe(incarnation);
          expect(await wal.identity()).toBe(identity);
          const again = await open(channel, { kind: 'after', ordinal: last.ordinal, incarnation });
          expect((await readCount(again, 5)).map(asText)).toEqual(
            numbered(50, 5).map((payload) => new TextDecoder().decode(payload)),
          );
          await again.close();
        },
        BROKER_TIMEOUT_MS,
      );
    });

    describe('leaving', () => {
      it('leaves nothing at the broker after a close, which may be called twice', async () => {
        const channel = await channelWith(5);
        const reader = await open(channel, await beginning(channel));
        await read(reader, 10);
        await reader.close();
        await reader.close();
        expect(await harness.readersAtBroker(channel)).toBe(0);
      });

      it('leaves nothing at the broker after a start that was refused', async () => {
        const channel = await channelWith(5);
        const start: ResumePoint = { ...(await beginning(channel)), kind: 'at', ordinal: asOrdinal(1_000n) };
        await failureOf(open(channel, start));
        expect(await harness.readersAtBroker(channel)).toBe(0);
      });

      it('rejects with the reason of an abort, and loses nothing by it', async () => {
        const channel = await channelWith(2);
        const reader = await open(channel, await beginning(channel));
        await readCount(reader, 2);
        const abort = new AbortController();
        const reading = reader.read(ONE_MIB, abort.signal);
        const reason = new Error('The task was paused.');
        abort.abort(reason);
        await expect(reading).rejects.toBe(reason);
        await expect(reader.read(ONE_MIB, abort.signal)).rejects.toBe(reason);
        await harness.publish(channel, numbered(2, 30));
        expect((await readCount(reader, 30, 50)).map(asText)).toEqual(
          numbered(2, 30).map((payload) => new TextDecoder().decode(payload)),
        );
        await reader.close();
        await expect(wal.open(channel, await beginning(channel), abort.signal)).rejects.toBe(reason);
        expect(await harness.readersAtBroker(channel)).toBe(0);
      });

      it('ends a read that waits when the reader is closed', async () => {
        const channel = await channelWith(1);
        const reader = await open(channel, await beginning(channel));
        await readCount(reader, 1);
        const reading = read(reader);
        const [outcome] = await Promise.allSettled([reading, reader.close()]);
        expect(outcome.status).toBe('rejected');
      });
    });

    describe('single messages and channels', () => {
      it('reads one message again by its ordinal', async () => {
        const channel = await channelWith(10);
        const signal = AbortSignal.timeout(READ_TIMEOUT_MS);
        for (const message of await readAll(channel, 10)) {
          const again = await wal.readAt(channel, message.ordinal, signal);
          expect(again.ordinal).toBe(message.ordinal);
          expect(asText(again)).toBe(asText(message));
        }
      });

      it('refuses to read a single message that has expired or was never written', async () => {
        const channel = await channelWith(10);
        const signal = AbortSignal.timeout(READ_TIMEOUT_MS);
        const second = await ordinalOf(channel, 2);
        const fifth = await ordinalOf(channel, 5);
        const { latest } = await wal.bounds(channel);
        await harness.expireBelow(channel, fifth);
        for (const ordinal of [ORDINAL_NONE, second, asOrdinal(latest + 1n)]) {
          await expectFailure(wal.readAt(channel, ordinal, signal), 'positionLost', new RegExp(channel));
        }
        expect(asText(await wal.readAt(channel, fifth, signal))).toBe('message 5');
      });

      it('says so when a channel does not exist', async () => {
        const channel = asPChannel('no-such-channel');
        const start: ResumePoint = { kind: 'after', ordinal: ORDINAL_NONE, incarnation: 'x' };
        const signal = AbortSignal.timeout(READ_TIMEOUT_MS);
        await expectFailure(wal.bounds(channel), 'channelsNotFound', /no-such-channel/);
        await expectFailure(open(channel, start), 'channelsNotFound', /no-such-channel/);
        await expectFailure(wal.readAt(channel, asOrdinal(1n), signal), 'channelsNotFound', /no-such-channel/);
      });

      it('turns ordinals into message ids and back', async () => {
        const channel = await channelWith(3);
        for (const { ordinal } of await readAll(channel, 3)) {
          expect(wal.decodeMessageId(wal.encodeMessageId(ordinal))).toBe(ordinal);
        }
        expect(() => wal.decodeMessageId(new Uint8Array(3))).toThrow(
          expect.objectContaining({ code: 'malformedMessage' }),
        );
      });
    });
  });
}
