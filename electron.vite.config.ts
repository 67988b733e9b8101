/** The three bundles of the desktop program. Entries are named outright: the tool's defaults expect another layout. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'electron-vite';
import type { UserConfig } from 'vite';
import { rendererConfig } from './renderer/vite.config.ts';

/**
 * The oldest Electron that the shell must load in is 9.4, with Node 12.14. Lower than that, because the bundler takes
 * private methods for granted from 12 on; they came with 14.6.
 */
const OLDEST_NODE = 'node10';

const folder = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** One CommonJS file with everything in it: no packages lie beside a packaged program, and a sandboxed preload has none. */
const bundle = (name: string, entry: string, outDir: string): UserConfig & { build: { externalizeDeps: false } } => ({
  build: {
    outDir: folder(outDir),
    emptyOutDir: true,
    target: OLDEST_NODE,
    externalizeDeps: false,
    rolldownOptions: {
      input: { [name]: folder(entry) },
      output: {
        format: 'cjs',
        // The package is of type `module`: a CommonJS file must say what it is.
        entryFileNames: '[name].cjs',
        codeSplitting: false,
        // Node 12 knows its own modules by their plain names only.
        paths: (id: string) => id.replace(/^node:/, ''),
      },
    },
  },
});

export default defineConfig({
  main: bundle('main', './electron/shell/main.ts', './out/shell'),
  preload: bundle('preload', './electron/preload/preload.ts', './out/preload'),
  renderer: rendererConfig,
});
