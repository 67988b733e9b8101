/** For the tests; the script itself runs before anything is compiled. */
export function hasDisplay(env?: Readonly<Record<string, string | undefined>>, platform?: string): boolean;
export function fetchElectron(
  installer: string,
  dist: string,
  options?: { stallMs?: number; out?: { isTTY?: boolean; write(line: string): boolean } },
): Promise<void>;
