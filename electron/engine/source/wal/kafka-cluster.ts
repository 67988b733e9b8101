/**
 * The brokers of one Kafka, as a log reader needs them: what topics there are, who leads a topic, a shared connection to each broker
 * for short questions, and connections of their own for readers, whose requests wait for news.
 *
 * A connection that was lost is dialled again by the next call, so that an absent broker fails at once and the caller's
 * back-off rules.
 */
import type { KafkaEndpoint } from '../../../../shared/model/connection.ts';
import type { PChannel } from '../../../../shared/model/ids.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import { classifyKafka, KafkaRefusal } from '../../errors/classify-kafka.ts';
import { formatKafkaAddress, KafkaConnection, parseKafkaAddress } from './kafka-connection.ts';
import type { KafkaAddress, KafkaConnectionOptions } from './kafka-connection.ts';
import { metadataRequest } from './kafka-protocol.ts';
import type { KafkaMetadata, KafkaNode, KafkaRequest } from './kafka-protocol.ts';

interface LedTopic {
  readonly id: string;
  readonly leader: KafkaNode;
}

/** For an error of its connection. */
type BrokerName = Pick<KafkaConnectionOptions, 'failed' | 'isAdvertised'>;

export type KafkaClusterOptions = Pick<KafkaConnectionOptions, 'timeoutMs' | 'logger' | 'fetchVersionMax'>;

export class KafkaCluster {
  readonly #endpoint: KafkaEndpoint;
  readonly #timeoutMs: number;
  readonly #options: KafkaClusterOptions;
  /** By address. */
  readonly #shared = new Map<string, Promise<KafkaConnection>>();
  /** Readers' own. */
  readonly #dialled = new Set<KafkaConnection>();
  #hasBeenUp = false;
  #isClosed = false;

  /** @param options.timeoutMs For the first contact with all brokers together, and for each request after it. */
  constructor(endpoint: KafkaEndpoint, options: KafkaClusterOptions) {
    this.#endpoint = endpoint;
    this.#timeoutMs = options.timeoutMs;
    this.#options = options;
  }

  /** @param topics All of them when it is `undefined`. */
  async metadata(topics?: readonly string[]): Promise<KafkaMetadata> {
    const connection = await this.#anyBroker();
    try {
      return await connection.send(metadataRequest(topics), this.#timeoutMs);
    } catch (error) {
      throw classifyKafka(error, "The channels of the source's log could not be looked up");
    }
  }

  /** @throws channelsNotFound; unsupported when the topic has no id; unreachable while it has no leader. */
  async topic(channel: PChannel): Promise<LedTopic> {
    const { topics, nodes } = await this.metadata([channel]);
    const topic = topics.find(({ name }) => name === channel);
    const failed = `Channel ${channel} could not be looked up in the source's log`;
    try {
      // The partition's error tells of a leader, of which there is more to say below.
      KafkaRefusal.throwIf(topic?.errorCode ?? 3);
    } catch (error) {
      throw classifyKafka(error, failed, { pchannel: channel });
    }
    if (topic?.id === undefined) {
      throw new ReplicationError(
        'unsupported',
        'wal',
        `${failed}: its Kafka gives topics no ids, without which a log that was deleted and made again cannot be told from the ` +
          'old one. Raise the inter.broker.protocol.version of the Kafka to 2.8 or later.',
        { context: { pchannel: channel } },
      );
    }
    const leader = nodes.get(topic.leaderId);
    if (leader === undefined) {
      throw new ReplicationError(
        'unreachable',
        'wal',
        `${failed}: no broker leads its topic at the moment. Check that all brokers of the Kafka run.`,
        { context: { pchannel: channel } },
      );
    }
    return { id: topic.id, leader };
  }

  /** A short question to one broker; a function is given how to know the broker's versions. @throws what `classifyKafka` takes. */
  async ask<T>(
    node: KafkaNode,
    request: KafkaRequest<T> | ((connection: Pick<KafkaConnection, 'versionOf'>) => KafkaRequest<T>),
  ): Promise<T> {
    const connection = await this.#sharedConnection(node, this.#named(node), this.#timeoutMs);
    return connection.send(typeof request === 'function' ? request(connection) : request, this.#timeoutMs);
  }

  /** For one reader, who closes it; `close` does too. */
  async dial(node: KafkaNode): Promise<KafkaConnection> {
    const connection = await this.#open(node, this.#named(node), this.#timeoutMs);
    for (const other of this.#dialled) if (other.isClosed) this.#dialled.delete(other);
    this.#dialled.add(connection);
    return connection;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const connection of this.#dialled) connection.close();
    for (const opening of this.#shared.values()) (await opening.catch(() => undefined))?.close();
    this.#shared.clear();
  }

  /** One that is connected already, else the first of the endpoint's brokers that can be. */
  async #anyBroker(): Promise<KafkaConnection> {
    for (const opening of this.#shared.values()) {
      const connection = await opening.catch(() => undefined);
      if (connection?.isClosed === false) return connection;
    }
    const { brokers } = this.#endpoint;
    let first: unknown;
    for (const broker of brokers) {
      try {
        const name = { failed: `The source's log at ${broker} could not be reached`, isAdvertised: false };
        return await this.#sharedConnection(parseKafkaAddress(broker), name, this.#timeoutMs / brokers.length);
      } catch (error) {
        first ??= error;
        // Another broker of the same cluster would say the same.
        if ((error as ReplicationError).code !== 'unreachable') throw error;
      }
    }
    throw first;
  }

  async #sharedConnection(address: KafkaAddress, name: BrokerName, timeoutMs: number): Promise<KafkaConnection> {
    const key = formatKafkaAddress(address);
    for (;;) {
      const opening = this.#shared.get(key);
      if (opening === undefined) break;
      const connection = await opening;
      if (!connection.isClosed) return connection;
      // Several may have waited for the same lost connection; the first one dials.
      if (this.#shared.get(key) === opening) this.#shared.delete(key);
    }
    const dialled = this.#open(address, name, timeoutMs);
    this.#shared.set(key, dialled);
    // A failed attempt must not be what the next caller gets.
    dialled.catch(() => this.#shared.delete(key));
    return dialled;
  }

  async #open(address: KafkaAddress, name: BrokerName, timeoutMs: number): Promise<KafkaConnection> {
    const isClosed = (): boolean => this.#isClosed;
    const closed = (): Error => new ReplicationError('bug', 'internal', 'The log was used after it had been closed.');
    if (isClosed()) throw closed();
    const { host, port } = address;
    const connection = await KafkaConnection.open({
      ...this.#options,
      address: { host, port },
      endpoint: this.#endpoint,
      timeoutMs,
      ...name,
      hasBeenUp: this.#hasBeenUp,
    });
    this.#hasBeenUp = true;
    if (!isClosed()) return connection;
    connection.close();
    throw closed();
  }

  /** The usual reason is a listener that is advertised under a name which only the cluster itself knows. */
  #named(node: KafkaNode): BrokerName {
    const address = formatKafkaAddress(node);
    return this.#endpoint.brokers.some((broker) => formatKafkaAddress(parseKafkaAddress(broker)) === address)
      ? { failed: `The source's log at ${address} could not be reached`, isAdvertised: false }
      : {
          failed: `Broker ${node.id} of the source's log, to whose advertised address ${address} the log sends us, could not be reached`,
          isAdvertised: true,
        };
  }
}
