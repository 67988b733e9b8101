import { defineConfig } from 'vitest/config';

/** Real servers share two cores: suites that start them run one after the other. */
const LAB_SUITES = ['test/integration/**/*.test.ts', 'test/contract/**/*.test.ts'];

export default defineConfig({
  test: {
    projects: [
      'test/unit/renderer/vitest.config.ts',
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/golden/**/*.test.ts', 'test/sim/**/*.test.ts'],
          exclude: ['test/unit/renderer/**'],
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'lab',
          include: LAB_SUITES,
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 180_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 90_000,
          hookTimeout: 600_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
