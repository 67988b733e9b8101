import type { LifelineBridge } from '../shared/contract/desktop.ts';

declare global {
  interface Window {
    /** Only in the desktop program. */
    readonly lifeline?: LifelineBridge;
  }
}
