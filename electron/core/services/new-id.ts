/** Ids that a person can recognise in a log and that are never given twice. */
import { randomInt } from 'node:crypto';

/** Of 64 that an id may have; the rest is for the suffix. */
const NAME_CHARS_MAX = 40;
const SUFFIX_CHARS = 6;

/** @param kind Stands for a name without a letter of a-z or a digit. */
export function newId(name: string, kind: string): string {
  const slug = name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, NAME_CHARS_MAX)
    .replace(/^-+|-+$/g, '');
  const suffix = randomInt(36 ** SUFFIX_CHARS)
    .toString(36)
    .padStart(SUFFIX_CHARS, '0');
  return `${slug === '' ? kind : slug}-${suffix}`;
}
