/**
 * The files that one embedded Milvus reads: `milvus.yaml`, the configuration of the etcd inside it, and `glog.conf`.
 * Only what differs from the server's own defaults is written; seen to be enough with Milvus 2.3.5.
 */

export interface InstancePorts {
  readonly proxy: number;
  readonly proxyInternal: number;
  readonly rootCoord: number;
  readonly queryCoord: number;
  readonly queryNode: number;
  readonly dataCoord: number;
  readonly dataNode: number;
  readonly indexNode: number;
  readonly metrics: number;
  readonly etcdClient: number;
  readonly etcdPeer: number;
  readonly nats: number;
}

export const PORT_NAMES = [
  'proxy',
  'proxyInternal',
  'rootCoord',
  'queryCoord',
  'queryNode',
  'dataCoord',
  'dataNode',
  'indexNode',
  'metrics',
  'etcdClient',
  'etcdPeer',
  'nats',
] as const satisfies readonly (keyof InstancePorts)[];

/** Settings of `milvus.yaml` by their dotted names, such as `natsmq.server.retention.maxAge`. */
export type MilvusSettings = Readonly<Record<string, string | number | boolean>>;

export interface InstanceConfig {
  readonly directory: string;
  readonly ports: InstancePorts;
  /** Serves as etcd root path and as prefix of the channels' names. */
  readonly clusterName: string;
  /** Whether etcd waits for the disk on each write. Without it a power cut may cost the data, a kill does not. */
  readonly isDurable: boolean;
  /** `host:port` of the Kafka that keeps the log; without it the log is in a NATS inside. */
  readonly kafkaBrokers?: string | undefined;
  /** Laid over ours, last. */
  readonly settings: MilvusSettings;
}

/**
 * A Milvus that is started again waits until its old session has expired (after an orderly end too: 2.3.5 with its etcd
 * inside gives back no session, seen), so this is short. Not shorter, because a server that cannot renew its session
 * within this time ends itself, and a busy machine may stall for seconds.
 */
const SESSION_TTL_S = 5;
/** Time for the NATS server inside to become ready; 4 s by default, too little when two start on a busy machine. */
const NATS_INITIALIZE_TIMEOUT_MS = 30_000;

export function milvusSettings(config: InstanceConfig): MilvusSettings {
  const { directory, ports, clusterName } = config;
  const settings: Record<string, string | number | boolean> = {
    'etcd.endpoints': `127.0.0.1:${ports.etcdClient}`,
    'etcd.rootPath': clusterName,
    'etcd.metaSubPath': 'meta',
    'etcd.kvSubPath': 'kv',
    'etcd.log.level': 'warn',
    'etcd.log.path': `${directory}/logs/etcd.log`,
    'etcd.use.embed': true,
    'etcd.config.path': `${directory}/configs/etcd.yaml`,
    'etcd.data.dir': `${directory}/etcd`,
    'metastore.type': 'etcd',
    'localStorage.path': `${directory}/storage`,
    ...(config.kafkaBrokers === undefined ? natsSettings(config) : kafkaSettings(config.kafkaBrokers)),
    'log.level': 'warn',
    'log.stdout': false,
    'log.file.rootPath': `${directory}/logs`,
    'proxy.port': ports.proxy,
    'proxy.internalPort': ports.proxyInternal,
    'rootCoord.port': ports.rootCoord,
    'queryCoord.port': ports.queryCoord,
    'queryNode.port': ports.queryNode,
    'dataCoord.port': ports.dataCoord,
    'dataNode.port': ports.dataNode,
    'indexNode.port': ports.indexNode,
    'common.storageType': 'local',
    'common.ttMsgEnabled': true,
    'common.chanNamePrefix.cluster': clusterName,
    // Without its file the server names its channels "<cluster>-_0"; these are the names that its own file gives.
    'common.chanNamePrefix.rootCoordTimeTick': 'rootcoord-timetick',
    'common.chanNamePrefix.rootCoordStatistics': 'rootcoord-statistics',
    'common.chanNamePrefix.rootCoordDml': 'rootcoord-dml',
    'common.chanNamePrefix.replicateMsg': 'replicate-msg',
    'common.chanNamePrefix.rootCoordDelta': 'rootcoord-delta',
    'common.chanNamePrefix.search': 'search',
    'common.chanNamePrefix.searchResult': 'searchResult',
    'common.chanNamePrefix.queryTimeTick': 'queryTimeTick',
    'common.chanNamePrefix.dataCoordStatistic': 'datacoord-statistics-channel',
    'common.chanNamePrefix.dataCoordTimeTick': 'datacoord-timetick-channel',
    'common.chanNamePrefix.dataCoordSegmentInfo': 'segment-info-channel',
    'common.subNamePrefix.proxySubNamePrefix': 'proxy',
    'common.subNamePrefix.rootCoordSubNamePrefix': 'rootCoord',
    'common.subNamePrefix.queryNodeSubNamePrefix': 'queryNode',
    'common.subNamePrefix.dataCoordSubNamePrefix': 'dataCoord',
    'common.subNamePrefix.dataNodeSubNamePrefix': 'dataNode',
    'common.security.authorizationEnabled': true,
    'common.session.ttl': SESSION_TTL_S,
  };
  // The parts of one server find each other under these addresses, not under whatever interface comes first.
  for (const part of ['proxy', 'rootCoord', 'queryCoord', 'queryNode', 'dataCoord', 'dataNode', 'indexNode']) {
    settings[`${part}.ip`] = '127.0.0.1';
  }
  return { ...settings, ...config.settings };
}

const natsSettings = ({ directory, ports }: InstanceConfig): MilvusSettings => ({
  'mq.type': 'natsmq',
  // Milvus binds it to 127.0.0.1 and has no setting for the host (pkg/mq/msgstream/mqwrapper/nmq/nmq_server.go).
  'natsmq.server.port': ports.nats,
  'natsmq.server.storeDir': `${directory}/nats`,
  'natsmq.server.initializeTimeout': NATS_INITIALIZE_TIMEOUT_MS,
  'natsmq.server.monitor.logFile': `${directory}/logs/nats.log`,
});

/**
 * 10 s by default. A consumer of a channel where nothing comes any more, as in one of a collection that was dropped, is
 * closed when this has passed, and the data node, which does one after the other, takes up no new collection meanwhile: its
 * rows gather, and when their turn comes the server has time for nothing else (seen with 2.3.5).
 */
const KAFKA_READ_TIMEOUT_S = 1;

const kafkaSettings = (brokers: string): MilvusSettings => ({
  'mq.type': 'kafka',
  'kafka.brokerList': brokers,
  // Empty for a Kafka without credentials, which is only found so when they are named.
  'kafka.saslUsername': '',
  'kafka.saslPassword': '',
  'kafka.saslMechanisms': '',
  'kafka.securityProtocol': '',
  'kafka.readTimeout': KAFKA_READ_TIMEOUT_S,
});

type Tree = Map<string, Tree | string | number | boolean>;

/** Dotted names as block YAML. Scalars are written as JSON, which YAML reads as it stands. */
export function renderYaml(settings: MilvusSettings): string {
  const root: Tree = new Map();
  for (const [name, value] of Object.entries(settings)) {
    const parts = name.split('.');
    const last = parts.pop() ?? name;
    let node = root;
    for (const part of parts) {
      let child = node.get(part);
      if (!(child instanceof Map)) node.set(part, (child = new Map()));
      node = child;
    }
    node.set(last, value);
  }
  const lines = (tree: Tree, indent: string): string[] =>
    [...tree].flatMap(([key, value]) =>
      value instanceof Map
        ? [`${indent}${key}:`, ...lines(value, `${indent}  `)]
        : [`${indent}${key}: ${JSON.stringify(value)}`],
    );
  return `${lines(root, '').join('\n')}\n`;
}

export const renderMilvusYaml = (config: InstanceConfig): string => renderYaml(milvusSettings(config));

export function renderEtcdYaml(config: InstanceConfig): string {
  const { directory, ports } = config;
  const client = `http://127.0.0.1:${ports.etcdClient}`;
  const peer = `http://127.0.0.1:${ports.etcdPeer}`;
  return renderYaml({
    name: 'default',
    'data-dir': `${directory}/etcd`,
    'listen-client-urls': client,
    'advertise-client-urls': client,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `default=${peer}`,
    'log-level': 'warn',
    logger: 'zap',
    'unsafe-no-fsync': !config.isDurable,
  });
}

/** Read by the native half of Milvus, which crashes at once without it: warnings and worse, to stderr. */
export const GLOG_CONF = '--logtostderr=true\n--minloglevel=1\n';
