/** Names the root paths that hold a Milvus in this etcd: the hint for somebody whose own root path does not. */
import type { EtcdClient } from './etcd-client.ts';

/** How many questions the search may ask: a hint must not take long, and an etcd may hold much else. */
const QUESTIONS_MAX = 60;
/** Folders of a root path, such as `tenants/a/by-dev`, with the meta path at their end. */
const DEPTH_MAX = 4;

export const DATABASE_KEYS = 'root-coord/database/db-info/';

/** Each with its meta path, such as `by-dev/meta`; in key order. */
export async function findMetaPaths(client: EtcdClient): Promise<readonly string[]> {
  const found: string[] = [];
  let questions = QUESTIONS_MAX;
  const ask = async (prefix: string, from?: string): Promise<string | undefined> => {
    questions -= 1;
    return (await client.page(prefix, { limit: 1, keysOnly: true }, from)).entries[0]?.key;
  };
  const descend = async (prefix: string, depth: number): Promise<void> => {
    if (prefix !== '' && (await ask(`${prefix}${DATABASE_KEYS}`)) !== undefined) {
      found.push(prefix.slice(0, -1));
      return;
    }
    if (depth === DEPTH_MAX) return;
    let from: string | undefined;
    while (questions > 0) {
      const key = await ask(prefix, from);
      if (key === undefined) return;
      const slash = key.indexOf('/', prefix.length);
      // A key without a further folder: step over it, else over the whole folder ('0' follows '/' in ASCII).
      from = slash === -1 ? `${key}\0` : `${key.slice(0, slash)}0`;
      if (slash !== -1) await descend(key.slice(0, slash + 1), depth + 1);
    }
  };
  await descend('', 0);
  return found;
}
