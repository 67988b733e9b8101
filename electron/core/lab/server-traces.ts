/**
 * The small files that a Milvus server leaves outside its own directory, whatever it is told: a pid file under
 * /run/milvus (or /tmp/milvus, where it may not write there) and its server ids under /tmp/milvus
 * (cmd/milvus/util.go, internal/util/sessionutil). Only those of our own servers are removed; their pid files are told
 * apart by the alias that we start them with.
 */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const RUNTIME_DIRECTORIES = ['/run/milvus', '/tmp/milvus'];

/** Call when the server has ended. Absent files are fine. Synchronous, because it also serves a process's last moment. */
export function removeServerTraces(alias: string): void {
  for (const directory of RUNTIME_DIRECTORIES) {
    const pidFile = join(directory, `standalone-${alias}.pid`);
    let pid: string;
    try {
      pid = readFileSync(pidFile, 'utf8').trim();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
      throw error;
    }
    if (/^\d+$/.test(pid)) rmSync(join('/tmp/milvus', `server_id_${pid}`), { force: true });
    rmSync(pidFile, { force: true });
  }
}
