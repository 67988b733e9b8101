import { describe, expect, it } from 'vitest';
import { problemsOf, toDraft, toForm } from '../../../renderer/features/clusters/cluster-form.ts';
import { connectionDraftSchema } from '../../../shared/contract/procedures.ts';
import { cluster } from '../../support/fake-states.ts';

describe('a cluster that is edited', () => {
  it('goes back as it came when nothing was changed, without its secrets', () => {
    const view = cluster('a', 'orders');
    expect(toDraft(toForm(view))).toEqual({
      id: 'a',
      name: 'orders',
      milvus: view.milvus,
      etcd: view.etcd,
      wal: view.wal,
    });
  });

  it('sends a new secret, leaves out one that is kept, and empties one that is taken away', () => {
    const form = toForm(cluster('a', 'orders', { secretsSet: ['milvus.password', 'milvus.token', 'etcd.password'] }));
    form.milvus.token.value = 'fresh ';
    form.etcd.password.isTakenAway = true;
    const draft = toDraft(form);
    expect(draft.milvus).toMatchObject({ token: 'fresh ' });
    expect(draft.milvus).not.toHaveProperty('password');
    expect(draft.etcd).toMatchObject({ password: '' });
  });

  it('has no part whose address is empty', () => {
    const form = toForm(undefined);
    form.name = 'standby';
    form.milvus.address = ' host:19530 ';
    expect(toDraft(form)).toEqual({ name: 'standby', milvus: { address: 'host:19530' } });
  });

  it('fits the contract with NATS and with Kafka, plain and encrypted', () => {
    const form = toForm(undefined);
    form.name = 'prod';
    form.etcd.endpoints = 'a:2379, b:2379\nc:2379';
    form.log.addresses = 'a:4222';
    form.log.tls.isOn = true;
    form.log.tls.ca = 'PEM';
    expect(connectionDraftSchema.parse(toDraft(form))).toMatchObject({
      etcd: { endpoints: ['a:2379', 'b:2379', 'c:2379'], rootPath: 'by-dev' },
      wal: { kind: 'nats', servers: ['a:4222'], tls: { ca: 'PEM' } },
    });
    form.log.kind = 'kafka';
    form.log.username = 'user';
    form.log.password.value = 'secret';
    form.log.mechanism = 'scram-sha-512';
    expect(connectionDraftSchema.parse(toDraft(form)).wal).toMatchObject({
      kind: 'kafka',
      brokers: ['a:4222'],
      sasl: { mechanism: 'scram-sha-512', username: 'user', password: 'secret' },
    });
  });

  it('says what is missing or wrong, at the field', () => {
    const form = toForm(undefined);
    expect(problemsOf(form).map(({ problem }) => problem)).toEqual(['nameMissing', 'nothing']);
    form.name = 'prod';
    form.etcd.endpoints = 'a:2379';
    expect(problemsOf(form)).toEqual([{ part: 'log', field: 'addresses', problem: 'logMissing' }]);
    form.log.addresses = 'nats://user:pass@a:4222';
    expect(problemsOf(form)).toEqual([{ part: 'log', field: 'addresses', problem: 'credentials' }]);
    form.log.addresses = 'nats://a:4222';
    form.milvus.address = 'not an address';
    expect(problemsOf(form)).toEqual([{ part: 'milvus', field: 'address', problem: 'address' }]);
  });
});
