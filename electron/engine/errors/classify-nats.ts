/**
 * What went wrong at NATS, as a `ReplicationError` of the side `wal`: by the error's class and code first, by its text
 * only where the client offers nothing else. The texts were captured from @nats-io 3.4 and nats-server 2.9.
 */
import { errors } from '@nats-io/transport-node';
import { JetStreamApiCodes, JetStreamApiError, JetStreamError } from '@nats-io/jetstream';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { ErrorCode, ErrorContext } from '../../../shared/model/replication-error.ts';
import { findTlsFault, resetAfterTls } from './tls-faults.ts';

/** HTTP-like status of an API answer that means "not now": JetStream is starting, stopping or changing its leader. */
const STATUS_UNAVAILABLE = 503;

interface Finding {
  readonly code: ErrorCode;
  readonly cause: string;
  readonly nextStep: string;
}

const NETWORK_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
]);

/** Node's codes for a certificate or a TLS talk that did not succeed. */
const isTlsCode = (code: string): boolean =>
  /^(ERR_TLS_|ERR_SSL_|ERR_OSSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/.test(code);

function codeOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return '';
  const code = 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : '';
  return code === '' ? codeOf(thrown.cause) : code;
}

function find(thrown: unknown, contact: NatsContact): Finding {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  if (thrown instanceof errors.AuthorizationError || thrown instanceof errors.UserAuthenticationExpiredError) {
    return {
      code: 'unauthenticated',
      cause: 'NATS refused the credentials',
      nextStep: 'Check user name, password or token of the log',
    };
  }
  if (thrown instanceof errors.PermissionViolationError) {
    return {
      code: 'permissionDenied',
      cause: `NATS does not allow this user the ${thrown.operation} on "${thrown.subject}"`,
      nextStep: 'Give the user rights on "$JS.API.>" and "_INBOX.>"',
    };
  }
  if (thrown instanceof JetStreamApiError) {
    if (thrown.code === JetStreamApiCodes.StreamNotFound) {
      return {
        code: 'channelsNotFound',
        cause: 'The channel does not exist there',
        nextStep: "Check that the address is the source's own log and that the channel prefix is right",
      };
    }
    if (thrown.code === JetStreamApiCodes.JetStreamNotEnabledForAccount) {
      return {
        code: 'unsupported',
        cause: 'JetStream is not enabled for this account',
        nextStep: 'Use another account',
      };
    }
    if (thrown.status === STATUS_UNAVAILABLE || thrown.code === JetStreamApiCodes.ConsumerNotFound) {
      return {
        code: 'unreachable',
        cause: `JetStream answered "${text}"`,
        nextStep: 'Read again from the last message',
      };
    }
    return {
      code: 'unknown',
      cause: `JetStream answered "${text}" (${thrown.code})`,
      nextStep: "See the broker's own log",
    };
  }
  if (thrown instanceof Error && thrown.name === 'JetStreamNotEnabled') {
    return {
      code: 'unsupported',
      cause: 'This NATS server has no JetStream',
      nextStep: "Check that the address is that of the source's log",
    };
  }
  if (thrown instanceof errors.TimeoutError) {
    return {
      code: 'timeout',
      cause: 'NATS did not answer in time',
      nextStep: 'Check that the broker is up and not overloaded',
    };
  }
  if (thrown instanceof errors.RequestError && thrown.cause instanceof Error) return find(thrown.cause, contact);

  const code = codeOf(thrown);
  const fault = code === '' ? undefined : findTlsFault(text, code, contact.hasClientCertificate);
  if (fault !== undefined) return contact.hasBeenUp ? { ...fault, code: 'unreachable' } : fault;
  if (isTlsCode(code)) {
    // Node appends advice for programmers behind a semicolon.
    const reason = text.replace(/; .*$/s, '');
    return {
      code: 'invalidConfig',
      cause: `TLS failed (${code}: ${reason})`,
      nextStep: 'Check the certificates and the server name of the log',
    };
  }
  if (code === 'ERR_INVALID_URL') {
    return { code: 'invalidConfig', cause: 'The address is not one', nextStep: 'Give it as host:port' };
  }
  if (/server does not support 'tls'/.test(text)) {
    return { code: 'invalidConfig', cause: 'The NATS server offers no TLS', nextStep: "Remove the log's TLS settings" };
  }
  if (/unexpected response from server/.test(text)) {
    return {
      code: 'unreachable',
      cause: 'What answers at this address is not NATS',
      nextStep: "Check address and port of the source's log",
    };
  }
  if (code === 'ECONNRESET' && contact.hasTls && !contact.hasBeenUp) return resetAfterTls(contact.hasClientCertificate);
  const isConnection =
    thrown instanceof errors.ConnectionError ||
    thrown instanceof errors.ClosedConnectionError ||
    thrown instanceof errors.DrainingConnectionError ||
    NETWORK_CODES.has(code) ||
    // A request under way when the connection ended.
    (thrown instanceof errors.RequestError && text === 'connection disconnected');
  if (isConnection) {
    return {
      code: 'unreachable',
      cause: `The connection failed (${code === '' ? text : code})`,
      nextStep: 'Check that the broker runs and that address and port are right',
    };
  }
  if (thrown instanceof JetStreamError) {
    return { code: 'unknown', cause: `JetStream answered "${text}"`, nextStep: "See the broker's own log" };
  }
  return { code: 'unknown', cause: `NATS failed with "${text}"`, nextStep: "See the broker's own log" };
}

/** What is known of a connection that is being made, for a cause where NATS gives none. */
export interface NatsContact {
  readonly hasTls: boolean;
  /** Which a server does not always say when it refuses it. */
  readonly hasClientCertificate: boolean;
  /** The log has been reached in this way before. */
  readonly hasBeenUp: boolean;
}

const IN_USE: NatsContact = { hasTls: false, hasClientCertificate: false, hasBeenUp: true };

/**
 * @param failed What did not succeed, as the beginning of a sentence: "Channel x could not be opened".
 * @param context Names and positions; never credentials.
 */
export function classifyNats(
  thrown: unknown,
  failed: string,
  context: ErrorContext = {},
  contact: NatsContact = IN_USE,
): ReplicationError {
  if (thrown instanceof ReplicationError) return thrown;
  const { code, cause, nextStep } = find(thrown, contact);
  return new ReplicationError(code, 'wal', `${failed}: ${lowerFirst(cause)}. ${nextStep}.`, { cause: thrown, context });
}

/** As `classifyNats`, for a connection that is being made, where no answer means that nobody is there. */
export function classifyNatsConnect(
  thrown: unknown,
  failed: string,
  context: ErrorContext,
  contact: NatsContact,
): ReplicationError {
  const error = classifyNats(thrown, failed, context, contact);
  return error.code === 'timeout'
    ? new ReplicationError('unreachable', 'wal', error.message, { cause: thrown, context })
    : error;
}

const lowerFirst = (text: string): string =>
  /^(The|This|What) /.test(text) ? `${text.charAt(0).toLowerCase()}${text.slice(1)}` : text;
