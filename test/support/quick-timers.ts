import { onTestFinished, vi } from 'vitest';

/** Timers fire as soon as nothing else can run: nobody waits for pauses, intervals and limits. */
export function useQuickTimers(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  vi.setTimerTickMode('nextTimerAsync');
  onTestFinished(() => void vi.useRealTimers());
}
