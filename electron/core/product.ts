/** Where the program lies and which version it is. Run from its sources or built, it stands below the same folder. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Product {
  readonly version: string;
  /** The built window; it may be missing. */
  readonly windowDirectory: string;
}

/** Reads two small files each time it is called. */
export function readProduct(): Product {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'package.json')) && dirname(directory) !== directory)
    directory = dirname(directory);
  const { version } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as { version: string };
  return { version, windowDirectory: join(directory, 'out', 'renderer') };
}
