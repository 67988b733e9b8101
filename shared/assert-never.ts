/** Ends an exhaustive `switch`: a forgotten case does not compile, and one that slips through says its value. */
export function assertNever(value: never): never {
  throw new Error(`Unexpected value: ${String(value)}`);
}
