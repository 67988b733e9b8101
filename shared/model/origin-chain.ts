/**
 * Whose copy a collection is, and whose copy that one was: written into every copy as properties, so that whoever reads a
 * cluster as a source knows through which clusters its rows have come. With it a loop is seen before it is closed.
 */
import { nameText, type CollectionName } from './collection-name.ts';
import type { KeyValue } from './key-value.ts';

/** The task that has made the copy, or has taken it over. */
export const OWNER_PROPERTY = 'lifeline.owner';
/** JSON of the hops, the nearest first. */
export const CHAIN_PROPERTY = 'lifeline.chain';
/** See `originText`: all that earlier versions wrote. */
const ORIGIN_PROPERTY = 'lifeline.origin';

/** Whose copy it is, as a copy bears it and as it is asked for. */
export const originText = (etcdClusterId: string, collectionId: bigint): string => `${etcdClusterId}/${collectionId}`;

/** A longer chain than anybody builds; the property's value stays small. */
const HOPS_MAX = 16;

/** Properties that Lifeline gives to a collection; a copy of the copy has its own. */
export const isOwnProperty = (key: string): boolean => key.startsWith('lifeline.');

/** One cluster on the way, and the collection there. */
export interface OriginHop {
  readonly etcdClusterId: string;
  /** `undefined`: a copy of an earlier version. */
  readonly rootPath: string | undefined;
  readonly collectionId: bigint;
  /** When the collection was made, by its cluster: with the id its identity. `undefined` as above. */
  readonly createTick: bigint | undefined;
  readonly name: string;
}

interface JsonHop {
  readonly cluster: string;
  readonly root: string;
  readonly id: string;
  readonly created: string;
  readonly name: string;
}

export interface ChainedCollection extends CollectionName {
  readonly id: bigint;
  readonly createTick: bigint;
  readonly properties: readonly KeyValue[];
}

/** From where a collection's rows came, the nearest first; empty where it is no copy. What cannot be read is as good as nothing. */
export function chainOf(properties: ChainedCollection['properties']): OriginHop[] {
  const hops = parseChain(properties.find(({ key }) => key === CHAIN_PROPERTY)?.value);
  if (hops.length > 0) return hops;
  const [, etcdClusterId, id] = /^(\d+)\/(\d+)$/.exec(valueOf(properties, ORIGIN_PROPERTY)) ?? [];
  if (etcdClusterId === undefined || id === undefined) return [];
  return [
    { etcdClusterId, rootPath: undefined, collectionId: BigInt(id), createTick: undefined, name: `collection ${id}` },
  ];
}

const valueOf = (properties: ChainedCollection['properties'], name: string): string =>
  properties.find(({ key }) => key === name)?.value ?? '';

function parseChain(text: string | undefined): OriginHop[] {
  if (text === undefined) return [];
  try {
    return (JSON.parse(text) as JsonHop[]).map(({ cluster, root, id, created, name }) => ({
      etcdClusterId: cluster,
      rootPath: root,
      collectionId: BigInt(id),
      createTick: BigInt(created),
      name,
    }));
  } catch {
    return [];
  }
}

/** What a copy of the collection is to bear. */
export function chainText(
  { id, createTick, database, collection, properties }: ChainedCollection,
  source: { readonly etcdClusterId: string; readonly rootPath: string },
): string {
  const own: JsonHop = {
    cluster: source.etcdClusterId,
    root: source.rootPath,
    id: id.toString(),
    created: createTick.toString(),
    name: nameText({ database, collection }),
  };
  const earlier = chainOf(properties).map((hop): JsonHop => ({
    cluster: hop.etcdClusterId,
    root: hop.rootPath ?? '',
    id: hop.collectionId.toString(),
    created: (hop.createTick ?? 0n).toString(),
    name: hop.name,
  }));
  return JSON.stringify([own, ...earlier].slice(0, HOPS_MAX));
}

export interface ClusterIdentities {
  readonly etcdClusterId: string;
  readonly rootPath: string;
  /** Of the target, which tells of itself only what it holds: whether it has this very collection. */
  readonly targetHas: (collectionId: bigint, createTick: bigint | undefined) => boolean;
}

/** `home`: the rows come from the source itself. `target`: they come from the cluster that they would be written into. */
export interface Loop {
  readonly kind: 'home' | 'target';
  /** The way of the rows up to the source, its oldest place first. */
  readonly way: readonly string[];
}

/** `undefined`: nothing is known that would make the copy of the collection a loop. */
export function findLoop(
  collection: Pick<ChainedCollection, 'database' | 'collection' | 'properties'>,
  { etcdClusterId, rootPath, targetHas }: ClusterIdentities,
): Loop | undefined {
  const chain = chainOf(collection.properties);
  const way = [...chain.map(({ name }) => name).toReversed(), nameText(collection)];
  const isHome = (hop: OriginHop): boolean =>
    hop.etcdClusterId === etcdClusterId &&
    (hop.rootPath === undefined || hop.rootPath === '' || hop.rootPath === rootPath);
  if (chain.some(isHome)) return { kind: 'home', way };
  const tickOf = ({ createTick }: OriginHop) => (createTick === 0n ? undefined : createTick);
  if (chain.some((hop) => targetHas(hop.collectionId, tickOf(hop)))) return { kind: 'target', way };
  return undefined;
}

/** Who copies what from where, as one sentence. */
export function loopText({ kind, way }: Loop): string {
  const [first = ''] = way;
  const last = way.at(-1) ?? '';
  const path = way.join(' → ');
  return kind === 'home'
    ? `${last} is itself a copy of ${first} of this very source (${path}), so copying it would go round in a loop.`
    : `${last} is itself a copy of ${first}, which stands in the target (${path}), so copying it there would go round in a loop.`;
}
