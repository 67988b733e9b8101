/**
 * One connection to NATS, dialled again when it was lost.
 *
 * The client's own reconnection is off: it would hide the loss from the readers, and what a reader waits for does not
 * survive it. Here the end of a connection is told to everyone who uses it, and the next use dials anew, so that an
 * absent broker fails at once and the caller's back-off rules.
 */
import { jetstreamManager } from '@nats-io/jetstream';
import type { JetStreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import type { NatsConnection, NodeConnectionOptions } from '@nats-io/transport-node';
import type { NatsEndpoint } from '../../../../shared/model/connection.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import { classifyNats, classifyNatsConnect } from '../../errors/classify-nats.ts';
import { hasClientCertificate } from '../../errors/tls-faults.ts';
import type { Logger } from '../../runtime/logger.ts';
import { tlsSettings, type TlsSettings } from '../../runtime/tls-settings.ts';
import { NatsCredit } from './nats-credit.ts';

/** With two pings unanswered a connection counts as dead: half-open ones are found after 15 s at most. */
const PING_INTERVAL_MS = 5_000;
const PINGS_UNANSWERED_MAX = 2;

export class NatsSession {
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  readonly credit = new NatsCredit();
  readonly #listeners = new Set<(error: ReplicationError) => void>();

  constructor(connection: NatsConnection, manager: JetStreamManager) {
    this.connection = connection;
    this.manager = manager;
    void connection.closed().then((reason) => {
      const cause = reason instanceof Error ? reason : undefined;
      const error = new ReplicationError(
        'unreachable',
        'wal',
        `The connection to the log at ${connection.getServer()} was lost${cause ? ` (${cause.message})` : ''}. ` +
          'Check that the broker runs; reading goes on from the last message when it is back.',
        { cause },
      );
      for (const listener of [...this.#listeners]) listener(error);
      this.#listeners.clear();
    });
  }

  get isClosed(): boolean {
    return this.connection.isClosed();
  }

  /** Called at most once, when the connection has ended for whatever reason. Returns how to take it back. */
  onClosed(listener: (error: ReplicationError) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

export class NatsDialer {
  readonly #endpoint: NatsEndpoint;
  readonly #timeoutMs: number;
  readonly #logger: Logger;
  #session: Promise<NatsSession> | undefined;
  #hasBeenUp = false;
  #isClosed = false;

  /** @param timeoutMs For the dialling of all servers together, and for each request after it. */
  constructor(endpoint: NatsEndpoint, timeoutMs: number, logger: Logger) {
    this.#endpoint = endpoint;
    this.#timeoutMs = timeoutMs;
    this.#logger = logger;
  }

  /** The live session; dials when there is none. @throws unreachable, unauthenticated, unsupported, invalidConfig. */
  async session(): Promise<NatsSession> {
    if (this.#isClosed) throw new ReplicationError('bug', 'internal', 'The log was used after it had been closed.');
    const current = this.#session;
    if (current !== undefined) {
      const session = await current;
      if (!session.isClosed) return session;
      // Several may have waited for the same lost session; the first one dials.
      if (this.#session !== current) return this.session();
    }
    const dialled = this.#dial();
    this.#session = dialled;
    // A failed attempt must not be what the next caller gets.
    dialled.catch(() => {
      if (this.#session === dialled) this.#session = undefined;
    });
    return dialled;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const session = await this.#session?.catch(() => undefined);
    await session?.connection.close();
  }

  /** The first of the servers that can be reached. */
  async #dial(): Promise<NatsSession> {
    const { servers } = this.#endpoint;
    const timeoutMs = Math.ceil(this.#timeoutMs / servers.length);
    let first: unknown;
    for (const server of servers) {
      try {
        return await this.#dialOne(server, timeoutMs);
      } catch (error) {
        first ??= error;
        // Another server of the same cluster would say the same.
        if ((error as ReplicationError).code !== 'unreachable') throw error;
      }
    }
    throw first;
  }

  async #dialOne(server: string, timeoutMs: number): Promise<NatsSession> {
    let connection: NatsConnection | undefined;
    try {
      connection = await connect(this.#options(server, timeoutMs));
      // Asks the account once, which tells a NATS without JetStream at the start.
      await jetstreamManager(connection, { timeout: timeoutMs });
      // The dialling shares its time among the servers; the requests after it do not.
      const manager = await jetstreamManager(connection, { timeout: this.#timeoutMs, checkAPI: false });
      void this.#watch(connection);
      this.#hasBeenUp = true;
      return new NatsSession(connection, manager);
    } catch (error) {
      await connection?.close();
      const failed = `The source's log at ${server} could not be reached`;
      const { tls } = this.#endpoint;
      const contact = {
        hasTls: tls !== undefined,
        hasClientCertificate: hasClientCertificate(tls),
        hasBeenUp: this.#hasBeenUp,
      };
      throw classifyNatsConnect(error, failed, { server }, contact);
    }
  }

  #options(server: string, timeoutMs: number): NodeConnectionOptions {
    const { username, password, token, tls } = this.#endpoint;
    const options: NodeConnectionOptions & { tls?: TlsSettings & { readonly host?: string } } = {
      name: 'lifeline',
      servers: [server],
      timeout: timeoutMs,
      reconnect: false,
      ignoreClusterUpdates: true,
      pingInterval: PING_INTERVAL_MS,
      maxPingOut: PINGS_UNANSWERED_MAX,
    };
    // A form may send empty texts for what is not given.
    if (username !== undefined && username !== '') {
      options.user = username;
      options.pass = password ?? '';
    }
    if (token !== undefined && token !== '') options.token = token;
    if (tls !== undefined) {
      // Handed on to Node's `tls.connect` as they are, so that names count although the client's type lacks them. Without
      // `host` a server known by its IP address would have to show a certificate for "localhost" (@nats-io 3.4).
      options.tls = { ...hostOf(server), ...tlsSettings(tls, "The source's log", 'wal') };
    }
    return options;
  }

  /** What the broker says unasked. Ends with the connection. */
  async #watch(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type !== 'error') continue;
      const error = classifyNats(status.error, 'The log reported a fault');
      this.#logger.warn({ code: error.code, server: connection.getServer() }, error.message);
    }
  }
}

function hostOf(server: string): { readonly host?: string } {
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(server) ? server : `nats://${server}`;
  // What is no address is told of by the client.
  return URL.canParse(text) ? { host: new URL(text).hostname.replace(/^\[|\]$/g, '') } : {};
}
