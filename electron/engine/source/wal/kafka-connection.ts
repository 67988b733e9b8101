/**
 * One connection to one Kafka broker: the only file that knows kafkajs (2.2.4, pinned), and of it only what lies below its
 * client: `Connection`, which frames requests and authenticates (SASL PLAIN and SCRAM), and the question for the broker's
 * versions. Above it kafkajs retries, goes elsewhere and keeps silent where a log reader must fail.
 *
 * A broker answers the requests of one connection one after the other, so a request that waits for news holds up all
 * behind it.
 */
import { createRequire } from 'node:module';
import { connect as connectTcp, isIP } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { KafkaEndpoint } from '../../../../shared/model/connection.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import { hasClientCertificate } from '../../errors/tls-faults.ts';
import { classifyKafka, KafkaSilence } from '../../errors/classify-kafka.ts';
import type { KafkaContact } from '../../errors/classify-kafka.ts';
import type { Logger } from '../../runtime/logger.ts';
import { tlsSettings, type TlsSettings } from '../../runtime/tls-settings.ts';
import { API_FETCH, API_METADATA, FETCH_VERSION_BY_NAME, METADATA_VERSION, metadataRequest } from './kafka-protocol.ts';
import type { KafkaRequest } from './kafka-protocol.ts';

interface RawLogger {
  namespace(name: string): RawLogger;
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

type Versions = Readonly<Record<number, { readonly minVersion: number; readonly maxVersion: number } | undefined>>;

interface RawRequest {
  readonly request: {
    readonly apiKey: number;
    readonly apiName: string;
    readonly apiVersion: number;
    encode(): Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>;
  };
  readonly response: { decode(answer: Buffer): Promise<unknown>; parse(decoded: unknown): Promise<unknown> };
  readonly logResponseError: false;
}

interface RawConnection {
  connect(): Promise<unknown>;
  disconnect(): Promise<unknown>;
  isConnected(): boolean;
  setVersions(versions: Versions): void;
  setSupportAuthenticationProtocol(isSupported: boolean): void;
  authenticate(): Promise<void>;
  send(request: object): Promise<unknown>;
  rejectRequests(error: Error): void;
  readonly requestQueue: { scheduleCheckPendingRequests(): void };
}

interface RawConnectionOptions {
  readonly host: string;
  readonly port: number;
  readonly clientId: string;
  readonly logger: RawLogger;
  readonly connectionTimeout: number;
  readonly enforceRequestTimeout: boolean;
  readonly ssl: TlsSettings | null;
  readonly sasl: object | null;
  readonly socketFactory: (options: SocketOptions) => Socket;
}

interface SocketOptions {
  readonly host: string;
  readonly port: number;
  readonly ssl: TlsSettings | null;
  readonly onConnect: () => void;
}

const require = createRequire(import.meta.url);
const Connection = require('kafkajs/src/network/connection.js') as new (options: RawConnectionOptions) => RawConnection;
const { requests } = require('kafkajs/src/protocol/requests/index.js') as {
  requests: { ApiVersions: { protocol(options: { version: number }): () => object } };
};

const CLIENT_ID = 'lifeline';
/** Kafka's key of the request in which SASL talks since version 1.0; older brokers have the bare bytes. */
const API_SASL_AUTHENTICATE = 36;
/** Known to every broker since 0.10, unlike later ones, which some refuse. */
const API_VERSIONS_VERSION = 0;
/** After this much quiet the system asks whether the other side still is there. */
const KEEP_ALIVE_MS = 10_000;

export interface KafkaAddress {
  readonly host: string;
  readonly port: number;
}

export interface KafkaConnectionOptions {
  readonly address: KafkaAddress;
  readonly endpoint: KafkaEndpoint;
  /** For connecting, authenticating and the first answer together. */
  readonly timeoutMs: number;
  /** What did not succeed, should it fail. */
  readonly failed: string;
  /** Whether the cluster gave the address, not the connection. */
  readonly isAdvertised: boolean;
  /** Whether a broker has been reached with this endpoint before. */
  readonly hasBeenUp: boolean;
  readonly logger: Logger;
  /** For tests: takes the broker for one that knows no higher version of Fetch. */
  readonly fetchVersionMax?: number | undefined;
}

export class KafkaConnection {
  readonly #raw: RawConnection;
  readonly #socket: () => Socket | undefined;
  #versions: Versions = {};
  #fetchVersionMax = Infinity;
  #isClosed = false;
  #onClose: ((reason: Error) => void) | undefined;

  private constructor(raw: RawConnection, socket: () => Socket | undefined) {
    this.#raw = raw;
    this.#socket = socket;
  }

  /** @throws unreachable, unauthenticated, invalidConfig (TLS, SASL mechanism), unsupported (a Kafka below 2.8). */
  static async open(options: KafkaConnectionOptions): Promise<KafkaConnection> {
    const { address, endpoint, timeoutMs, failed } = options;
    const tls = endpoint.tls === undefined ? null : tlsSettings(endpoint.tls, "The source's log", 'wal');
    let socket: Socket | undefined;
    const raw = new Connection({
      ...address,
      clientId: CLIENT_ID,
      logger: quietLogger(options.logger, `${address.host}:${address.port}`),
      connectionTimeout: timeoutMs,
      enforceRequestTimeout: false,
      ssl: tls,
      // A copy for each connection, since kafkajs writes into it.
      sasl: endpoint.sasl === undefined ? null : { ...endpoint.sasl },
      socketFactory: (wanted) => (socket = openSocket(wanted)),
    });
    // For requests held back on the client's side, of which there are none; it sets a timer of negative time per answer.
    raw.requestQueue.scheduleCheckPendingRequests = () => undefined;
    const connection = new KafkaConnection(raw, () => socket);
    let stage: KafkaContact['stage'] = 'connect';
    const timer = setTimeout(() => connection.close(new KafkaSilence(timeoutMs)), timeoutMs);
    try {
      await connection.#orClosed(raw.connect());
      stage = 'versions';
      await connection.#askVersions(options.fetchVersionMax);
      stage = 'authenticate';
      await raw.authenticate();
      // A listener that wants credentials which were not given says so only now, by hanging up.
      await connection.#send(metadataRequest([]));
      return connection;
    } catch (error) {
      connection.close();
      const contact = {
        stage,
        hasTls: tls !== null,
        hasSasl: endpoint.sasl !== undefined,
        hasClientCertificate: hasClientCertificate(endpoint.tls),
        isAdvertised: options.isAdvertised,
        hasBeenUp: options.hasBeenUp,
      };
      throw classifyKafka(error, failed, { broker: `${address.host}:${address.port}` }, contact);
    } finally {
      clearTimeout(timer);
    }
  }

  get isClosed(): boolean {
    return this.#isClosed || !this.#raw.isConnected();
  }

  /** The highest version of the request that the broker answers; -1 for none. */
  versionOf(apiKey: number): number {
    const version = this.#versions[apiKey]?.maxVersion ?? -1;
    return apiKey === API_FETCH ? Math.min(version, this.#fetchVersionMax) : version;
  }

  /**
   * @param silenceMaxMs After so long without a byte from the broker the connection is closed.
   * @throws what `classifyKafka` takes.
   */
  async send<T>(request: KafkaRequest<T>, silenceMaxMs: number): Promise<T> {
    const socket = this.#socket();
    let isDone = false;
    let bytesRead = socket?.bytesRead;
    const timer = setTimeout(() => {
      // If it was we who stood still, what came meanwhile is read before immediates run.
      setImmediate(() => {
        if (isDone) return;
        if (socket?.bytesRead === bytesRead) {
          this.close(new KafkaSilence(silenceMaxMs));
          return;
        }
        bytesRead = socket?.bytesRead;
        timer.refresh();
      });
    }, silenceMaxMs);
    try {
      return await this.#send(request);
    } finally {
      isDone = true;
      clearTimeout(timer);
    }
  }

  /** At once; what is under way fails with the reason. May be called twice. */
  close(reason: Error = new DOMException('The connection to the log was closed.', 'AbortError')): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#raw.rejectRequests(reason);
    void this.#raw.disconnect();
    this.#onClose?.(reason);
    this.#socket()?.destroy();
  }

  /** kafkajs does not notice the end of a socket that is not connected yet. */
  async #orClosed(work: Promise<unknown>): Promise<void> {
    const closed = new Promise<never>((_, reject) => (this.#onClose = reject));
    await Promise.race([work, closed]);
    this.#onClose = undefined;
  }

  async #askVersions(fetchVersionMax = Infinity): Promise<void> {
    const answer = (await this.#raw.send({
      ...requests.ApiVersions.protocol({ version: API_VERSIONS_VERSION })(),
      logResponseError: false,
    })) as { apiVersions: { apiKey: number; minVersion: number; maxVersion: number }[] };
    this.#versions = Object.fromEntries(answer.apiVersions.map((version) => [version.apiKey, version]));
    this.#fetchVersionMax = fetchVersionMax;
    this.#raw.setVersions(this.#versions);
    this.#raw.setSupportAuthenticationProtocol(this.versionOf(API_SASL_AUTHENTICATE) >= 0);
    if (this.versionOf(API_METADATA) >= METADATA_VERSION && this.versionOf(API_FETCH) >= FETCH_VERSION_BY_NAME) return;
    throw new ReplicationError(
      'unsupported',
      'wal',
      "The source's log is kept by a Kafka older than 2.8, or by another broker with its protocol, which gives its topics no ids. " +
        'Without them a log that was deleted and made again cannot be told from the old one. Use Kafka 2.8 or later.',
    );
  }

  async #send<T>(wanted: KafkaRequest<T>): Promise<T> {
    const { apiKey, apiName, apiVersion, body } = wanted;
    const raw: RawRequest = {
      request: { apiKey, apiName, apiVersion, encode: () => Promise.resolve({ buf: body, buffer: body }) },
      response: {
        // In a promise, so that an answer that cannot be read rejects.
        decode: async (answer) => ({ value: await Promise.resolve(answer).then((bytes) => wanted.read(bytes)) }),
        parse: (decoded) => Promise.resolve(decoded),
      },
      logResponseError: false,
    };
    const { value } = (await this.#raw.send(raw)) as { value: T };
    return value;
  }
}

function openSocket({ host, port, ssl, onConnect }: SocketOptions): Socket {
  const socket = ssl === null ? connectTcp({ host, port }, onConnect) : connectTls({ ...ssl, host, port }, onConnect);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  socket.setNoDelay(true);
  return socket;
}

/** What kafkajs has to say beside the errors that it throws. Its debug lines hold whole answers, so nobody gets them. */
function quietLogger(logger: Logger, broker: string): RawLogger {
  const say = (message: string): void => logger.debug({ broker }, `kafkajs: ${message}`);
  const quiet: RawLogger = { namespace: () => quiet, debug: () => undefined, info: say, warn: say, error: say };
  return quiet;
}

/** `host:port`, with or without a scheme; 9092 without a port. @throws invalidConfig */
export function parseKafkaAddress(text: string): KafkaAddress {
  const portDefault = 9092;
  try {
    const url = new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `kafka://${text}`);
    const host = url.hostname.replace(/^\[|\]$/g, '');
    if (host !== '') return { host, port: url.port === '' ? portDefault : Number(url.port) };
  } catch {
    // Said below.
  }
  throw new ReplicationError(
    'invalidConfig',
    'wal',
    `The address "${text}" of the source's log is not one. Give it as host:port.`,
    { context: { address: text } },
  );
}

export const formatKafkaAddress = ({ host, port }: KafkaAddress): string =>
  isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
