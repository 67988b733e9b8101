import { describe, expect, it } from 'vitest';
import { findTlsFault } from '../../../../electron/engine/errors/tls-faults.ts';

const NAME = "Hostname/IP does not match certificate's altnames: ";

interface Captured {
  readonly from: string;
  readonly text: string;
  readonly code?: string;
  readonly says: string;
  readonly isOurs: boolean;
}

// As Node 24 and grpc-js 1.14 gave them, against Kafka 3.9.1, nats-server 2.9.10, and the etcd and proxy of Milvus 2.3.5.
const captured: readonly Captured[] = [
  {
    from: 'gRPC',
    text: 'No connection established. Last error: Error: unable to verify the first certificate; if the root CA is installed locally, try running Node.js with --use-system-ca. Resolution note: ',
    says: 'its certificate is not signed by an authority that is trusted here',
    isOurs: true,
  },
  {
    from: 'Kafka',
    text: 'Connection error: self-signed certificate',
    code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    says: 'its certificate is not signed by an authority that is trusted here (DEPTH_ZERO_SELF_SIGNED_CERT)',
    isOurs: true,
  },
  {
    from: 'Kafka',
    text: 'Connection error: certificate has expired',
    code: 'CERT_HAS_EXPIRED',
    says: 'its certificate has expired (CERT_HAS_EXPIRED)',
    isOurs: false,
  },
  {
    from: 'gRPC',
    text: `No connection established. Last error: Error [ERR_TLS_CERT_ALTNAME_INVALID]: ${NAME}IP: 127.0.0.1 is not in the cert's list: . Resolution note: `,
    says: 'its certificate does not name 127.0.0.1',
    isOurs: true,
  },
  {
    from: 'gRPC',
    text: `No connection established. Last error: Error [ERR_TLS_CERT_ALTNAME_INVALID]: ${NAME}Host: wrong.example. is not in the cert's altnames: DNS:milvus.example. Resolution note: `,
    says: 'its certificate does not name the address (it is for DNS:milvus.example, not for wrong.example)',
    isOurs: true,
  },
  {
    from: 'gRPC',
    text: 'No connection established. Last error: Error: 404DE6BF2C7F0000:error:0A000412:SSL routines:ssl3_read_bytes:ssl/tls alert bad certificate:../deps/openssl/openssl/ssl/record/rec_layer_s3.c:918:SSL alert number 42\n. Resolution note: ',
    says: 'it wants a client certificate',
    isOurs: true,
  },
  {
    from: 'Kafka',
    text: 'Connection error: 40ED:error:0A000412:SSL routines:ssl3_read_bytes:ssl/tls alert bad certificate:rec_layer_s3.c:918:SSL alert number 42',
    code: 'ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE',
    says: 'it wants a client certificate (ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE)',
    isOurs: true,
  },
  {
    from: 'gRPC',
    text: 'No connection established. Last error: Error: 40ED70232E7F0000:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number:../deps/openssl/openssl/ssl/record/methods/tlsany_meth.c:77:\n. Resolution note: ',
    says: 'it does not speak TLS at this address',
    isOurs: false,
  },
];

describe('findTlsFault', () => {
  it.each(captured)('knows what $from means: $says', ({ text, code = '', says, isOurs }) => {
    const fault = findTlsFault(text, code, false);
    expect(fault).toMatchObject({ cause: says, code: isOurs ? 'invalidConfig' : 'unreachable' });
    expect(fault?.nextStep).toMatch(/^[A-Z].*[^.]$/);
  });

  it('takes an alert about the certificate for a refusal of the one that was given', () => {
    const alerts = ['bad certificate', 'certificate unknown', 'unknown ca'];
    for (const alert of alerts) {
      const text = `SSL routines:ssl3_read_bytes:ssl/tls alert ${alert}:rec_layer_s3.c:918`;
      expect(findTlsFault(text, '', true)?.cause).toBe('it does not accept the client certificate');
      expect(findTlsFault(text, '', false)?.cause).toBe('it wants a client certificate');
    }
  });

  it('leaves alone what has nothing to do with TLS', () => {
    for (const text of ['connect ECONNREFUSED 127.0.0.1:1', 'read ECONNRESET', 'Protocol error', '']) {
      expect(findTlsFault(text, '', false)).toBeUndefined();
    }
    expect(findTlsFault('connect ECONNREFUSED 127.0.0.1:1', 'ECONNREFUSED', true)).toBeUndefined();
  });
});
