import envPaths from 'env-paths';
import { resolve } from 'node:path';

/**
 * Where downloads are kept between runs: `LIFELINE_CACHE_DIR` when it is set, else the user's cache folder as the
 * platform defines it. The folder need not exist yet.
 */
export function cacheDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const chosen = env['LIFELINE_CACHE_DIR'];
  return chosen === undefined || chosen === '' ? envPaths('lifeline', { suffix: '' }).cache : resolve(chosen);
}
