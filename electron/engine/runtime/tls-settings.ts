/** A connection's TLS options as Node takes them, looked at before anything is dialled. */
import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { TlsOptions } from '../../../shared/model/connection.ts';
import { ReplicationError, type ErrorSide } from '../../../shared/model/replication-error.ts';
import { findTlsFault } from '../errors/tls-faults.ts';

export interface TlsSettings {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
}

/** Of a certificate as PEM has it, between texts that do not count. */
const PEM_CERTIFICATE =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;

/**
 * An empty text is none, as a form sends it. Without a CA certificate Node's own authorities count.
 *
 * @param whose Whose settings they are, as the beginning of a sentence: "The source's etcd".
 * @throws invalidConfig for certificates and keys that cannot be used. Node would take a CA without a certificate in it
 *     and find nothing signed by it later.
 */
export function tlsSettings(tls: TlsOptions, whose: string, side: ErrorSide): TlsSettings {
  const given = (text: string | undefined): text is string => text !== undefined && text.trim() !== '';
  const settings: TlsSettings = {
    ...(given(tls.ca) ? { ca: tls.ca } : {}),
    ...(given(tls.cert) ? { cert: tls.cert } : {}),
    ...(given(tls.key) ? { key: tls.key } : {}),
    ...(given(tls.serverName) ? { servername: tls.serverName.trim() } : {}),
  };
  const { ca, cert, key } = settings;
  const fail = (cause: string, nextStep: string, thrown?: unknown): ReplicationError =>
    new ReplicationError('invalidConfig', side, `${whose} cannot be dialled with TLS: ${cause}. ${nextStep}.`, {
      // Without a text of the settings in it.
      cause: thrown,
    });
  if ((cert === undefined) !== (key === undefined)) {
    throw fail('of client certificate and key only one is given', 'Enter both in the TLS settings, or none');
  }
  if (ca !== undefined && !areCertificates(ca)) {
    throw fail(
      'the CA certificate cannot be read',
      'Enter it in the TLS settings as the PEM text that begins with "-----BEGIN CERTIFICATE-----"',
    );
  }
  try {
    createSecureContext({ ca, cert, key });
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    const fault = findTlsFault(`${code ?? ''} ${message}`, '', cert !== undefined);
    throw fail(fault?.cause ?? message, fault?.nextStep ?? 'Check the certificates in the TLS settings', error);
  }
  return settings;
}

function areCertificates(text: string): boolean {
  const found = text.match(PEM_CERTIFICATE) ?? [];
  try {
    for (const pem of found) new X509Certificate(pem);
    return found.length > 0;
  } catch {
    return false;
  }
}
