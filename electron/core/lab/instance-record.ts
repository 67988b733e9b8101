/** What an instance keeps about itself between runs: written once, readable by its owner only, since it holds the password. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import { PORT_NAMES, type InstancePorts } from './instance-config.ts';
import { freePorts } from './ports.ts';

export const RECORD_FILE = 'instance.json';

const recordSchema = z.strictObject({
  version: z.literal(1),
  clusterName: z.string().min(1),
  /** Tells this instance's files and processes from those of any other Milvus on the machine. */
  alias: z.string().regex(/^lifeline-[0-9a-f]+$/),
  password: z.string().min(1),
  /** What keeps its log; the data cannot be moved from one to the other. */
  wal: z.enum(['nats', 'kafka']).default('nats'),
  ports: z.record(z.enum(PORT_NAMES), z.int().min(1).max(65_535)),
});

export type InstanceRecord = z.infer<typeof recordSchema>;
export type LabWal = InstanceRecord['wal'];

/** `undefined` when there is none yet; `labFailed` when it cannot be understood. */
export async function readRecord(directory: string): Promise<InstanceRecord | undefined> {
  const file = join(directory, RECORD_FILE);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new ReplicationError(
      'labFailed',
      'lab',
      `The lab's file ${file} is damaged or from another version of Lifeline. Remove the lab and make a new one.`,
      { cause: error },
    );
  }
}

export async function newRecord(clusterName: string, wal: LabWal): Promise<InstanceRecord> {
  return {
    version: 1,
    clusterName,
    alias: `lifeline-${randomBytes(6).toString('hex')}`,
    // 24 characters of base64url: within Milvus' limits for a password (6 to 256), and beyond guessing.
    password: randomBytes(18).toString('base64url'),
    wal,
    ports: await newPorts(),
  };
}

export async function newPorts(): Promise<InstancePorts> {
  const ports = await freePorts(PORT_NAMES.length);
  return Object.fromEntries(PORT_NAMES.map((name, index) => [name, ports[index]])) as unknown as InstancePorts;
}

/** Whole or not at all: moved onto its name when it is written. */
export async function writeRecord(directory: string, record: InstanceRecord): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, RECORD_FILE);
  await writeFile(`${file}.new`, `${JSON.stringify(record, undefined, 2)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
}
