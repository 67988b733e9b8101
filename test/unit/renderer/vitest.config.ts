/** The window's tests: components are compiled, and there is a document. A project of the root configuration. */
import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [vue()],
  test: {
    name: 'window',
    root: import.meta.dirname,
    include: ['**/*.test.ts'],
    environment: 'happy-dom',
    // A whole page is mounted in a fraction of a second, on a busy machine in several.
    testTimeout: 20_000,
    server: { deps: { inline: ['element-plus'] } },
    sequence: { groupOrder: 0 },
  },
});
