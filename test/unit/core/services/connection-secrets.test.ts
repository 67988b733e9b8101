import { describe, expect, it } from 'vitest';
import { inheritSecrets, joinSecrets, splitSecrets } from '../../../../electron/core/services/connection-secrets.ts';
import { connectionViewSchema, type ConnectionParts } from '../../../../shared/contract/procedures.ts';

const tls = { ca: 'public', cert: 'public', key: 'PRIVATE', serverName: 'milvus' };

const whole: ConnectionParts = {
  milvus: { address: 'a:1', username: 'root', password: 'P1', token: 'T1', tls },
  etcd: { endpoints: ['a:2'], rootPath: 'by-dev', metaSubPath: 'meta', username: 'root', password: 'P2', tls },
  wal: {
    kind: 'kafka',
    brokers: ['a:3'],
    channelPrefix: 'by-dev',
    sasl: { mechanism: 'plain', username: 'u', password: 'P3' },
    tls,
  },
};
const SECRETS = ['P1', 'T1', 'P2', 'P3', 'PRIVATE'];

describe('the secrets of a connection', () => {
  it('are taken out wherever they stand, and put back', () => {
    const { parts, secrets } = splitSecrets(whole);
    for (const secret of SECRETS) expect(JSON.stringify(parts)).not.toContain(secret);
    expect(Object.keys(secrets).sort()).toEqual([
      'etcd.password',
      'etcd.tls.key',
      'milvus.password',
      'milvus.tls.key',
      'milvus.token',
      'wal.sasl.password',
      'wal.tls.key',
    ]);
    expect(joinSecrets(parts, secrets)).toEqual(whole);
  });

  it('are not needed for what may be shown to fit the contract', () => {
    const { parts, secrets } = splitSecrets(whole);
    const view = { ...parts, id: 'a', name: 'a', secretsSet: Object.keys(secrets), canBeSource: true };
    expect(() => connectionViewSchema.parse({ ...view, canBeTarget: true, isLab: false, usedBy: [] })).not.toThrow();
  });

  it('are taken over where a change leaves them out', () => {
    const { parts, secrets } = splitSecrets(whole);
    expect(inheritSecrets(parts as ConnectionParts, parts, secrets)).toEqual(whole);
  });

  it('are replaced by new ones, and taken away by empty ones', () => {
    const { parts, secrets } = splitSecrets(whole);
    const changed = inheritSecrets(
      { milvus: { address: 'a:1', username: 'root', password: 'NEW', token: '' } },
      parts,
      secrets,
    );
    expect(splitSecrets(changed).secrets).toEqual({ 'milvus.password': 'NEW' });
  });

  it('go with the user, the part, or the kind of log that they belong to', () => {
    const { parts, secrets } = splitSecrets(whole);
    const changed = inheritSecrets(
      {
        etcd: { endpoints: ['a:2'], rootPath: 'by-dev', metaSubPath: 'meta' },
        wal: { kind: 'nats', servers: ['a:3'], channelPrefix: 'by-dev', tls: { ca: 'public' } },
      },
      parts,
      secrets,
    );
    expect(splitSecrets(changed).secrets).toEqual({});
  });
});
