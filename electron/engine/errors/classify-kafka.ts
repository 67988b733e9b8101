/**
 * What went wrong at Kafka, as a `ReplicationError` of the side `wal`: by the broker's error code, then the error's class and
 * Node's code, and by text only where kafkajs offers nothing else. Captured from kafkajs 2.2.4 and Kafka 3.9.1.
 */
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { ErrorCode, ErrorContext } from '../../../shared/model/replication-error.ts';
import { findTlsFault, resetAfterTls } from './tls-faults.ts';

/** The broker's answer to a request that it did not carry out (org.apache.kafka.common.protocol.Errors). */
export class KafkaRefusal extends Error {
  readonly errorCode: number;

  constructor(errorCode: number) {
    super(
      `Kafka answered with error ${errorCode}${REFUSALS[errorCode] === undefined ? '' : ` (${REFUSALS[errorCode]})`}`,
    );
    this.name = 'KafkaRefusal';
    this.errorCode = errorCode;
  }

  static throwIf(errorCode: number): void {
    if (errorCode !== 0) throw new KafkaRefusal(errorCode);
  }
}

/** Nothing came from the broker for longer than it may take. */
export class KafkaSilence extends Error {
  constructor(silenceMs: number) {
    super(`Kafka has been silent for ${silenceMs / 1000} s`);
    this.name = 'KafkaSilence';
  }
}

export const OFFSET_OUT_OF_RANGE = 1;
export const TOPIC_AUTHORIZATION_FAILED = 29;

/** Those with a meaning here. */
const REFUSALS: Readonly<Partial<Record<number, string>>> = {
  [-1]: 'UNKNOWN_SERVER_ERROR',
  [OFFSET_OUT_OF_RANGE]: 'OFFSET_OUT_OF_RANGE',
  2: 'CORRUPT_MESSAGE',
  3: 'UNKNOWN_TOPIC_OR_PARTITION',
  5: 'LEADER_NOT_AVAILABLE',
  6: 'NOT_LEADER_OR_FOLLOWER',
  7: 'REQUEST_TIMED_OUT',
  9: 'REPLICA_NOT_AVAILABLE',
  13: 'NETWORK_EXCEPTION',
  17: 'INVALID_TOPIC_EXCEPTION',
  [TOPIC_AUTHORIZATION_FAILED]: 'TOPIC_AUTHORIZATION_FAILED',
  31: 'CLUSTER_AUTHORIZATION_FAILED',
  33: 'UNSUPPORTED_SASL_MECHANISM',
  34: 'ILLEGAL_SASL_STATE',
  35: 'UNSUPPORTED_VERSION',
  56: 'KAFKA_STORAGE_ERROR',
  58: 'SASL_AUTHENTICATION_FAILED',
  74: 'FENCED_LEADER_EPOCH',
  75: 'UNKNOWN_LEADER_EPOCH',
  76: 'UNSUPPORTED_COMPRESSION_TYPE',
  78: 'OFFSET_NOT_AVAILABLE',
  100: 'UNKNOWN_TOPIC_ID',
  103: 'INCONSISTENT_TOPIC_ID',
};

/** The topic moves to another broker, or has gone: reading anew finds out which. */
const PASSING = new Set([5, 6, 7, 9, 13, 56, 74, 75, 78, 100, 103]);

interface Finding {
  readonly code: ErrorCode;
  readonly cause: string;
  readonly nextStep: string;
}

/** What was under way when the connection ended, for a cause where the broker gives none. */
export interface KafkaContact {
  readonly stage: 'connect' | 'versions' | 'authenticate' | 'use';
  readonly hasTls: boolean;
  readonly hasSasl: boolean;
  /** Which some brokers do not say when they refuse it. */
  readonly hasClientCertificate: boolean;
  /** The address is one that the cluster gave, not the connection. */
  readonly isAdvertised: boolean;
  /** The cluster has been reached in this way before, so that a broker which hangs up is one that stops. */
  readonly hasBeenUp: boolean;
}

/** Node's codes for a certificate or a TLS talk that did not succeed. */
const isTlsCode = (code: string): boolean =>
  /^(ERR_TLS_|ERR_SSL_|ERR_OSSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/.test(code) || code === 'EPROTO';

const CHECK_ADDRESS = 'Check that the broker runs and that address and port are right';
const CHECK_ADVERTISED =
  "Set the broker's advertised.listeners to an address that can be reached from here, or make its name known here";
const OWN_LOG = "See the broker's own log";

function findRefusal(errorCode: number, text: string): Finding {
  if (PASSING.has(errorCode)) return { code: 'unreachable', cause: text, nextStep: 'Read again from the last message' };
  switch (errorCode) {
    case 3:
    case 17:
      return {
        code: 'channelsNotFound',
        cause: 'The channel does not exist there',
        nextStep: "Check that the address is the source's own log and that the channel prefix is right",
      };
    case 29:
      return {
        code: 'permissionDenied',
        cause: 'Kafka does not allow this user to read the topic',
        nextStep: 'Give the user the rights Describe and Read on the topics with the channel prefix',
      };
    case 31:
      return {
        code: 'permissionDenied',
        cause: 'Kafka does not allow this user to do so',
        nextStep: 'Give the user the right Describe on the cluster',
      };
    case 33:
      return wrongMechanism('');
    case 34:
      return {
        code: 'invalidConfig',
        cause: 'Kafka wants no credentials at this address',
        nextStep: "Remove the log's SASL settings, or enter the port of a listener with SASL",
      };
    case 58:
      return REFUSED_CREDENTIALS;
    case 35:
      return {
        code: 'unsupported',
        cause: text,
        nextStep: 'The log needs a Kafka of version 2.8 or later',
      };
    default:
      return { code: 'unknown', cause: text, nextStep: OWN_LOG };
  }
}

const REFUSED_CREDENTIALS: Finding = {
  code: 'unauthenticated',
  cause: 'Kafka refused the credentials',
  nextStep: 'Check user name, password and SASL mechanism of the log',
};

const wrongMechanism = (name: string): Finding => ({
  code: 'invalidConfig',
  cause: `Kafka does not offer the SASL mechanism${name === '' ? '' : ` ${name}`} at this address`,
  nextStep: "Set the log's SASL mechanism to one that the listener offers",
});

/** The connection ended without a word from the broker, which is how Kafka answers much of what it does not like. */
function findHangUp(contact: KafkaContact, cause: string): Finding {
  const { stage, hasTls, hasSasl } = contact;
  if (contact.hasBeenUp) {
    return { code: 'unreachable', cause: `The connection failed (${cause})`, nextStep: CHECK_ADDRESS };
  }
  if (stage === 'connect' && hasTls) {
    return {
      code: 'invalidConfig',
      cause: 'What answers there ended the TLS talk',
      nextStep: 'Check that the port is that of a listener with TLS, or remove the TLS settings of the log',
    };
  }
  if (stage === 'versions' && hasTls) return resetAfterTls(contact.hasClientCertificate);
  if (stage === 'versions') {
    return {
      code: 'unreachable',
      cause: 'What answers there ended the connection, so it is not Kafka or a Kafka listener of another kind',
      nextStep: 'Check address and port, and whether this listener wants TLS',
    };
  }
  if (stage === 'authenticate' && !hasSasl) {
    return {
      code: 'unauthenticated',
      cause: 'Kafka ended the connection at the first request without credentials',
      nextStep: 'Enter SASL mechanism, user name and password of the log, or the port of a listener without SASL',
    };
  }
  return { code: 'unreachable', cause: `The connection failed (${cause})`, nextStep: CHECK_ADDRESS };
}

const propertyOf = (thrown: unknown, name: 'code' | 'type'): unknown =>
  thrown instanceof Error && name in thrown ? (thrown as unknown as Record<string, unknown>)[name] : undefined;

function find(thrown: unknown, contact: KafkaContact): Finding {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  const name = thrown instanceof Error ? thrown.name : '';
  const code = propertyOf(thrown, 'code');
  if (thrown instanceof KafkaRefusal) return findRefusal(thrown.errorCode, text);
  if (thrown instanceof KafkaSilence) {
    return contact.stage === 'versions' && !contact.hasTls && !contact.isAdvertised
      ? { code: 'unreachable', cause: text, nextStep: 'Check address and port, and whether this listener wants TLS' }
      : {
          code: 'unreachable',
          cause: text,
          nextStep: contact.isAdvertised ? CHECK_ADVERTISED : 'Check that the broker is up and not overloaded',
        };
  }
  if (name === 'KafkaJSSASLAuthenticationError') {
    const mechanism = /^SASL (\S+) mechanism is not supported/.exec(text)?.[1];
    if (mechanism !== undefined) return wrongMechanism(mechanism);
    // kafkajs wraps what the connection suffers meanwhile, and keeps nothing of it but the text.
    return /closed connection|connection error|connection closed|not connected/i.test(text)
      ? findHangUp(contact, 'it was closed')
      : REFUSED_CREDENTIALS;
  }
  if (typeof code === 'number' && propertyOf(thrown, 'type') !== undefined)
    return findRefusal(code, `Kafka answered "${text}"`);
  const fault = typeof code === 'string' ? findTlsFault(text, code, contact.hasClientCertificate) : undefined;
  if (fault !== undefined) return contact.hasBeenUp ? { ...fault, code: 'unreachable' } : fault;
  if (typeof code === 'string' && isTlsCode(code)) {
    // OpenSSL's own lines hold addresses of its code.
    const reason = /ssl[\w ]*:[^:]*:([^:]+):/i.exec(text)?.[1] ?? text.replace(/^Connection error: |; .*$/gs, '');
    return {
      code: 'invalidConfig',
      cause: `TLS failed (${code}: ${reason.trim()})`,
      nextStep: 'Check the certificates and the server name of the log, and that the listener wants TLS',
    };
  }
  if (name === 'KafkaJSConnectionClosedError' || code === 'ECONNRESET' || code === 'EPIPE') {
    return findHangUp(contact, typeof code === 'string' ? code : 'it was closed');
  }
  if (name === 'KafkaJSConnectionError') {
    const reason = typeof code === 'string' ? code : text.replace(/^Connection error: /, '');
    const nextStep = contact.isAdvertised ? CHECK_ADVERTISED : CHECK_ADDRESS;
    return { code: 'unreachable', cause: `The connection failed (${reason})`, nextStep };
  }
  if (thrown instanceof RangeError) {
    return { code: 'unknown', cause: `Kafka's answer could not be read (${text})`, nextStep: OWN_LOG };
  }
  return { code: 'unknown', cause: `Kafka failed with "${text}"`, nextStep: OWN_LOG };
}

const IN_USE: KafkaContact = {
  stage: 'use',
  hasTls: false,
  hasSasl: false,
  hasClientCertificate: false,
  isAdvertised: false,
  hasBeenUp: false,
};

/**
 * @param failed What did not succeed, as the beginning of a sentence: "Channel x could not be opened".
 * @param context Names and positions; never credentials.
 */
export function classifyKafka(
  thrown: unknown,
  failed: string,
  context: ErrorContext = {},
  contact: KafkaContact = IN_USE,
): ReplicationError {
  if (thrown instanceof ReplicationError) return thrown;
  const { code, cause, nextStep } = find(thrown, contact);
  return new ReplicationError(code, 'wal', `${failed}: ${lowerFirst(cause)}. ${nextStep}.`, { cause: thrown, context });
}

const lowerFirst = (text: string): string =>
  /^(The|This|What) /.test(text) ? `${text.charAt(0).toLowerCase()}${text.slice(1)}` : text;
