/** Debian's Chromium, or the reason why this machine has none: then a suite is skipped and says so. */
import { existsSync } from 'node:fs';
import { installDebianPackages } from './system-packages.ts';

/** Without the background flags Chromium looks for its maker's hosts at every start. */
export const CHROMIUM_ARGS = [
  ...['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  ...['--disable-component-update', '--disable-sync', ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])],
];

export type BrowserReady = { readonly program: string; readonly missing?: undefined } | { readonly missing: string };

export async function readyBrowser(): Promise<BrowserReady> {
  const program = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
  if (existsSync(program)) return { program };
  try {
    await installDebianPackages(['chromium']);
    return { program };
  } catch (error) {
    return { missing: (error as Error).message };
  }
}
