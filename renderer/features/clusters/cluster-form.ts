/**
 * A cluster as it is edited, and its way from and to the contract. A part whose address is empty is not sent: the
 * cluster has none. Secrets that are set already are shown as empty fields: left empty they stay, and an empty string is
 * sent only where a person takes one away.
 */
import type { ConnectionDraft, ConnectionView } from '../../../shared/contract/procedures.ts';

export interface TlsForm {
  isOn: boolean;
  ca: string;
  cert: string;
  key: SecretForm;
  serverName: string;
}

export interface SecretForm {
  /** The core has one. */
  isSet: boolean;
  isTakenAway: boolean;
  value: string;
}

export type LogKind = 'nats' | 'kafka';
export const SASL_MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;
export type SaslMechanism = (typeof SASL_MECHANISMS)[number];

export interface ClusterForm {
  id: string | undefined;
  name: string;
  milvus: { address: string; username: string; password: SecretForm; token: SecretForm; tls: TlsForm };
  etcd: {
    endpoints: string;
    rootPath: string;
    metaSubPath: string;
    username: string;
    password: SecretForm;
    tls: TlsForm;
  };
  log: {
    kind: LogKind;
    /** NATS: servers; Kafka: brokers. */
    addresses: string;
    channelPrefix: string;
    username: string;
    password: SecretForm;
    /** NATS only. */
    token: SecretForm;
    /** Kafka only; used with a user name. */
    mechanism: SaslMechanism;
    tls: TlsForm;
  };
}

/** Milvus' own default of `etcd.rootPath` and of the channels' prefix. */
const DEFAULT_PREFIX = 'by-dev';
const DEFAULT_META_SUB_PATH = 'meta';

type Tls = NonNullable<NonNullable<ConnectionView['milvus']>['tls']>;

/** @param view `undefined`: a new cluster. */
export function toForm(view: ConnectionView | undefined): ClusterForm {
  const secret = (path: string): SecretForm => ({
    isSet: view?.secretsSet.includes(path) ?? false,
    isTakenAway: false,
    value: '',
  });
  const tls = (path: string, from: Tls | undefined): TlsForm => ({
    isOn: from !== undefined,
    ca: from?.ca ?? '',
    cert: from?.cert ?? '',
    key: secret(`${path}.tls.key`),
    serverName: from?.serverName ?? '',
  });
  const { milvus, etcd, wal } = view ?? {};
  const isKafka = wal?.kind === 'kafka';
  const sasl = isKafka ? wal.sasl : undefined;
  return {
    id: view?.id,
    name: view?.name ?? '',
    milvus: {
      address: milvus?.address ?? '',
      username: milvus?.username ?? '',
      password: secret('milvus.password'),
      token: secret('milvus.token'),
      tls: tls('milvus', milvus?.tls),
    },
    etcd: {
      endpoints: etcd?.endpoints.join(', ') ?? '',
      rootPath: etcd?.rootPath ?? DEFAULT_PREFIX,
      metaSubPath: etcd?.metaSubPath ?? DEFAULT_META_SUB_PATH,
      username: etcd?.username ?? '',
      password: secret('etcd.password'),
      tls: tls('etcd', etcd?.tls),
    },
    log: {
      kind: wal?.kind ?? 'nats',
      addresses: wal === undefined ? '' : (isKafka ? wal.brokers : wal.servers).join(', '),
      channelPrefix: wal?.channelPrefix ?? DEFAULT_PREFIX,
      username: (isKafka ? sasl?.username : wal?.username) ?? '',
      password: secret(isKafka ? 'wal.sasl.password' : 'wal.password'),
      token: secret('wal.token'),
      mechanism: sasl?.mechanism ?? 'plain',
      tls: tls('wal', wal?.tls),
    },
  };
}

/** Addresses as they are typed: separated by commas, spaces or line breaks. */
export const splitAddresses = (text: string): string[] => text.split(/[\s,;]+/).filter((part) => part !== '');

export function toDraft(form: ClusterForm): ConnectionDraft {
  const { milvus, etcd, log } = form;
  const draft: ConnectionDraft = { name: form.name.trim() };
  if (form.id !== undefined) draft.id = form.id;
  if (milvus.address.trim() !== '') {
    draft.milvus = {
      address: milvus.address.trim(),
      ...text('username', milvus.username),
      ...secret('password', milvus.password),
      ...secret('token', milvus.token),
      ...tls(milvus.tls),
    };
  }
  const endpoints = splitAddresses(etcd.endpoints);
  if (endpoints.length > 0) {
    draft.etcd = {
      endpoints,
      ...text('rootPath', etcd.rootPath),
      ...text('metaSubPath', etcd.metaSubPath),
      ...text('username', etcd.username),
      ...secret('password', etcd.password),
      ...tls(etcd.tls),
    };
  }
  const addresses = splitAddresses(log.addresses);
  if (addresses.length > 0) draft.wal = log.kind === 'kafka' ? kafka(addresses, log) : nats(addresses, log);
  return draft;
}

function nats(servers: string[], log: ClusterForm['log']): NonNullable<ConnectionDraft['wal']> {
  return {
    kind: 'nats',
    servers,
    ...text('channelPrefix', log.channelPrefix),
    ...text('username', log.username),
    ...secret('password', log.password),
    ...secret('token', log.token),
    ...tls(log.tls),
  };
}

function kafka(brokers: string[], log: ClusterForm['log']): NonNullable<ConnectionDraft['wal']> {
  const username = log.username.trim();
  const sasl = { mechanism: log.mechanism, username, ...secret('password', log.password) };
  return {
    kind: 'kafka',
    brokers,
    ...text('channelPrefix', log.channelPrefix),
    ...(username === '' ? {} : { sasl }),
    ...tls(log.tls),
  };
}

const text = <N extends string>(name: N, value: string): Partial<Record<N, string>> =>
  (value.trim() === '' ? {} : { [name]: value.trim() }) as Partial<Record<N, string>>;

/** Never trimmed: a password may end with a space. */
function secret<N extends string>(name: N, { value, isTakenAway }: SecretForm): Partial<Record<N, string>> {
  if (value === '' && !isTakenAway) return {};
  return { [name]: value } as Partial<Record<N, string>>;
}

function tls(form: TlsForm): { tls?: Tls } {
  if (!form.isOn) return {};
  return {
    tls: {
      ...text('ca', form.ca),
      ...text('cert', form.cert),
      ...secret('key', form.key),
      ...text('serverName', form.serverName),
    },
  };
}

export const PARTS = ['milvus', 'etcd', 'log'] as const;
export type Part = (typeof PARTS)[number];

export interface FormProblem {
  readonly part: Part | 'name';
  readonly field: string;
  /** In the catalogues under `clusters.problems`. */
  readonly problem: 'nameMissing' | 'nothing' | 'logMissing' | 'etcdMissing' | 'address' | 'credentials';
}

const isAddress = (value: string): boolean => /^([a-z][a-z0-9+.-]*:\/\/)?[^\s/]+(:\d{1,5})?\/?$/i.test(value);

/** What must be mended before it can be saved; empty: nothing. */
export function problemsOf({ name, milvus, etcd, log }: ClusterForm): FormProblem[] {
  const problems: FormProblem[] = [];
  const endpoints = splitAddresses(etcd.endpoints);
  const addresses = splitAddresses(log.addresses);
  const check = (part: Part, field: string, values: readonly string[]): void => {
    // A user name and password in an address would be shown with it.
    if (values.some((value) => value.includes('@'))) problems.push({ part, field, problem: 'credentials' });
    else if (!values.every(isAddress)) problems.push({ part, field, problem: 'address' });
  };
  if (name.trim() === '') problems.push({ part: 'name', field: 'name', problem: 'nameMissing' });
  const address = milvus.address.trim();
  if (address !== '') check('milvus', 'address', [address]);
  check('etcd', 'endpoints', endpoints);
  check('log', 'addresses', addresses);
  if (endpoints.length > 0 && addresses.length === 0)
    problems.push({ part: 'log', field: 'addresses', problem: 'logMissing' });
  if (addresses.length > 0 && endpoints.length === 0)
    problems.push({ part: 'etcd', field: 'endpoints', problem: 'etcdMissing' });
  if (address === '' && endpoints.length === 0 && addresses.length === 0) {
    problems.push({ part: 'milvus', field: 'address', problem: 'nothing' });
  }
  return problems;
}
