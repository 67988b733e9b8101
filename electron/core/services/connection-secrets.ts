/** Which parts of a connection are secrets, and how they are taken out of it and put back. */
import type { ConnectionParts } from '../../../shared/contract/procedures.ts';
import type { StoredParts, StoredSecrets } from '../store/connection-store.ts';

/** Fields of that name are secrets wherever they stand in a connection. `key` is the private key of a certificate. */
const SECRET_FIELDS: ReadonlySet<string> = new Set(['password', 'token', 'key']);

type Tree = Record<string, unknown>;

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);

/** An empty secret is none. */
export function splitSecrets(parts: ConnectionParts): { parts: StoredParts; secrets: StoredSecrets } {
  const secrets: Record<string, string> = {};
  const strip = (tree: Tree, path: string): Tree => {
    const clear: Tree = {};
    for (const [name, value] of Object.entries(tree)) {
      if (value === undefined) continue;
      if (SECRET_FIELDS.has(name) && typeof value === 'string') {
        if (value !== '') secrets[path + name] = value;
      } else clear[name] = isTree(value) ? strip(value, `${path}${name}.`) : value;
    }
    return clear;
  };
  return { parts: strip(parts, ''), secrets };
}

/** The whole again. What does not fit the parts any more is left out. */
export function joinSecrets(parts: StoredParts, secrets: StoredSecrets): ConnectionParts {
  const whole: Tree = structuredClone(parts);
  for (const [path, secret] of Object.entries(secrets)) {
    const names = path.split('.');
    const last = names.pop() ?? '';
    const tree = names.reduce<unknown>((at, name) => (isTree(at) ? at[name] : undefined), whole);
    if (isTree(tree)) tree[last] = secret;
  }
  // Split from a parsed connection, so it is one.
  return whole;
}

/**
 * Secrets of the connection as it was that the draft leaves out: they go on being valid where the part that they belong
 * to is still there and of the same kind, and a password only where a user still has it. An empty string is no omission:
 * it takes the secret away.
 */
export function inheritSecrets(draft: ConnectionParts, before: StoredParts, secrets: StoredSecrets): ConnectionParts {
  const inherited: Record<string, string> = {};
  for (const [path, secret] of Object.entries(secrets)) {
    const names = path.split('.');
    const last = names.pop() ?? '';
    const holder = treeAt(draft, names);
    if (holder === undefined || holder[last] !== undefined) continue;
    if (treeAt(draft, names.slice(0, 1))?.['kind'] !== treeAt(before, names.slice(0, 1))?.['kind']) continue;
    if (last === 'password' && holder['username'] === undefined) continue;
    inherited[path] = secret;
  }
  return joinSecrets(draft, inherited);
}

function treeAt(root: unknown, names: readonly string[]): Tree | undefined {
  const found = names.reduce<unknown>((at, name) => (isTree(at) ? at[name] : undefined), root);
  return isTree(found) ? found : undefined;
}
