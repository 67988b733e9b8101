/**
 * The lab's Kafka: found in the cache folder, or fetched into it once with Maven, which checks each file; read-only and
 * shared by all labs. A folder under its final name is always whole, since it is moved there when it is.
 */
import { mkdir, mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import { cacheDirectory } from './cache-directory.ts';
import { requireJava, runCommand } from './kafka-java.ts';
import { identify, procTable } from './process-identity.ts';
import type { OnLabProgress } from './progress.ts';
import { removeAbandonedWork, WORK_OWNER_FILE, WORK_PREFIX } from './server-package.ts';

export const KAFKA_VERSION = '3.9.1';
const FOLDER = `kafka-${KAFKA_VERSION}`;
const MANIFEST_FILE = 'manifest.json';
const POM_FILE = 'pom.xml';
/** What Maven fetches on a machine that never ran it, its own parts included; less where it has been used. */
const DOWNLOAD_BYTES = 65_000_000;
/** A server that gives nothing for this long is given up, by either of Maven's transports. */
const MAVEN_TIMEOUT_MS = 20_000;
const MAVEN_OPTIONS = [
  '--batch-mode',
  '--strict-checksums',
  `-Dmaven.wagon.rto=${MAVEN_TIMEOUT_MS}`,
  `-Daether.connector.connectTimeout=${MAVEN_TIMEOUT_MS}`,
  `-Daether.connector.requestTimeout=${MAVEN_TIMEOUT_MS}`,
];
const COPY_GOAL = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';

/** Kafka, and of its logging only what writes to the console. */
const POM = `<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>lifeline</groupId>
  <artifactId>lab-kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>${KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
`;

export interface KafkaPackageOptions {
  /** Defaults to `cacheDirectory()`. */
  readonly cache?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnLabProgress | undefined;
}

export interface KafkaPackage {
  /** For Java's `-cp`. */
  readonly classPath: string;
  /** Java's command. */
  readonly java: string;
}

/**
 * Errors: `prerequisiteMissing` (Java; Maven, when Kafka must be fetched), `downloadFailed`. May run in two processes at once; a crash
 * leaves a work folder, which a later call removes.
 */
export async function ensureKafkaPackage(options: KafkaPackageOptions = {}): Promise<KafkaPackage> {
  const cache = join(options.cache ?? cacheDirectory(), 'kafka');
  const directory = join(cache, FOLDER);
  const isThere = await isWhole(directory);
  const java = await requireJava({ maven: !isThere }, options.signal);
  if (!isThere) await fetchInto(cache, directory, options);
  return { classPath: join(directory, '*'), java };
}

async function fetchInto(cache: string, directory: string, options: KafkaPackageOptions): Promise<void> {
  await mkdir(cache, { recursive: true });
  await removeAbandonedWork(cache);
  const work = await mkdtemp(join(cache, WORK_PREFIX));
  try {
    await writeFile(join(work, WORK_OWNER_FILE), JSON.stringify(await identify(procTable, process.pid)));
    const fetched = join(work, FOLDER);
    await runMaven(work, fetched, options);
    const manifest: Record<string, number> = {};
    for (const name of await readdir(fetched)) manifest[name] = (await stat(join(fetched, name))).size;
    await writeFile(join(fetched, MANIFEST_FILE), JSON.stringify(manifest, undefined, 2));
    if (!(await isWhole(fetched))) throw failed('it was told to fetch nothing.', undefined);
    // Another process may have been faster, or the copy there is damaged.
    if (!(await isWhole(directory))) {
      await rename(directory, join(work, 'damaged')).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      });
      await rename(fetched, directory);
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function runMaven(work: string, target: string, { signal, onProgress }: KafkaPackageOptions): Promise<void> {
  const pom = join(work, POM_FILE);
  await writeFile(pom, POM);
  const message = `Fetching the lab's Kafka ${KAFKA_VERSION} with Maven (46 MB)`;
  onProgress?.({ step: 'download', message, fraction: 0 });
  let bytes = 0;
  const onLine = (line: string): void => {
    const size = downloadedBytes(line);
    if (size === 0) return;
    bytes += size;
    onProgress?.({ step: 'download', message, fraction: Math.min(0.99, bytes / DOWNLOAD_BYTES) });
  };
  const args = [...MAVEN_OPTIONS, '--file', pom, COPY_GOAL, '-DincludeScope=runtime', `-DoutputDirectory=${target}`];
  const { exitCode, output } = await runCommand('mvn', args, { signal, onLine });
  if (exitCode !== 0) throw failed(causeInMaven(output), new Error(output));
  onProgress?.({ step: 'download', message, fraction: 1 });
}

const failed = (why: string, cause: unknown): ReplicationError =>
  new ReplicationError(
    'downloadFailed',
    'lab',
    `The lab's Kafka could not be fetched with Maven: ${why} Check the network and Maven's settings, then try again.`,
    { cause },
  );

const UNITS: Readonly<Record<string, number>> = { B: 1, kB: 1e3, MB: 1e6 };

/** Of a line such as `Downloaded from central: https://… (208 kB at 7.7 MB/s)`; 0 for any other. */
export function downloadedBytes(line: string): number {
  const [, size, unit] = /Downloaded from .* \(([\d.]+) ([kM]?B)(?: at .*)?\)$/.exec(line) ?? [];
  return size === undefined || unit === undefined ? 0 : Number(size) * (UNITS[unit] ?? 0);
}

/** Maven's first error, as a sentence, without the addresses of what it could not fetch. */
export function causeInMaven(output: string): string {
  const line = output.split('\n').find((candidate) => candidate.startsWith('[ERROR]')) ?? 'it did not say why';
  const plain = line
    .replace(/^\[ERROR\] /, '')
    .replace(/ -> \[Help \d+\]$/, '')
    .replaceAll(/\/\/[^/\s@]+@/g, '//')
    .trim();
  return /[.!?]$/.test(plain) ? plain : `${plain}.`;
}

async function isWhole(directory: string): Promise<boolean> {
  try {
    const manifest = JSON.parse(await readFile(join(directory, MANIFEST_FILE), 'utf8')) as Record<string, number>;
    const sizes = Object.entries(manifest).map(
      async ([name, bytes]) => (await stat(join(directory, name))).size === bytes,
    );
    return sizes.length > 0 && (await Promise.all(sizes)).every(Boolean);
  } catch {
    // Not there, or tampered with so far that it cannot be read: fetch anew.
    return false;
  }
}
