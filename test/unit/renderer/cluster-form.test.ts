import { describe, expect, it } from 'vitest';
import { problemsOf, testDrafts, toDraft, toForm } from '../../../renderer/features/clusters/cluster-form.ts';
import { createHopTest } from '../../../renderer/features/clusters/hop-test.ts';
import { connectionDraftSchema, type ConnectionDraft, type Hop } from '../../../shared/contract/procedures.ts';
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

describe('a connection test', () => {
  const draft: ConnectionDraft = {
    name: 'a',
    milvus: { address: 'a:19530' },
    etcd: { endpoints: ['a:2379'] },
    wal: { kind: 'nats', servers: ['a:4222'] },
  };
  const ok = (hop: Hop['hop']): Hop => ({ hop, state: 'ok', message: 'found', durationMs: 1 });

  it('asks for source and target apart', () => {
    expect(testDrafts(draft).map((part) => Object.keys(part).sort())).toEqual([
      ['milvus', 'name'],
      ['etcd', 'name', 'wal'],
    ]);
  });

  it('shows what runs, and each answer as it comes', async () => {
    const answers: ((hops: Hop[]) => void)[] = [];
    const { hops, run } = createHopTest(() => new Promise<readonly Hop[]>((resolve) => answers.push(resolve)));
    const done = run(draft);
    expect(hops.value.map(({ hop, state }) => `${hop} ${state}`)).toEqual(
      ['milvus', 'writes', 'etcd', 'catalog', 'log', 'channels'].map((hop) => `${hop} running`),
    );
    answers[0]?.([ok('milvus'), ok('writes')]);
    await Promise.resolve();
    await Promise.resolve();
    expect(hops.value.map(({ state }) => state)).toEqual(['ok', 'ok', 'running', 'running', 'running', 'running']);
    answers[1]?.([ok('etcd'), ok('catalog'), ok('log'), ok('channels')]);
    await done;
    expect(hops.value.every(({ state }) => state === 'ok')).toBe(true);
  });

  it('drops the answers of a run that was superseded', async () => {
    const answers: ((hops: Hop[]) => void)[] = [];
    const { hops, run, clear } = createHopTest(() => new Promise<readonly Hop[]>((resolve) => answers.push(resolve)));
    const done = run({ name: 'a', milvus: { address: 'a:19530' } });
    clear();
    answers[0]?.([ok('milvus')]);
    await done;
    expect(hops.value).toEqual([]);
  });
});
