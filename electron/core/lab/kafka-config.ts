/** The properties of the lab's Kafka: one server that is broker and controller, on 127.0.0.1 alone. */

export interface KafkaPorts {
  readonly broker: number;
  readonly controller: number;
}

/** Kafka's own properties, by name. */
export type KafkaSettings = Readonly<Record<string, string | number | boolean>>;

/** The largest message that Milvus is allowed to send is 10 MB by default. */
const MESSAGE_BYTES_MAX = 20 * 1024 * 1024;
/** Kafka takes 128 MiB for this by default, at once, though nothing here is compacted but a few group offsets. */
const CLEANER_BYTES = 4 * 1024 * 1024;
/** A name that is written to the offsets topic before it is read; one partition is made sooner than fifty. */
const OFFSETS_PARTITIONS = 1;
/**
 * A broker that was killed is let in again when this has passed since it was last heard of. Not shorter, because one that
 * stalls for so long on a busy machine loses its leaders for a moment.
 */
const SESSION_TIMEOUT_MS = 3_000;
const HEARTBEAT_INTERVAL_MS = 500;

export function kafkaSettings(directory: string, ports: KafkaPorts, extra: KafkaSettings): KafkaSettings {
  const broker = `127.0.0.1:${ports.broker}`;
  const controller = `127.0.0.1:${ports.controller}`;
  return {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@${controller}`,
    listeners: `PLAINTEXT://${broker},CONTROLLER://${controller}`,
    'advertised.listeners': `PLAINTEXT://${broker}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': `${directory}/data`,
    'broker.session.timeout.ms': SESSION_TIMEOUT_MS,
    'broker.heartbeat.interval.ms': HEARTBEAT_INTERVAL_MS,
    'num.partitions': 1,
    'num.network.threads': 2,
    'num.io.threads': 4,
    'offsets.topic.num.partitions': OFFSETS_PARTITIONS,
    'offsets.topic.replication.factor': 1,
    'transaction.state.log.num.partitions': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    // Milvus makes its topics by using them.
    'auto.create.topics.enable': true,
    'message.max.bytes': MESSAGE_BYTES_MAX,
    'replica.fetch.max.bytes': MESSAGE_BYTES_MAX,
    'group.initial.rebalance.delay.ms': 0,
    'log.cleaner.dedupe.buffer.size': CLEANER_BYTES,
    ...extra,
  };
}

/** Backslashes are the one thing that a value of ours may hold and that means something else in such a file. */
export const renderProperties = (settings: KafkaSettings): string =>
  Object.entries(settings)
    .map(([name, value]) => `${name}=${String(value).replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n`)
    .join('');
