/**
 * One embedded Milvus server in one directory: started, asked for its health, stopped, killed, started again on the
 * same data and ports. Its files are its own; nothing outside the directory is touched but what the server itself
 * leaves elsewhere (server-traces.ts).
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { SourceConnection, TargetConnection } from '../../../shared/model/connection.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import {
  GLOG_CONF,
  renderEtcdYaml,
  renderMilvusYaml,
  type InstancePorts,
  type MilvusSettings,
} from './instance-config.ts';
import { newPorts, newRecord, readRecord, writeRecord, type InstanceRecord } from './instance-record.ts';
import { isPortFree } from './ports.ts';
import { untilHealthy } from './server-health.ts';
import { causeInLog, isPortTaken, recentLog } from './server-log.ts';
import type { ServerPackage } from './server-package.ts';
import { ServerProcess } from './server-process.ts';
import { removeServerTraces } from './server-traces.ts';

/** A start takes about four seconds, a later one on the same data eight; ten times that is a machine too busy for a lab. */
const START_TIMEOUT_MS = 90_000;
/** An orderly end takes less than a second, but has been seen to hang when the etcd inside went first. */
const STOP_TIMEOUT_MS = 10_000;
/** On SIGTERM a 2.3.5 whose log is in Kafka stops its root coordinator, for which the other parts then wait for ever (seen). */
const STOP_TIMEOUT_KAFKA_MS = 2_000;
/** Of the server's log, kept with the error of a failed start. */
const LOG_CHARACTERS_MAX = 4_000;
/** Starts on new ports, each time because one was taken between being found free and being listened on. */
const PORT_TRIES = 3;

export interface MilvusInstanceOptions {
  readonly directory: string;
  readonly server: ServerPackage;
  /** For sentences: "source" or "target". */
  readonly label: string;
  /** Root path in etcd and prefix of the channels; used when the directory is new, kept with the data afterwards. */
  readonly clusterName: string;
  /** False for data that nobody will miss after a power cut; see `InstanceConfig`. */
  readonly isDurable: boolean;
  /** The Kafka that its log is to be in; without it, and for as long as its data lives, the log is in a NATS inside. */
  readonly kafka?: { readonly brokers: string } | undefined;
  readonly settings?: MilvusSettings | undefined;
}

export class MilvusInstance {
  readonly directory: string;
  readonly label: string;
  readonly #options: MilvusInstanceOptions;
  #record: InstanceRecord;
  #process: ServerProcess | undefined;
  #hasBeenUp = false;

  private constructor(options: MilvusInstanceOptions, record: InstanceRecord) {
    this.#options = options;
    this.directory = resolve(options.directory);
    this.label = options.label;
    this.#record = record;
  }

  /** Takes up the instance in the directory, or makes a new one there. Starts nothing. */
  static async open(options: MilvusInstanceOptions): Promise<MilvusInstance> {
    let record = await readRecord(options.directory);
    if (record === undefined) {
      record = await newRecord(options.clusterName, options.kafka === undefined ? 'nats' : 'kafka');
      await writeRecord(options.directory, record);
    }
    return new MilvusInstance(options, record);
  }

  /** `undefined` while no server runs. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get isRunning(): boolean {
    return this.#process?.isRunning ?? false;
  }

  /** Fixed from the first successful start on, for as long as this object lives. */
  get ports(): InstancePorts {
    return this.#record.ports;
  }

  get logDirectory(): string {
    return join(this.directory, 'logs');
  }

  get asSource(): SourceConnection {
    const { clusterName, ports } = this.#record;
    const { kafka } = this.#options;
    return {
      etcd: { endpoints: [`127.0.0.1:${ports.etcdClient}`], rootPath: clusterName, metaSubPath: 'meta' },
      wal:
        kafka === undefined
          ? { kind: 'nats', servers: [`127.0.0.1:${ports.nats}`], channelPrefix: clusterName }
          : { kind: 'kafka', brokers: [kafka.brokers], channelPrefix: clusterName },
      ...this.asTarget,
    };
  }

  get asTarget(): TargetConnection {
    const { password, ports } = this.#record;
    return { milvus: { address: `127.0.0.1:${ports.proxy}`, username: 'root', password } };
  }

  /**
   * Resolves when the server answers calls. The first start of this object may move it to other ports where its own are
   * taken; a later one fails instead, since others hold the addresses. Errors: `labFailed`. Does nothing while it runs.
   */
  async start(signal?: AbortSignal): Promise<void> {
    if (this.isRunning) return;
    for (let tries = 1; ; tries += 1) {
      try {
        if (!(await this.#arePortsFree())) throw new PortTakenError();
        await this.#startOnce(signal);
        this.#hasBeenUp = true;
        return;
      } catch (error) {
        if (!(error instanceof PortTakenError)) throw error;
        if (this.#hasBeenUp || tries === PORT_TRIES) {
          throw this.#failure(
            'could not start because another program has taken one of its ports. End it, then try again',
            error,
          );
        }
        this.#record = { ...this.#record, ports: await newPorts() };
        await writeRecord(this.directory, this.#record);
      }
    }
  }

  /**
   * In order, with a limit after which it is killed; at once where it would not end and its data does not matter. Resolves
   * when the process is gone. Does nothing when none runs.
   */
  async stop(): Promise<void> {
    const { kafka, isDurable } = this.#options;
    if (kafka === undefined) await this.#process?.stop(STOP_TIMEOUT_MS);
    else if (isDurable) await this.#process?.stop(STOP_TIMEOUT_KAFKA_MS);
    else await this.#process?.kill();
    this.#forgetProcess();
  }

  /** At once and without a chance to save anything. Resolves when the process is gone. */
  async kill(): Promise<void> {
    await this.#process?.kill();
    this.#forgetProcess();
  }

  /** For the last moment of the process, in which nothing can be awaited. */
  killSync(): void {
    this.#process?.killSync();
    this.#forgetProcess();
  }

  async #arePortsFree(): Promise<boolean> {
    for (const port of Object.values(this.#record.ports)) {
      if (!(await isPortFree(port))) return false;
    }
    return true;
  }

  #forgetProcess(): void {
    if (this.#process === undefined) return;
    this.#process = undefined;
    removeServerTraces(this.#record.alias);
  }

  async #writeConfig(): Promise<void> {
    const configs = join(this.directory, 'configs');
    await mkdir(configs, { recursive: true, mode: 0o700 });
    await mkdir(this.logDirectory, { recursive: true, mode: 0o700 });
    const { clusterName, ports } = this.#record;
    const { isDurable, kafka, settings = {} } = this.#options;
    const config = { directory: this.directory, ports, clusterName, isDurable, kafkaBrokers: kafka?.brokers, settings };
    await writeFile(join(configs, 'milvus.yaml'), renderMilvusYaml(config), { mode: 0o600 });
    await writeFile(join(configs, 'etcd.yaml'), renderEtcdYaml(config), { mode: 0o600 });
    await writeFile(join(configs, 'glog.conf'), GLOG_CONF);
  }

  #spawn(): Promise<ServerProcess> {
    const { binDirectory } = this.#options.server;
    return ServerProcess.spawn({
      command: join(binDirectory, 'milvus'),
      args: ['run', 'standalone', `-alias=${this.#record.alias}`],
      directory: this.directory,
      logDirectory: this.logDirectory,
      // Milvus takes settings from any variable that is named like one, so the user's own are kept from it.
      env: {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        DEPLOY_MODE: 'STANDALONE',
        METRICS_PORT: String(this.#record.ports.metrics),
        MILVUSCONF: join(this.directory, 'configs/'),
        LD_LIBRARY_PATH: binDirectory,
      },
    });
  }

  async #startOnce(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    const startedAtMs = Date.now();
    await this.#writeConfig();
    let server: ServerProcess;
    try {
      server = await this.#spawn();
    } catch (error) {
      throw this.#failure(`could not be run: ${(error as Error).message}`, error);
    }
    this.#process = server;
    const timeout = AbortSignal.timeout(START_TIMEOUT_MS);
    const signals = [server.untilExit(), timeout, ...(signal === undefined ? [] : [signal])];
    try {
      const { proxy, metrics } = this.#record.ports;
      const address = { address: `127.0.0.1:${proxy}`, metricsPort: metrics, password: this.#record.password };
      await untilHealthy(address, AbortSignal.any(signals));
    } catch (error) {
      const hasEnded = !this.isRunning;
      const how = server.end;
      await this.kill();
      signal?.throwIfAborted();
      const log = await recentLog(this.logDirectory, startedAtMs);
      if (isPortTaken(log)) throw new PortTakenError();
      if (!hasEnded && !timeout.aborted) throw error;
      const what = hasEnded ? `ended while it started (${how})` : `was not up after ${START_TIMEOUT_MS / 1000} s`;
      const reason = causeInLog(log);
      const said = reason === undefined ? 'It gave no reason' : `It said: ${reason}`;
      // The folder of a throwaway lab is gone when this is read.
      const where = this.#options.isDurable ? `. Its logs are in ${this.logDirectory}` : '';
      throw this.#failure(`${what}. ${said}${where}`, new Error(log.slice(-LOG_CHARACTERS_MAX), { cause: error }));
    }
  }

  #failure(what: string, cause: unknown): ReplicationError {
    return new ReplicationError('labFailed', 'lab', `The lab's ${this.label} Milvus ${what}.`, { cause });
  }
}

/** Between finding ports free and listening on them another program was faster. */
class PortTakenError extends Error {
  constructor() {
    super('A port is in use.');
  }
}
