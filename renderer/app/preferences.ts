/** Small choices of this window, kept by the browser. Where storage is refused, choices last until it is closed. */
const PREFIX = 'lifeline.';

/** `undefined`: never chosen, or something that is no choice (any more). */
export function readPreference<T extends string>(name: string, choices: readonly T[]): T | undefined {
  const stored = read(name);
  return choices.find((choice) => choice === stored);
}

export function writePreference(name: string, value: string): void {
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // Storage is switched off: the choice holds for this window.
  }
}

/** Several at once; names without commas. `undefined`: never chosen. */
export function readChoices(name: string): readonly string[] | undefined {
  return read(name)
    ?.split(',')
    .filter((choice) => choice !== '');
}

export const writeChoices = (name: string, choices: readonly string[]): void =>
  writePreference(name, choices.join(','));

function read(name: string): string | undefined {
  try {
    return localStorage.getItem(PREFIX + name) ?? undefined;
  } catch {
    return undefined; // Storage is switched off: the default is right.
  }
}
