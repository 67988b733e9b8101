/** Job: what a selection and a mapping would do now. Reads only; leaves no trace. */
import { parentPort, workerData } from 'node:worker_threads';
import { atOnce } from '../../../shared/at-once.ts';
import { nameKey } from '../../../shared/model/collection-name.ts';
import { compileMapping } from '../../../shared/model/name-mapping.ts';
import type { MilvusEndpoint } from '../../../shared/model/connection.ts';
import { toReplicationError } from '../../../shared/model/replication-error.ts';
import { compileSelection } from '../../../shared/model/selection.ts';
import type { SelectionPreview } from '../../../shared/contract/selection-preview.ts';
import type { JobMessage } from '../host/job-host.ts';
import type { PreviewInput } from '../host/preview-selection.ts';
import { MilvusRpc, type RpcOptions } from '../milvus/milvus-rpc.ts';
import { openEtcdCatalog } from '../source/catalog/etcd-catalog.ts';
import type { CatalogCollection } from '../source/catalog/catalog.ts';
import { listHeld } from '../target/held-collections.ts';
import { readVersion } from '../target/needed-version.ts';
import { openMilvusTarget } from '../target/milvus-target.ts';
import type { Target } from '../target/target.ts';
import { countRows } from './count-rows.ts';
import { nameOf, toPreview, type CountedRows, type NamesakeOnTarget } from './selection-preview.ts';

const CALLS_AT_ONCE = 16;

const say = (message: JobMessage): void => parentPort?.postMessage(message);
const input = workerData as PreviewInput;

async function preview(): Promise<SelectionPreview> {
  const { source, target: endpoint, selection, mapping, owner, callTimeoutMs } = input;
  const catalog = openEtcdCatalog(source.etcd, { timeoutMs: callTimeoutMs });
  const target = openMilvusTarget(endpoint.milvus, { timeouts: { readMs: callTimeoutMs, probeMs: callTimeoutMs } });
  try {
    const [etcdClusterId, { collections }, held, targetVersion] = await Promise.all([
      catalog.clusterId(),
      catalog.snapshot(),
      listHeld(target, new AbortController().signal),
      versionOf(endpoint.milvus, callTimeoutMs),
    ]);
    const { matches } = compileSelection(selection);
    const selected = collections.filter((collection) => matches(nameOf(collection)));
    const [rows, namesakes] = await Promise.all([countAll(selected), namesakesOf(target, selected, held.names)]);
    const facts = {
      source: { etcdClusterId, rootPath: source.etcd.rootPath },
      collections,
      targetHas: held.has,
      namesakes,
      rows,
      targetVersion,
      owner,
    };
    return toPreview(facts, selection, mapping);
  } finally {
    await Promise.all([catalog.close(), target.close()]);
  }
}

async function versionOf(endpoint: MilvusEndpoint, deadlineMs: number): Promise<string> {
  const rpc = new MilvusRpc(endpoint);
  try {
    return await readVersion(rpc, { deadlineMs });
  } finally {
    rpc.close();
  }
}

async function namesakesOf(
  target: Target,
  selected: readonly CatalogCollection[],
  names: ReadonlySet<string>,
): Promise<ReadonlyMap<string, NamesakeOnTarget>> {
  const { address } = compileMapping(input.mapping);
  const { signal } = new AbortController();
  const found = new Map<string, NamesakeOnTarget>();
  const wanted = selected.map((collection) => address(nameOf(collection)));
  await atOnce(CALLS_AT_ONCE, wanted, async (name) => {
    if (names.has(nameKey(name))) {
      const described = await target.describeCollection(name, signal);
      if (described !== undefined) found.set(nameKey(name), { origin: described.origin, owner: described.owner });
      return;
    }
    const alias = await target.describeAlias(name.database, name.collection, signal);
    if (alias !== undefined) found.set(nameKey(name), { origin: alias.origin, owner: undefined, isAlias: true });
  });
  return found;
}

/** What cannot be counted is left out: it is a number for a person and nothing hangs on it. */
async function countAll(selected: readonly CatalogCollection[]): Promise<ReadonlyMap<string, CountedRows>> {
  const counted = new Map<string, CountedRows>();
  const { source, withoutRows, callTimeoutMs, countTimeoutMs } = input;
  if (source.milvus === undefined || withoutRows === true) return counted;
  const rpc = new MilvusRpc(source.milvus);
  const options: RpcOptions = { deadlineMs: callTimeoutMs, signal: AbortSignal.timeout(countTimeoutMs) };
  try {
    await atOnce(CALLS_AT_ONCE, selected, async (collection) => {
      const rows = await countRows(rpc, collection, options).catch(() => undefined);
      if (rows !== undefined) counted.set(nameKey(nameOf(collection)), rows);
    });
  } finally {
    rpc.close();
  }
  return counted;
}

try {
  say({ result: await preview() });
} catch (error) {
  say({ error: toReplicationError(error).toData() });
}
