import { expect, test } from 'vitest';
import { asCollectionId } from '../../../../../shared/model/ids.ts';
import {
  nameClash,
  nextName,
  temporaryName,
  type NamedCopy,
} from '../../../../../electron/engine/task/reconciler/renames.ts';

const at = (collection: string) => ({ database: 'default', collection });
const copy = (id: bigint, name: string, wanted?: string): NamedCopy => ({
  id: asCollectionId(id),
  address: at(name),
  wanted: wanted === undefined ? undefined : at(wanted),
});
const next = (id: bigint, ...all: NamedCopy[]) => {
  const one = all.find((each) => each.id === asCollectionId(id));
  return one === undefined ? undefined : nextName(one, all)?.collection;
};

test('a free name is taken', () => {
  expect(next(1n, copy(1n, 'a', 'b'), copy(2n, 'c', 'c'))).toBe('b');
});

test('a name that fits is kept', () => {
  expect(next(1n, copy(1n, 'a', 'a'))).toBeUndefined();
});

test('a name whose former owner is being dropped is waited for', () => {
  expect(next(1n, copy(1n, 'a', 'b'), copy(2n, 'b'))).toBeUndefined();
});

test('in a chain the one at its end goes first', () => {
  const all = [copy(1n, 'a', 'b'), copy(2n, 'b', 'c')];
  expect(next(1n, ...all)).toBeUndefined();
  expect(next(2n, ...all)).toBe('c');
});

test('a swap is opened by one of the two', () => {
  const all = [copy(1n, 'a', 'b'), copy(2n, 'b', 'a')];
  expect(next(1n, ...all)).toBe(temporaryName(asCollectionId(1n)));
  expect(next(2n, ...all)).toBeUndefined();
  const opened = [copy(1n, temporaryName(asCollectionId(1n)), 'b'), copy(2n, 'b', 'a')];
  expect(next(1n, ...opened)).toBeUndefined();
  expect(next(2n, ...opened)).toBe('a');
});

test('a ring of three is opened once', () => {
  const all = [copy(1n, 'a', 'b'), copy(2n, 'b', 'c'), copy(3n, 'c', 'a')];
  expect([1n, 2n, 3n].map((id) => next(id, ...all))).toEqual([temporaryName(asCollectionId(1n)), undefined, undefined]);
});

test('whoever waits for a ring that it is no part of opens nothing', () => {
  const all = [copy(1n, 'd', 'a'), copy(2n, 'a', 'b'), copy(3n, 'b', 'a')];
  expect(next(1n, ...all)).toBeUndefined();
});

/** As a rule that calls b on the target what a is called there. */
const isSamePlace = (a: { readonly collection: string }, b: { readonly collection: string }): boolean => {
  const placeOf = ({ collection }: { readonly collection: string }) => (collection === 'b' ? 'a' : collection);
  return placeOf(a) === placeOf(b);
};

test('a name that is another name of an occupied place clashes with whoever stays there', () => {
  const renamed = copy(1n, 'c', 'b');
  const stays = copy(2n, 'a', 'a');
  expect(nameClash(renamed, [renamed, stays], isSamePlace)).toBe(stays);
  expect(nextName(renamed, [renamed, stays], isSamePlace)).toBeUndefined();
});

test('whoever leaves the place is waited for, and is no clash', () => {
  const renamed = copy(1n, 'c', 'b');
  const leaves = copy(2n, 'a', 'd');
  expect(nameClash(renamed, [renamed, leaves], isSamePlace)).toBeUndefined();
  expect(nextName(renamed, [renamed, leaves], isSamePlace)).toBeUndefined();
  expect(nextName(leaves, [renamed, leaves], isSamePlace)?.collection).toBe('d');
});

test('a new name for the same place is taken at once', () => {
  const renamed = copy(1n, 'a', 'b');
  expect(nextName(renamed, [renamed], isSamePlace)?.collection).toBe('b');
});
