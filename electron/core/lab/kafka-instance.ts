/**
 * One embedded Kafka in one directory: started, asked for its health, stopped, killed, started again on the same data and
 * ports. One serves both sides of a lab, whose channels differ in their prefix.
 */
import { randomBytes } from 'node:crypto';
import { access, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import { kafkaSettings, renderProperties, type KafkaPorts, type KafkaSettings } from './kafka-config.ts';
import { untilAnswering } from './kafka-health.ts';
import { runCommand } from './kafka-java.ts';
import type { KafkaPackage } from './kafka-package.ts';
import { freePorts, isPortFree } from './ports.ts';
import { recentLog } from './server-log.ts';
import { ServerProcess } from './server-process.ts';

/** Of the lab's directory. */
export const KAFKA_FOLDER = 'kafka';
const RECORD_FILE = 'kafka.json';
/** A start takes three seconds, formatting included; twenty times that is a machine too busy for a lab. */
const START_TIMEOUT_MS = 60_000;
/** An orderly end takes two to three seconds. */
const STOP_TIMEOUT_MS = 15_000;
const LOG_CHARACTERS_MAX = 4_000;
/** Starts on new ports, each time because one was taken between being found free and being listened on. */
const PORT_TRIES = 3;
/** Enough for Milvus' own load; with it 350 MB resident. */
const HEAP = '-Xmx512m';
/** The collector with the fewest threads, and a compiler that is ready sooner. */
const JAVA_OPTIONS = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'];

const recordSchema = z.strictObject({
  version: z.literal(1),
  /** Kafka's own form: 16 bytes in base64url. */
  clusterId: z.string().min(1),
  ports: z.strictObject({ broker: z.int().min(1).max(65_535), controller: z.int().min(1).max(65_535) }),
});
type KafkaRecord = z.infer<typeof recordSchema>;

export interface KafkaInstanceOptions {
  readonly directory: string;
  readonly server: KafkaPackage;
  /** False for data that nobody will miss: then a stop is a kill. */
  readonly isDurable: boolean;
  /** Laid over ours, last; a function is given the ports. */
  readonly settings?: ((ports: KafkaPorts) => KafkaSettings) | undefined;
}

export class KafkaInstance {
  readonly directory: string;
  readonly #options: KafkaInstanceOptions;
  #record: KafkaRecord;
  #process: ServerProcess | undefined;
  #hasBeenUp = false;

  private constructor(options: KafkaInstanceOptions, record: KafkaRecord) {
    this.#options = options;
    this.directory = resolve(options.directory);
    this.#record = record;
  }

  /** Takes up the instance in the directory, or makes a new one there. Starts nothing. */
  static async open(options: KafkaInstanceOptions): Promise<KafkaInstance> {
    let record = await readKafkaRecord(options.directory);
    if (record === undefined) {
      record = { version: 1, clusterId: randomBytes(16).toString('base64url'), ports: await newPorts() };
      await writeKafkaRecord(options.directory, record);
    }
    return new KafkaInstance(options, record);
  }

  /** `undefined` while no server runs. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get isRunning(): boolean {
    return this.#process?.isRunning ?? false;
  }

  /** Fixed from the first successful start on, for as long as this object lives. */
  get ports(): KafkaPorts {
    return this.#record.ports;
  }

  /** `host:port`. */
  get brokers(): string {
    return `127.0.0.1:${this.#record.ports.broker}`;
  }

  get logDirectory(): string {
    return join(this.directory, 'logs');
  }

  /**
   * Resolves when the broker answers. The first start of this object may move it to other ports where its own are taken; a later one
   * fails instead, since others hold the address. Errors: `labFailed`. Does nothing while it runs.
   */
  async start(signal?: AbortSignal): Promise<void> {
    if (this.isRunning) return;
    for (let tries = 1; ; tries += 1) {
      if ((await this.#arePortsFree()) && (await this.#startOnce(signal))) {
        this.#hasBeenUp = true;
        return;
      }
      if (this.#hasBeenUp || tries === PORT_TRIES) {
        throw failure('could not start because another program has taken one of its ports. End it, then try again.');
      }
      this.#record = { ...this.#record, ports: await newPorts() };
      await writeKafkaRecord(this.directory, this.#record);
    }
  }

  /** In order, with a limit after which it is killed; at once when its data does not matter. */
  async stop(): Promise<void> {
    if (this.#options.isDurable) await this.#process?.stop(STOP_TIMEOUT_MS);
    else await this.kill();
  }

  /** At once and without a chance to save anything. Resolves when the process is gone. */
  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  /** For the last moment of the process, in which nothing can be awaited. */
  killSync(): void {
    this.#process?.killSync();
  }

  async #arePortsFree(): Promise<boolean> {
    const { broker, controller } = this.#record.ports;
    return (await isPortFree(broker)) && (await isPortFree(controller));
  }

  /** False when one of the ports was taken meanwhile. */
  async #startOnce(signal: AbortSignal | undefined): Promise<boolean> {
    signal?.throwIfAborted();
    const startedAtMs = Date.now();
    const properties = await this.#writeProperties();
    await this.#format(properties, signal);
    const { java, classPath } = this.#options.server;
    const server = await ServerProcess.spawn({
      command: java,
      args: [HEAP, ...JAVA_OPTIONS, '-cp', classPath, 'kafka.Kafka', properties],
      directory: this.directory,
      logDirectory: this.logDirectory,
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'] },
    });
    this.#process = server;
    const timeout = AbortSignal.timeout(START_TIMEOUT_MS);
    try {
      const signals = [server.untilExit(), timeout, ...(signal === undefined ? [] : [signal])];
      await untilAnswering(this.ports.broker, AbortSignal.any(signals));
      // An answer may come from another program that has taken the port.
      server.untilExit().throwIfAborted();
      return true;
    } catch (error) {
      const hasEnded = !server.isRunning;
      await server.kill();
      signal?.throwIfAborted();
      const log = await recentLog(this.logDirectory, startedAtMs);
      if (/address already in use/i.test(log)) return false;
      const what = hasEnded
        ? `ended while it started (${server.end})`
        : `was not up after ${START_TIMEOUT_MS / 1000} s`;
      // The folder of a throwaway lab is gone when this is read.
      const where = this.#options.isDurable ? ` Its logs are in ${this.logDirectory}.` : '';
      const cause = new Error(log.slice(-LOG_CHARACTERS_MAX), { cause: error });
      throw failure(`${what}. ${causeInKafkaLog(log)}${where}`, cause);
    }
  }

  async #writeProperties(): Promise<string> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    const { ports } = this.#record;
    const file = join(this.directory, 'server.properties');
    const settings = kafkaSettings(this.directory, ports, this.#options.settings?.(ports) ?? {});
    await writeFile(file, renderProperties(settings), { mode: 0o600 });
    return file;
  }

  /** Gives an empty data folder its cluster id, without which the server does not start. */
  async #format(properties: string, signal: AbortSignal | undefined): Promise<void> {
    const isFormatted = await access(join(this.directory, 'data', 'meta.properties')).then(
      () => true,
      () => false,
    );
    if (isFormatted) return;
    const { java, classPath } = this.#options.server;
    // In one word: one id in 64 begins with a dash, which on its own would be taken for an option.
    const args = ['format', '--ignore-formatted', `--cluster-id=${this.#record.clusterId}`, '-c', properties];
    const { exitCode, output } = await runCommand(
      java,
      [...JAVA_OPTIONS, '-cp', classPath, 'kafka.tools.StorageTool', ...args],
      { signal },
    );
    if (exitCode !== 0) throw failure(`could not lay out its folder. ${causeInKafkaLog(output)}`, new Error(output));
  }
}

const failure = (what: string, cause?: unknown): ReplicationError =>
  new ReplicationError('labFailed', 'lab', `The lab's Kafka ${what}`, { cause });

/** The line that speaks of the failure: the exception that ended the server, else its last error. */
export function causeInKafkaLog(log: string): string {
  const lines = log.split('\n');
  const line =
    lines.find((text) => /^(?:Caused by: |Exception in thread )?[\w.]+(?:Exception|Error): /.test(text)) ??
    lines.findLast((text) => text.includes(' ERROR '));
  const plain = line?.replace(/^(?:Caused by: )?[\w.]+(?:Exception|Error): |^.* ERROR /, '').trim();
  if (plain === undefined || plain === '') return 'It gave no reason.';
  return `It said: ${/[.!?]$/.test(plain) ? plain : `${plain}.`}`;
}

async function newPorts(): Promise<KafkaPorts> {
  const [broker, controller] = await freePorts(2);
  if (broker === undefined || controller === undefined)
    throw new ReplicationError('bug', 'lab', 'Two ports were asked for.');
  return { broker, controller };
}

/** `undefined` when there is none yet; `labFailed` when it cannot be understood. */
export async function readKafkaRecord(directory: string): Promise<KafkaRecord | undefined> {
  const file = join(directory, RECORD_FILE);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new ReplicationError(
      'labFailed',
      'lab',
      `The lab's file ${file} is damaged or from another version of Lifeline. Remove the lab and make a new one.`,
      { cause: error },
    );
  }
}

/** Whole or not at all: moved onto its name when it is written. */
async function writeKafkaRecord(directory: string, record: KafkaRecord): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, RECORD_FILE);
  await writeFile(`${file}.new`, `${JSON.stringify(record, undefined, 2)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
}
