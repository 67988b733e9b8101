/**
 * Every type of Milvus 2.3 to 2.5, from messages of the log through the engine's own writer into whichever server holds it,
 * read back equal: insert, upsert, delete, several messages joined in one call, and pages of a copy. What Milvus 2.3.5 holds
 * goes from the log of one to another as well. A table says at the end where each type was proven; what no server here holds
 * is proven on bytes alone (test/unit/engine/codec/insert-columns).
 *
 * On Milvus 2.3.5 types share collections, since each takes it seconds; LIFELINE_TEST_FULL=1 gives each one its own.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compareClusters } from '../../../electron/core/drill/compare/compare-clusters.ts';
import { startLab, type Lab } from '../../../electron/core/lab/lab.ts';
import { isDynamic, isVector, TYPE_CASES, type TypeCase } from '../../support/type-cases.ts';
import { LITE_2, LITE_3, startLite, type LiteServer } from '../../support/milvus-lite.ts';
import { ServedTask } from '../../support/served-task.ts';
import { TypedCollection, TypedServer } from './typed-server.ts';

const isFull = process.env['LIFELINE_TEST_FULL'] === '1';
const START_LIMIT_MS = 300_000;
const TYPES_LIMIT_MS = isFull ? 900_000 : 120_000;

const SERVERS = ['Milvus 2.3.5', `Lite ${LITE_2}`, `Lite ${LITE_3}`] as const;
type ServerName = (typeof SERVERS)[number];

const isNullable = ({ field }: TypeCase): boolean => 'nullable' in field && field.nullable === true;
const isDefaultJson = ({ name }: TypeCase): boolean => name === 'JSON with a default value';
const isOneOf = ({ name }: TypeCase, ...names: readonly string[]): boolean => names.includes(name);

/** Which server holds which type, as it was found: a server that comes to hold more is to be noticed. */
const HOLDS: Readonly<Record<ServerName, (one: TypeCase) => boolean>> = {
  'Milvus 2.3.5': (one) =>
    !isNullable(one) &&
    !isDefaultJson(one) &&
    !isOneOf(one, 'Float16Vector', 'BFloat16Vector', 'SparseFloatVector', 'Int8Vector', 'BM25 function'),
  [`Lite ${LITE_2}`]: (one) =>
    !isNullable(one) &&
    !isDefaultJson(one) &&
    // It makes no partitions for a partition key, and loses the collection over a Float's default value.
    !isOneOf(one, 'Int8Vector', 'partition key', 'partition key of text', 'Float with a default value'),
  [`Lite ${LITE_3}`]: (one) =>
    !isDefaultJson(one) &&
    // Its upsert adds to the dynamic field where Milvus' replaces it.
    !isDynamic(one) &&
    (!isVector(one) || isOneOf(one, 'FloatVector', 'SparseFloatVector')),
};

let lab: Lab;
const lites: LiteServer[] = [];
const servers = new Map<ServerName, TypedServer>();
/** From source to target. */
const followed = new Set<string>();
const proven = new Map<ServerName, Set<string>>(SERVERS.map((name) => [name, new Set<string>()]));

beforeAll(async () => {
  const started = await Promise.all([startLab({ purpose: 'throwaway' }), startLite(LITE_2), startLite(LITE_3)]);
  lab = started[0];
  lites.push(started[1], started[2]);
  servers.set('Milvus 2.3.5', new TypedServer(lab.target.asTarget.milvus, true));
  servers.set(`Lite ${LITE_2}`, new TypedServer({ address: started[1].address }, true));
  servers.set(`Lite ${LITE_3}`, new TypedServer({ address: started[2].address }, false));
}, START_LIMIT_MS);

afterAll(async () => {
  await Promise.all([...servers.values()].map((server) => server.close()));
  await Promise.all(lites.map((lite) => lite.stop()));
  await lab.stop();
  process.stdout.write(`${table()}\n`);
});

/** Collections of several types where they cost much: a collection of 2.3.5 has one vector and one partition key at most. */
function collectionsFor(name: ServerName): TypeCase[][] {
  const held = TYPE_CASES.filter(HOLDS[name]);
  if (name !== 'Milvus 2.3.5' || isFull) return held.map((one) => [one]);
  const vectors = held.filter(isVector);
  const partitionKeys = held.filter(({ field }) => 'isPartitionKey' in field);
  const others = held.filter((one) => !vectors.includes(one) && !partitionKeys.includes(one));
  return vectors.map((vector, at) => [vector, ...partitionKeys.slice(at, at + 1), ...(at === 0 ? others : [])]);
}

describe.concurrent('rows of the log', () => {
  test.for(SERVERS)(
    'every type that %s holds is read back as it was written',
    { timeout: TYPES_LIMIT_MS },
    async (name, { expect }) => {
      for (const cases of collectionsFor(name)) {
        expect(await servers.get(name)?.roundTrip(cases), cases.map((one) => one.name).join(', ')).toBeUndefined();
        for (const one of cases) proven.get(name)?.add(one.name);
      }
      expect([...(proven.get(name) ?? [])].sort()).toEqual(
        TYPE_CASES.filter(HOLDS[name])
          .map((one) => one.name)
          .sort(),
      );
    },
  );
});

test(
  'from the log of Milvus 2.3.5 to another one: rows that were there before and rows that came later, judged equal',
  async () => {
    const source = new TypedServer(lab.source.asTarget.milvus, true);
    const target = servers.get('Milvus 2.3.5');
    const collections = collectionsFor('Milvus 2.3.5').map((cases, at) => new TypedCollection(`typed_${at}`, cases));
    for (const rows of collections) {
      expect(await source.make(rows)).toBeUndefined();
      await source.insert(rows);
    }
    await using task = await ServedTask.create({
      source: lab.source.asSource,
      target: lab.target.asTarget,
      start: { kind: 'copy', mayLoad: true },
    });
    expect(await task.untilLevel(), task.lines.join('\n')).toBe(0);
    for (const rows of collections) await target?.expectRows(rows, 'copied');
    for (const rows of collections) await source.change(rows);
    expect(await task.untilLevel(), task.lines.join('\n')).toBe(0);
    for (const rows of collections) await target?.expectRows(rows, 'followed');
    const report = await compareClusters({
      source: lab.source.asTarget.milvus,
      target: lab.target.asTarget.milvus,
      signal: new AbortController().signal,
    });
    expect(report.differences).toEqual([]);
    expect(report.equal).toBe(true);
    await source.close();
    for (const { cases } of collections) for (const one of cases) followed.add(one.name);
  },
  TYPES_LIMIT_MS,
);

test('a target that is too old for a type is not asked to hold it, and a sentence says which type and version', async () => {
  const old = servers.get('Milvus 2.3.5');
  const refusals: string[] = [];
  for (const one of TYPE_CASES.filter((candidate) => !HOLDS['Milvus 2.3.5'](candidate))) {
    const refusal = await old?.roundTrip([one]);
    expect(refusal, one.name).toMatch(
      /is Milvus 2\.3\.5.* and cannot hold default\.t\d+: .*(?:f0|bm25) .* from 2\.[456] on/,
    );
    refusals.push(refusal ?? '');
  }
  expect(refusals.length).toBeGreaterThan(20);
  // It would have ended over the default value of a JSON field, and over two inserts of 16-bit vectors at once.
  expect(lab.target.instance.pid).toBeDefined();
});

function table(): string {
  const head = ['type', 'log', ...SERVERS, 'bytes only'];
  const rows = TYPE_CASES.map((one) => {
    const isSeen = SERVERS.map((name) => proven.get(name)?.has(one.name) === true);
    const log = followed.has(one.name) ? '2.3.5' : `source of ${one.since}`;
    return [one.name, log, ...isSeen.map((is) => (is ? 'equal' : '–')), isSeen.includes(true) ? '' : 'yes'];
  });
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]) => cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ');
  return [line(head), widths.map((width) => '-'.repeat(width)).join('-|-'), ...rows.map(line)].join('\n');
}
