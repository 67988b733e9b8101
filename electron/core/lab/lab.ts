/**
 * The embedded lab: a real source and a real target Milvus on this machine, each a full cluster with a log and a catalog
 * that can be read, so that every drill can be turned round.
 *
 * A throwaway lab lives in the folder for temporary files and goes with the process that made it: on `stop`, else when
 * the process exits, else at the next start of any lab. A kept lab lives where it was told to, and is taken up again.
 */
import { mkdir, mkdtemp, readdir, realpath, rm, rmdir } from 'node:fs/promises';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { SourceConnection, TargetConnection } from '../../../shared/model/connection.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { MilvusSettings } from './instance-config.ts';
import { readRecord, type LabWal } from './instance-record.ts';
import { KAFKA_FOLDER, KafkaInstance, readKafkaRecord } from './kafka-instance.ts';
import { ensureKafkaPackage } from './kafka-package.ts';
import {
  OWNER_FILE,
  SIDE_NAMES,
  THROWAWAY_PREFIX,
  deleteInstances,
  readOwner,
  removeLeftovers,
  takeOver,
  writeOwner,
} from './lab-owner.ts';
import { MilvusInstance } from './milvus-instance.ts';
import { procTable } from './process-identity.ts';
import type { OnLabProgress } from './progress.ts';
import { ensureServerPackage } from './server-package.ts';

export type SideName = (typeof SIDE_NAMES)[number];

export interface LabOptions {
  readonly purpose: 'throwaway' | 'kept';
  /** Where a kept lab lives; required for it, and made if need be. Ignored for a throwaway one. */
  readonly directory?: string | undefined;
  /**
   * What keeps the logs of both sides: the NATS inside each Milvus, or one real Kafka beside them (which needs Java). A
   * kept lab goes on with what it was made with, where this says nothing; NATS otherwise.
   */
  readonly wal?: LabWal | undefined;
  /** A Milvus wheel given by hand; see `ServerPackageOptions`. */
  readonly wheelFile?: string | undefined;
  /** Laid over the settings of one side's Milvus, by their dotted names. */
  readonly settings?: Readonly<Partial<Record<SideName, MilvusSettings>>> | undefined;
  /** Ends the start; what was begun is stopped, and a throwaway lab is removed. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnLabProgress | undefined;
}

export interface LabSide {
  readonly name: SideName;
  /** To kill it, or to stop and start it again, in the middle of a drill. Its ports stay the same. */
  readonly instance: MilvusInstance;
  readonly asSource: SourceConnection;
  /** Holds the password. */
  readonly asTarget: TargetConnection;
}

export interface Lab extends AsyncDisposable {
  readonly directory: string;
  readonly source: LabSide;
  readonly target: LabSide;
  /** The Kafka that keeps both logs, to kill it or to stop and start it again; `undefined` in a lab on NATS. */
  readonly kafka: KafkaInstance | undefined;
  /** Stops all servers in order; a throwaway lab's folder is deleted. May be called twice. */
  stop(): Promise<void>;
  /** `stop`, and deletes the data of a kept lab too. Only what the lab made is deleted. */
  remove(): Promise<void>;
}

/**
 * Resolves when all servers answer. Errors besides those of `ensureServerPackage` and `ensureKafkaPackage`: `labFailed`,
 * `invalidConfig` for a kept lab without a directory or with another log than it was made with. After an error nothing of a new lab is left running.
 */
export async function startLab(options: LabOptions): Promise<Lab> {
  const { signal, onProgress } = options;
  // First, so that a machine that cannot run the server learns nothing but that.
  const server = await ensureServerPackage({ wheelFile: options.wheelFile, signal, onProgress });
  const isKept = options.purpose === 'kept';
  const wal = (isKept ? await walOfKept(options) : undefined) ?? options.wal ?? 'nats';
  const kafkaPackage = wal === 'kafka' ? await ensureKafkaPackage({ signal, onProgress }) : undefined;
  await cleanUp(onProgress);
  const directory = options.purpose === 'throwaway' ? await makeThrowaway() : await openKept(options.directory);
  const isThrowaway = options.purpose === 'throwaway';

  let instances: readonly MilvusInstance[] = [];
  let kafka: KafkaInstance | undefined;
  const killAtExit = (): void => {
    for (const instance of instances) instance.killSync();
    kafka?.killSync();
    // Files may still be written by the dying servers; then the next start removes the rest.
    if (isThrowaway) rmSync(directory, { recursive: true, force: true });
  };
  if (isThrowaway) process.once('exit', killAtExit);

  const stop = async (): Promise<void> => {
    // A Milvus whose log is gone does not end in order, so the log goes last, but go it does.
    await settleAll(instances.map((instance) => instance.stop())).finally(() => kafka?.stop());
    if (isThrowaway) {
      await deleteInstances(directory);
      await rm(directory, { recursive: true, force: true, maxRetries: 5 });
      process.off('exit', killAtExit);
    } else {
      await rm(join(directory, OWNER_FILE), { force: true });
    }
  };
  const remove = async (): Promise<void> => {
    await stop();
    if (isThrowaway) return;
    await deleteInstances(directory);
    // Only an empty folder goes; whatever else somebody put there stays.
    if ((await readdir(directory)).length === 0) await rmdir(directory);
  };

  try {
    if (kafkaPackage !== undefined) {
      kafka = await KafkaInstance.open({
        directory: join(directory, KAFKA_FOLDER),
        server: kafkaPackage,
        isDurable: !isThrowaway,
      });
      await startKafka(kafka, signal, onProgress);
    }
    const [source, target] = await Promise.all(
      SIDE_NAMES.map((name) =>
        MilvusInstance.open({
          directory: join(directory, name),
          server,
          label: name,
          clusterName: `lab-${name}`,
          isDurable: !isThrowaway,
          kafka,
          settings: options.settings?.[name],
        }),
      ),
    );
    if (source === undefined || target === undefined) throw new ReplicationError('bug', 'lab', 'A lab has two sides.');
    instances = [source, target];
    await startBoth(instances, signal, onProgress);
    return {
      directory,
      source: sideOf('source', source),
      target: sideOf('target', target),
      kafka,
      stop,
      remove,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

const sideOf = (name: SideName, instance: MilvusInstance): LabSide => ({
  name,
  instance,
  get asSource() {
    return instance.asSource;
  },
  get asTarget() {
    return instance.asTarget;
  },
});

async function startKafka(
  kafka: KafkaInstance,
  signal: AbortSignal | undefined,
  onProgress: OnLabProgress | undefined,
): Promise<void> {
  onProgress?.({ step: 'start', message: 'Starting the Kafka of the lab' });
  await kafka.start(signal);
}

/** Both at once. When one fails the other's start is ended too, so that the failure is told at once. */
async function startBoth(
  instances: readonly MilvusInstance[],
  signal: AbortSignal | undefined,
  onProgress: OnLabProgress | undefined,
): Promise<void> {
  const message = 'Starting the two Milvus servers of the lab';
  onProgress?.({ step: 'start', message, fraction: 0 });
  const failed = new AbortController();
  const either = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  let up = 0;
  let first: { readonly error: unknown } | undefined;
  await Promise.all(
    instances.map(async (instance) => {
      try {
        await instance.start(either);
        up += 1;
        onProgress?.({
          step: 'start',
          message: `The lab's ${instance.label} Milvus is up`,
          fraction: up / instances.length,
        });
      } catch (error) {
        first ??= { error };
        failed.abort();
      }
    }),
  );
  signal?.throwIfAborted();
  if (first !== undefined) throw first.error;
}

/** Waits for all before it throws the first failure. */
async function settleAll(work: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason;
}

async function cleanUp(onProgress: OnLabProgress | undefined): Promise<void> {
  const removed = await removeLeftovers(procTable, await realpath(tmpdir()));
  if (removed.length === 0) return;
  onProgress?.({
    step: 'clean',
    message: `Removed what ${removed.length} ended lab${removed.length === 1 ? '' : 's'} left behind`,
  });
}

async function makeThrowaway(): Promise<string> {
  const directory = await mkdtemp(join(await realpath(tmpdir()), THROWAWAY_PREFIX));
  await writeOwner(procTable, directory, 'throwaway');
  return directory;
}

/** What the kept lab was made with, `undefined` for a new one. */
async function walOfKept({ directory, wal }: LabOptions): Promise<LabWal | undefined> {
  if (directory === undefined || directory === '') return undefined;
  const made = (await readRecord(join(directory, SIDE_NAMES[0])))?.wal;
  if (made === undefined || wal === undefined || made === wal) return made;
  throw new ReplicationError(
    'invalidConfig',
    'lab',
    `The lab in ${directory} keeps its logs in ${WAL_NAMES[made]}, which cannot be changed to ${WAL_NAMES[wal]}. Name another folder, or remove the lab first.`,
  );
}

const WAL_NAMES: Readonly<Record<LabWal, string>> = { nats: 'NATS', kafka: 'Kafka' };

async function openKept(chosen: string | undefined): Promise<string> {
  if (chosen === undefined || chosen === '') {
    throw new ReplicationError('invalidConfig', 'lab', 'A lab that is kept needs a folder to live in. Name one.');
  }
  await mkdir(resolve(chosen), { recursive: true, mode: 0o700 });
  const directory = await realpath(chosen);
  if ((await readOwner(directory)) === undefined) {
    for (const name of await readdir(directory)) {
      const path = join(directory, name);
      const isKafka = name === KAFKA_FOLDER;
      if (!isKafka && !SIDE_NAMES.some((side) => side === name)) continue;
      if ((await (isKafka ? readKafkaRecord(path) : readRecord(path))) !== undefined) continue;
      throw new ReplicationError(
        'invalidConfig',
        'lab',
        `The folder ${directory} holds something named ${name} that no lab made. Name another folder for the lab.`,
      );
    }
  }
  await takeOver(procTable, directory);
  return directory;
}
