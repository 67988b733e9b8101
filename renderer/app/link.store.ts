/** Whether the core is heard. */
import { defineStore } from 'pinia';
import { ref } from 'vue';
import { useClient } from './client.ts';

export const useLink = defineStore('link', () => {
  const isLost = ref(false);
  /** Unix ms. */
  const lostAt = ref<number>();
  /** Why, in the shell's words (English); absent where it is not known. */
  const reason = ref<string>();
  const readers = new Set<() => void>();

  useClient().onLink((state, message) => {
    const wasLost = isLost.value;
    isLost.value = state === 'lost';
    reason.value = isLost.value ? message : undefined;
    if (isLost.value) {
      if (!wasLost) lostAt.value = Date.now();
      return;
    }
    // Only what is read from now on is certain to be followed by every later event.
    for (const read of readers) read();
  });

  return {
    isLost,
    lostAt,
    reason,
    /** `read` is called whenever lists must be asked (again); lasts as long as the window. */
    onHeard: (read: () => void): void => void readers.add(read),
  };
});
