/**
 * What the libraries of the window expect and Chrome 83 lacks. Syntax is the bundler's job; these are the functions.
 * Imported first.
 */
function define(owner: object, name: string, value: unknown): void {
  if (!(name in owner)) Object.defineProperty(owner, name, { value, writable: true, configurable: true });
}

function at<T>(this: ArrayLike<T>, index: number): T | undefined {
  const whole = Math.trunc(index) || 0;
  return this[whole < 0 ? this.length + whole : whole];
}

function findLast<T>(this: ArrayLike<T>, test: (item: T, index: number) => boolean): T | undefined {
  for (let index = this.length - 1; index >= 0; index -= 1) {
    const item = this[index] as T;
    if (test(item, index)) return item;
  }
  return undefined;
}

define(Array.prototype, 'at', at);
define(String.prototype, 'at', at);
define(Array.prototype, 'findLast', findLast);
define(Array.prototype, 'toSorted', function toSorted<T>(this: readonly T[], compare?: (a: T, b: T) => number): T[] {
  return [...this].sort(compare);
});
define(Array.prototype, 'toReversed', function toReversed<T>(this: readonly T[]): T[] {
  return [...this].reverse();
});
define(String.prototype, 'replaceAll', function replaceAll(this: string, part: string, by: string): string {
  return this.split(part).join(by);
});
define(Object, 'hasOwn', (owner: object, name: PropertyKey): boolean =>
  Object.prototype.hasOwnProperty.call(owner, name),
);
define(globalThis, 'queueMicrotask', (task: () => void): void => void Promise.resolve().then(task));
