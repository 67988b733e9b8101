/** Imports, from etcd's keys and values: pure, as `assemble.ts`. */
import { asCollectionId } from '../../../../shared/model/ids.ts';
import { malformed, read, type KeyedValue } from './assemble.ts';
import type { CatalogImport } from './catalog.ts';
import {
  IMPORT_JOB_COMPLETED,
  IMPORT_TASK_COMPLETED,
  isTombstone,
  readImportJob,
  readImportTaskInfo,
} from './etcd-messages.ts';

/** `importtask/<id>` of 2.3, `datacoord-meta/import-job/<id>` of 2.4 and newer. */
export function assembleImports(tasks: readonly KeyedValue[], jobs: readonly KeyedValue[]): CatalogImport[] {
  const isThere = ({ value }: KeyedValue): boolean => !isTombstone(value);
  return [...tasks.filter(isThere).map(ofTask), ...jobs.filter(isThere).map(ofJob)];
}

function ofTask(entry: KeyedValue): CatalogImport {
  const { id, collectionId, files, state, partitionName } = read(entry, readImportTaskInfo);
  if (id === 0n) throw malformed(entry.key);
  return {
    id,
    collectionId: asCollectionId(collectionId),
    isCompleted: state?.code === IMPORT_TASK_COMPLETED,
    fileCount: files.length,
    rowCount: state?.rowCount ?? 0n,
    partition: partitionName === '' ? undefined : partitionName,
    segments: state?.segments ?? [],
  };
}

function ofJob(entry: KeyedValue): CatalogImport {
  const { id, collectionId, state, files } = read(entry, readImportJob);
  if (id === 0n) throw malformed(entry.key);
  return {
    id,
    collectionId: asCollectionId(collectionId),
    isCompleted: state === IMPORT_JOB_COMPLETED,
    fileCount: files.reduce((sum, { paths }) => sum + paths.length, 0),
    rowCount: undefined,
    partition: undefined,
    segments: [],
  };
}
