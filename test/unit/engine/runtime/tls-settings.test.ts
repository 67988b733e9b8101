import { describe, expect, it } from 'vitest';
import { tlsSettings } from '../../../../electron/engine/runtime/tls-settings.ts';
import type { TlsOptions } from '../../../../shared/model/connection.ts';

const CERTIFICATE = `-----BEGIN CERTIFICATE-----
nothing that could be read
-----END CERTIFICATE-----
`;
const KEY = '-----BEGIN PRIVATE KEY-----\nnothing that could be read\n-----END PRIVATE KEY-----\n';

const settingsOf = (tls: TlsOptions) => tlsSettings(tls, 'The target at 10.0.0.7:19530', 'target');

describe('the TLS settings of a connection', () => {
  it('are none where the texts are empty', () => {
    expect(settingsOf({})).toEqual({});
    expect(settingsOf({ ca: '', cert: ' ', key: '\n', serverName: '' })).toEqual({});
    expect(settingsOf({ serverName: ' milvus.example ' })).toEqual({ servername: 'milvus.example' });
  });

  it.each([
    ['a path instead of a CA certificate', { ca: '/etc/ssl/ca.pem' }, 'CA certificate cannot be read'],
    ['a key instead of a CA certificate', { ca: KEY }, 'CA certificate cannot be read'],
    ['a damaged CA certificate', { ca: CERTIFICATE }, 'CA certificate cannot be read'],
    ['a certificate without its key', { cert: CERTIFICATE }, 'only one is given'],
    ['a key without its certificate', { key: KEY }, 'only one is given'],
    ['texts that are no certificate', { cert: 'cert.pem', key: 'key.pem' }, 'cannot be read'],
    ['a damaged key', { cert: CERTIFICATE, key: KEY }, 'cannot be read'],
  ])('are refused before anything is dialled: %s', (_, tls, says) => {
    const act = (): unknown => settingsOf(tls);
    expect(act).toThrow(expect.objectContaining({ name: 'ReplicationError', code: 'invalidConfig', side: 'target' }));
    expect(act).toThrow(
      new RegExp(`^The target at 10\\.0\\.0\\.7:19530 cannot be dialled with TLS: .*${says}.*\\. Enter .*\\.$`),
    );
    expect(act).not.toThrow(/nothing that could be read/);
  });
});
