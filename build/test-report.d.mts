/** For the tests; the script itself runs before anything is compiled. */
export interface TestReport {
  readonly version: 1;
  readonly startedAt: string;
  readonly durationMs: number;
  readonly isGreen: boolean;
  readonly labSeed: number;
  readonly counts: { readonly passed: number; readonly failed: number; readonly skipped: number };
  readonly tests: readonly object[];
  readonly filesFailed?: readonly object[];
}

export function toReport(
  result: object,
  run: { readonly root: string; readonly seed: number; readonly code: number },
): TestReport;
