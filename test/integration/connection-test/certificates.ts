/** Certificates as an operator has them, made anew for each run with the system's openssl. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const exec = promisify(execFile);
/** Longer than any run. */
const VALID_DAYS = 2;

export interface KeyPair {
  /** PEM texts; the key in PKCS #8, which is the form that all servers here read. */
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
  readonly keyFile: string;
}

export interface CertificateWish {
  readonly commonName: string;
  /** As openssl writes them, such as `DNS:localhost` and `IP:127.0.0.1`. */
  readonly names?: readonly string[];
  /** Its end lies a day back. */
  readonly isExpired?: boolean;
}

export class CertificateAuthority {
  readonly directory: string;
  readonly #pair: KeyPair;
  #issued = 0;

  private constructor(directory: string, pair: KeyPair) {
    this.directory = directory;
    this.#pair = pair;
  }

  /** The caller removes it. */
  static async make(commonName: string): Promise<CertificateAuthority> {
    const directory = await mkdtemp(join(tmpdir(), 'lifeline-certificates-'));
    const [certFile, keyFile] = [join(directory, 'ca.pem'), join(directory, 'ca-key.pem')];
    await exec('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', `${VALID_DAYS}`],
      ...['-subj', `/CN=${commonName}`, '-keyout', keyFile, '-out', certFile],
    ]);
    return new CertificateAuthority(directory, await readPair(certFile, keyFile));
  }

  get cert(): string {
    return this.#pair.cert;
  }

  get certFile(): string {
    return this.#pair.certFile;
  }

  async issue({ commonName, names = [], isExpired = false }: CertificateWish): Promise<KeyPair> {
    this.#issued += 1;
    const file = (kind: string): string => join(this.directory, `${this.#issued}-${kind}.pem`);
    const [keyFile, requestFile, certFile, extensions] = [
      file('key'),
      file('request'),
      file('cert'),
      file('extensions'),
    ];
    await exec('openssl', [
      ...['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-subj', `/CN=${commonName}`, '-keyout', keyFile, '-out', requestFile],
    ]);
    const lines = ['extendedKeyUsage=serverAuth,clientAuth'];
    if (names.length > 0) lines.push(`subjectAltName=${names.join(',')}`);
    await writeFile(extensions, `${lines.join('\n')}\n`);
    await exec('openssl', [
      ...['x509', '-req', '-in', requestFile, '-CA', this.#pair.certFile, '-CAkey', this.#pair.keyFile],
      ...['-CAcreateserial', '-days', `${isExpired ? -1 : VALID_DAYS}`, '-extfile', extensions, '-out', certFile],
    ]);
    return readPair(certFile, keyFile);
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}

async function readPair(certFile: string, keyFile: string): Promise<KeyPair> {
  const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
  return { cert, key, certFile, keyFile };
}
