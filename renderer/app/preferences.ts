/** Small choices of this window, kept by the browser. Where storage is refused, choices last until it is closed. */
const PREFIX = 'lifeline.';

/** `undefined`: never chosen, or something that is no choice (any more). */
export function readPreference<T extends string>(name: string, choices: readonly T[]): T | undefined {
  try {
    const stored = localStorage.getItem(PREFIX + name);
    return choices.find((choice) => choice === stored);
  } catch {
    return undefined; // Storage is switched off: the default is right.
  }
}

export function writePreference(name: string, value: string): void {
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // Storage is switched off: the choice holds for this window.
  }
}
