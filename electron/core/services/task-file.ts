/** A protection as a file: which source, which target. It holds passwords, so it should be readable by its owner only. */
import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import { taskSpecSchema, type TaskSpec } from '../../engine/host/task-messages.ts';

const OTHERS_MAY_READ = 0o044;

export interface TaskFile {
  readonly spec: TaskSpec;
  /** Unix ms. */
  readonly modifiedAt: number;
  /** Worth telling the operator. */
  readonly warning?: string;
}

/** @throws invalidConfig: unreadable, no JSON, or a field that does not fit; the sentence names the field. */
export async function readTaskFile(file: string): Promise<TaskFile> {
  let text: string;
  let mode: number;
  let mtimeMs: number;
  try {
    [text, { mode, mtimeMs }] = await Promise.all([readFile(file, 'utf8'), stat(file)]);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw invalid(`The task file ${file} cannot be read: ${cause}. Check the path and its permissions.`, error);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's message quotes the text, which may hold a password.
    throw invalid(`The task file ${file} is not valid JSON. Correct it; the README shows a whole example.`);
  }
  const parsed = taskSpecSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const field = issue === undefined ? '' : z.core.toDotPath(issue.path);
    throw invalid(
      `The task file ${file} does not fit at "${field}": ${issue?.message ?? 'unknown'}. Correct that field.`,
    );
  }
  const isOpen = process.platform !== 'win32' && (mode & OTHERS_MAY_READ) !== 0;
  return {
    spec: parsed.data,
    modifiedAt: Math.round(mtimeMs),
    ...(isOpen ? { warning: `${file} holds passwords and others may read it: chmod 600 ${file}` } : {}),
  };
}

function invalid(message: string, cause?: unknown): ReplicationError {
  return new ReplicationError('invalidConfig', 'config', message, { cause });
}
