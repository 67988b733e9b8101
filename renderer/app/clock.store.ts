/** The one ticking clock of the window: what depends on the time of day is shown from it. */
import { defineStore } from 'pinia';
import { ref } from 'vue';

/** Ages are shown to the second. */
const TICK_MS = 1000;

export const useClock = defineStore('clock', () => {
  /** Unix ms. */
  const now = ref(Date.now());

  /** @returns how to stop it. */
  function start(): () => void {
    const timer = setInterval(() => (now.value = Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }

  return { now, start };
});
