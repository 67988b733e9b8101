/** What the server said last, for the sentence that tells why it would not start. */
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Read from the end of each log: more than the stacks of a thousand goroutines, which follow a panic's reason. */
const TAIL_BYTES = 4 * 1024 * 1024;
const CAUSE_LENGTH_MAX = 300;

async function tailOf(file: string): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, TAIL_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** The ends of all logs that were written to since `sinceMs` (Unix milliseconds), one after the other. */
export async function recentLog(logDirectory: string, sinceMs: number): Promise<string> {
  const parts: string[] = [];
  for (const name of (await readdir(logDirectory)).filter((file) => file.endsWith('.log')).sort()) {
    const file = join(logDirectory, name);
    if ((await stat(file)).mtimeMs >= sinceMs) parts.push(await tailOf(file));
  }
  return parts.join('\n');
}

/**
 * The line that speaks of the failure, without its stack: the first that ended the server (others follow from it), else
 * the last error; `undefined` when there is none.
 */
export function causeInLog(log: string): string | undefined {
  const lines = log.split('\n');
  const line =
    lines.find((text) => /^panic:|\[FATAL\]|\[FTL\]|error while loading shared libraries/.test(text)) ??
    lines.findLast((text) => /\[ERROR\]|"level":"(?:error|fatal)"/.test(text));
  if (line === undefined) return undefined;
  // A Milvus line is [time] [LEVEL] [file:line] ["message"] [key=value]... and ends in a stack.
  const plain = line.replace(/^\[[^\]]*\] \[[A-Z]+\] \[[^\]]*\] /, '').replace(/ ?\[(?:stack|errorVerbose)=.*$/, '');
  return plain.length > CAUSE_LENGTH_MAX ? `${plain.slice(0, CAUSE_LENGTH_MAX)}…` : plain;
}

export const isPortTaken = (log: string): boolean => log.includes('address already in use');
