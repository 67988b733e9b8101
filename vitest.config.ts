import { defineConfig } from 'vitest/config';

/** Real servers share two cores: suites that start them run one after the other. */
const LAB_SUITES = ['test/integration/**/*.test.ts', 'test/contract/**/*.test.ts'];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/golden/**/*.test.ts', 'test/sim/**/*.test.ts'],
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
    ],
  },
});
