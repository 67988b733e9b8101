/**
 * What went wrong in a TLS talk, for whatever client had it: Node's code where the client hands it on, else OpenSSL's and
 * Node's texts, all that gRPC keeps of them. Captured from Node 24 against Kafka 3.9.1 (Java 17), nats-server 2.9.10, and
 * the etcd and proxy of Milvus 2.3.5 (Go).
 */
import type { ErrorCode } from '../../../shared/model/replication-error.ts';

export interface TlsFault {
  /**
   * At the first contact: `invalidConfig` where the connection's own settings are to be changed, `unreachable` where the
   * server is. Where it has been well before, either side may mend it, and `unreachable` fits all.
   */
  readonly code: Extract<ErrorCode, 'invalidConfig' | 'unreachable'>;
  /** Of the server, in the middle of a sentence: "its certificate has expired". */
  readonly cause: string;
  /** What to do, without the full stop. */
  readonly nextStep: string;
}

const UNKNOWN_AUTHORITY: TlsFault = {
  code: 'invalidConfig',
  cause: 'its certificate is not signed by an authority that is trusted here',
  nextStep: 'Enter the certificate of the authority that signed it as CA certificate in the TLS settings',
};
const EXPIRED: TlsFault = {
  code: 'unreachable',
  cause: 'its certificate has expired',
  nextStep: 'Renew the certificate on the server',
};
const NOT_YET_VALID: TlsFault = {
  code: 'unreachable',
  cause: 'its certificate is not valid yet',
  nextStep: 'Check the clocks of both machines, and the certificate on the server',
};
const NO_TLS: TlsFault = {
  code: 'unreachable',
  cause: 'it does not speak TLS at this address',
  nextStep: 'Check the port, or remove the TLS settings',
};
const NO_COMMON_WAY: TlsFault = {
  code: 'invalidConfig',
  cause: 'it offers no TLS version or cipher that is safe enough',
  nextStep: 'Allow TLS 1.2 or later on the server',
};
const TOO_WEAK: TlsFault = {
  code: 'invalidConfig',
  cause: 'a certificate there or in the TLS settings has too weak a key or signature',
  nextStep: 'Use certificates with SHA-256 and an RSA key of 2048 bits or more, or an EC key',
};
const CLIENT_CERTIFICATE_WANTED: TlsFault = {
  code: 'invalidConfig',
  cause: 'it wants a client certificate',
  nextStep: 'Enter certificate and key of the client in the TLS settings',
};
const CLIENT_CERTIFICATE_EXPIRED: TlsFault = {
  code: 'invalidConfig',
  cause: 'the client certificate has expired',
  nextStep: 'Renew it and enter it in the TLS settings',
};
const CLIENT_CERTIFICATE_REFUSED: TlsFault = {
  code: 'invalidConfig',
  cause: 'it does not accept the client certificate',
  nextStep: 'Enter one in the TLS settings that is valid and signed by an authority which the server trusts',
};

/** Servers in Go say "bad certificate" for a missing one and for each that they dislike, those in Java "certificate unknown". */
const clientCertificate = (isGiven: boolean): TlsFault =>
  isGiven ? CLIENT_CERTIFICATE_REFUSED : CLIENT_CERTIFICATE_WANTED;

const unusable = (cause: string, nextStep: string): TlsFault => ({ code: 'invalidConfig', cause, nextStep });

/** `Host: a. is not in the cert's altnames: DNS:b, IP Address:10.0.0.1`, or `IP: 10.0.0.1 is not in the cert's list: `. */
function otherName(text: string): TlsFault {
  const [, asked, has] =
    /(?:Host|IP): (\S+?)\.? is not (?:in the cert's (?:altnames|list)|cert's CN): ?(.*?)\.?(?: Resolution note|$)/s.exec(
      text,
    ) ?? [];
  const names = has?.trim() ?? '';
  const isFor = names === '' || asked === undefined ? '' : ` (it is for ${names}, not for ${asked})`;
  const lacks = names === '' && asked !== undefined ? ` ${asked}` : ' the address';
  return {
    code: 'invalidConfig',
    cause: `its certificate does not name${lacks}${isFor}`,
    nextStep: 'Use an address that the certificate names, or enter a name that stands in it as server name',
  };
}

/**
 * grpc-js of a connection that was made, and reset while TLS was being agreed on: without TLS, and after it, it leaves out
 * the error's name. A server that knows no TLS either does this or ends the connection in order. (`EPIPE`: the same met while
 * writing; not seen yet.)
 */
export const RESET_IN_TLS = /Last error: Error: (?:read ECONNRESET|write EPIPE)/;
/** grpc-js of a connection that was ended, or reset, at its first words: without TLS, or behind it. */
export const ENDED_AT_ONCE = /Last error: (?:Failed to connect|read ECONNRESET)/;

/**
 * The connection was reset at the first word after the talk. With TLS 1.3 a server looks at the client's certificate when
 * the client has taken the talk for ended, and what the server says of it may be lost with the connection.
 */
export const resetAfterTls = (hasClientCertificate: boolean): TlsFault => ({
  code: 'unreachable',
  cause: hasClientCertificate
    ? 'it ended the connection once TLS was agreed on, as a server does that does not accept the client certificate'
    : 'it ended the connection once TLS was agreed on, as a server does that wants a client certificate',
  nextStep: 'Check that the server runs, and certificate and key of the client in the TLS settings',
});

type Rule = readonly [RegExp, TlsFault | ((text: string, hasClientCertificate: boolean) => TlsFault)];

/** Each matches the code or the text. The first that matches decides: what a server's alert says comes before ours. */
const RULES: readonly Rule[] = [
  [/CERTIFICATE_REQUIRED|alert certificate required/, CLIENT_CERTIFICATE_WANTED],
  [/ALERT_CERTIFICATE_EXPIRED|alert certificate expired/, CLIENT_CERTIFICATE_EXPIRED],
  [
    /ALERT_(BAD_CERTIFICATE|CERTIFICATE_UNKNOWN|UNSUPPORTED_CERTIFICATE|CERTIFICATE_REVOKED|UNKNOWN_CA|ACCESS_DENIED)/,
    (_, isGiven) => clientCertificate(isGiven),
  ],
  [
    /alert (bad certificate|certificate unknown|unsupported certificate|certificate revoked|unknown ca|access denied)/,
    (_, isGiven) => clientCertificate(isGiven),
  ],
  [/ALTNAME_INVALID|does not match certificate's altnames/, otherName],
  [/CERT_HAS_EXPIRED|certificate has expired/, EXPIRED],
  [/CERT_NOT_YET_VALID|certificate is not yet valid/, NOT_YET_VALID],
  [
    /UNABLE_TO_(VERIFY|GET_ISSUER)|SELF_SIGNED|unable to verify the first|unable to get (local )?issuer|self[- ]signed certificate|UNTRUSTED|INVALID_CA/,
    UNKNOWN_AUTHORITY,
  ],
  [/WRONG_VERSION_NUMBER|wrong version number|packet length too long|PACKET_LENGTH_TOO_LONG/, NO_TLS],
  [
    /PROTOCOL_VERSION|HANDSHAKE_FAILURE|UNSUPPORTED_PROTOCOL|NO_(SHARED_CIPHER|PROTOCOLS)|alert (protocol version|handshake failure)|unsupported protocol|dh key too small/i,
    NO_COMMON_WAY,
  ],
  [/(EE|CA)_(KEY_TOO_SMALL|MD_TOO_WEAK)|(ee|ca) (certificate )?(key|md) too (small|weak)/i, TOO_WEAK],
  [
    /KEY_VALUES_MISMATCH|key values mismatch/,
    unusable(
      'client certificate and key do not belong together',
      'Enter the key that the certificate was issued for in the TLS settings',
    ),
  ],
  [
    /must be given with accompanying/,
    unusable('of client certificate and key only one is given', 'Enter both in the TLS settings, or none'),
  ],
  [
    /PASSPHRASE|BAD_DECRYPT|bad decrypt|INTERRUPTED_OR_CANCELLED|interrupted or cancelled|bad password read/i,
    unusable('the key of the client is protected by a passphrase', 'Enter it without one in the TLS settings'),
  ],
  [
    /OSSL_(PEM|ASN1|X509|DECODER|WRONG_TAG|UNSUPPORTED)|PEM routines|asn1 encoding routines|DECODER routines|PEM_/,
    unusable(
      'a certificate or key in the TLS settings cannot be read',
      'Enter each as the PEM text that begins with "-----BEGIN"',
    ),
  ],
];

/**
 * @param text The error's message, with all around it that the client has put there.
 * @param code Node's code; '' where there is none.
 * @returns `undefined` for what speaks of no TLS, or of nothing that is known.
 */
export function findTlsFault(text: string, code: string, hasClientCertificate: boolean): TlsFault | undefined {
  for (const subject of [code, text]) {
    if (subject === '') continue;
    const fault = RULES.find(([pattern]) => pattern.test(subject))?.[1];
    if (fault === undefined) continue;
    const found = typeof fault === 'function' ? fault(text, hasClientCertificate) : fault;
    return code === '' ? found : { ...found, cause: `${found.cause} (${code})` };
  }
  return undefined;
}

/** The client's own certificate is there; the key alone is refused before anything is dialled. */
export const hasClientCertificate = (tls: { readonly cert?: string | undefined } | undefined): boolean =>
  tls?.cert !== undefined && tls.cert !== '';
