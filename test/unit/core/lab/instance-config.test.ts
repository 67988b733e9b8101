import { describe, expect, it } from 'vitest';
import {
  PORT_NAMES,
  milvusSettings,
  renderEtcdYaml,
  renderMilvusYaml,
  renderYaml,
  type InstanceConfig,
  type InstancePorts,
} from '../../../../electron/core/lab/instance-config.ts';

const ports = Object.fromEntries(PORT_NAMES.map((name, index) => [name, 20_001 + index])) as unknown as InstancePorts;
const config: InstanceConfig = {
  directory: '/lab/source',
  ports,
  clusterName: 'lab-source',
  isDurable: true,
  settings: {},
};

describe('renderYaml', () => {
  it('nests dotted names and keeps names with a common beginning together', () => {
    expect(renderYaml({ 'a.b.c': 1, 'd.e': true, 'a.b.f': 'text', 'a.g': 2 })).toBe(
      'a:\n  b:\n    c: 1\n    f: "text"\n  g: 2\nd:\n  e: true\n',
    );
  });

  it('quotes what YAML would otherwise take for something else', () => {
    expect(renderYaml({ path: '/a: b # "c"', word: 'no' })).toBe('path: "/a: b # \\"c\\""\nword: "no"\n');
  });
});

describe('the configuration of an instance', () => {
  it('gives every port of the server a place, but for the metrics port, which is told by environment', () => {
    const text = renderMilvusYaml(config) + renderEtcdYaml(config);
    const missing = PORT_NAMES.filter((name) => !text.includes(String(ports[name])));
    expect(missing).toEqual(['metrics']);
  });

  it('gives etcd loopback addresses only', () => {
    const urls = renderEtcdYaml(config).match(/https?:\/\/[^"]+/g) ?? [];
    expect(urls).toHaveLength(5);
    expect(urls.every((url) => url.startsWith('http://127.0.0.1:'))).toBe(true);
  });

  it('turns authorization on and puts the log into NATS', () => {
    expect(milvusSettings(config)).toMatchObject({ 'common.security.authorizationEnabled': true, 'mq.type': 'natsmq' });
  });

  it('puts the log into the Kafka that it is given, and starts no NATS', () => {
    const text = renderMilvusYaml({ ...config, kafkaBrokers: '127.0.0.1:9092' });
    expect(text).toContain('type: "kafka"');
    expect(text).toContain('brokerList: "127.0.0.1:9092"');
    expect(text).not.toContain('nats');
  });

  it('names the cluster in the catalog and in the channels', () => {
    expect(milvusSettings(config)).toMatchObject({
      'etcd.rootPath': 'lab-source',
      'common.chanNamePrefix.cluster': 'lab-source',
    });
  });

  it('lets a setting given by the caller win', () => {
    const settings = { 'natsmq.server.retention.maxAge': 1, 'log.level': 'debug' };
    expect(milvusSettings({ ...config, settings })).toMatchObject(settings);
  });

  it('lets etcd skip the wait for the disk only where the data may be lost', () => {
    expect(renderEtcdYaml(config)).toContain('unsafe-no-fsync: false');
    expect(renderEtcdYaml({ ...config, isDurable: false })).toContain('unsafe-no-fsync: true');
  });
});
