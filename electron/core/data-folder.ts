/** The one folder that holds what Lifeline keeps: the store, its key, the task files, a kept lab. */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import envPaths from 'env-paths';
import { STORE_FILE } from '../../shared/contract/desktop.ts';

export interface DataFolder {
  readonly directory: string;
  /** SQLite: connections, protections, checkpoints and what was decided. */
  readonly storeFile: string;
  /** Task files, one per protection, that `serve` takes up. */
  readonly tasksDirectory: string;
}

/** `LIFELINE_DATA_DIR`, or the platform's place for an application's data. Made when missing, for its owner only. */
export function openDataFolder(chosen: string | undefined = process.env['LIFELINE_DATA_DIR']): DataFolder {
  const directory = chosen === undefined || chosen === '' ? envPaths('lifeline', { suffix: '' }).data : resolve(chosen);
  const tasksDirectory = join(directory, 'tasks');
  mkdirSync(tasksDirectory, { recursive: true, mode: 0o700 });
  return { directory, storeFile: join(directory, STORE_FILE), tasksDirectory };
}
