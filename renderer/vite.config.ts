/** How the window is built. `electron.vite.config.ts` takes this as its renderer part; Vite alone can run it as well. */
import { fileURLToPath } from 'node:url';
import vue from '@vitejs/plugin-vue';
import type { UserConfig } from 'vite';

const folder = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The oldest window that must show it: Electron 9 with Chrome 83. */
const OLDEST_BROWSER = 'chrome83';

/** Element Plus and Vue come to about 600 kB in one file, read from disk or over loopback. */
const CHUNK_SIZE_WARNING_KB = 1200;

export const rendererConfig: UserConfig = {
  root: folder('.'),
  // Relative addresses: the same files are read from disk and over HTTP.
  base: './',
  plugins: [vue()],
  define: {
    __VUE_OPTIONS_API__: 'true', // Element Plus has components of that kind.
    __VUE_PROD_DEVTOOLS__: 'false',
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false',
    __VUE_I18N_FULL_INSTALL__: 'false',
    __VUE_I18N_LEGACY_API__: 'false',
    __INTLIFY_PROD_DEVTOOLS__: 'false',
    // Texts are compiled to data and interpreted: the window's policy forbids code made from strings.
    __INTLIFY_JIT_COMPILATION__: 'true',
    __INTLIFY_DROP_MESSAGE_COMPILER__: 'false',
  },
  build: {
    outDir: folder('../out/renderer'),
    emptyOutDir: true,
    target: OLDEST_BROWSER,
    cssTarget: OLDEST_BROWSER,
    // Data URLs would need an exception in the window's policy.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: CHUNK_SIZE_WARNING_KB,
    rolldownOptions: { input: folder('./index.html') },
  },
};

export default rendererConfig;
