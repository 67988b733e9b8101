/** The port of a data folder: the same at every start, so that a bookmark stays good; another when it is taken. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts, isPortFree } from '../lab/ports.ts';

const PORT_FILE = 'port';
const PORT_MAX = 65_535;

/** `undefined`: never served yet. */
export function rememberedPort(directory: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(join(directory, PORT_FILE), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const port = Number(text);
  return Number.isInteger(port) && port > 0 && port <= PORT_MAX ? port : undefined;
}

export function rememberPort(directory: string, port: number): void {
  writeFileSync(join(directory, PORT_FILE), `${port}\n`, { mode: 0o600 });
}

/** The remembered port where it is free, else any free one. */
export async function choosePort(directory: string): Promise<number> {
  const before = rememberedPort(directory);
  if (before !== undefined && (await isPortFree(before))) return before;
  const [port] = await freePorts(1);
  // freePorts gives as many as were asked for, or throws.
  return port ?? 0;
}
