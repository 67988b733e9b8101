/** A real Electron and a screen for it, or the reason why this machine has none: then a suite is skipped and says so. */
import { ensureOldElectron } from './electron-binary.ts';
import { startDisplay, type Display } from '../../electron/core/bench/virtual-display.ts';
import { installDebianPackages, isRunnable } from './system-packages.ts';

const LIBRARIES = [
  ...['xvfb', 'xauth', 'libgtk-3-0', 'libnss3', 'libasound2', 'libgbm1', 'libxss1', 'libxtst6', 'libxcomposite1'],
  ...['libxdamage1', 'libxrandr2', 'libcups2', 'libatk-bridge2.0-0', 'libdrm2', 'libxcb-dri3-0', 'libx11-xcb1'],
];

export type ElectronReady =
  { readonly program: string; readonly display: Display; readonly missing?: undefined } | { readonly missing: string };

/** The caller ends the display. */
export async function readyElectron(): Promise<ElectronReady> {
  try {
    const program = await ensureOldElectron();
    // As plain Node it loads all its libraries and needs no screen.
    const loads = await isRunnable(program, ['-p', '1'], { ELECTRON_RUN_AS_NODE: '1' });
    if (!loads || !(await isRunnable('Xvfb', ['-help']))) await installDebianPackages(LIBRARIES);
    return { program, display: await startDisplay() };
  } catch (error) {
    return { missing: (error as Error).message };
  }
}
