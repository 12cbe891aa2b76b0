/** Texts that are drawn with a seed, and their shingles by the definition. */
import type { Shingles } from '../minhash.ts';

export interface Draw {
  /** An integer from 0, below this one. */
  readonly below: (most: number) => number;
  readonly word: () => string;
}

export function drawing(seed: number): Draw {
  let state = seed;
  const below = (most: number): number => {
    state = (state * 48_271) % 2_147_483_647;
    return Math.floor((state / 2_147_483_647) * most);
  };
  return { below, word: () => `w${below(5000).toString(36)}` };
}

/** The shingles that both texts have, as a part of all. */
export function jaccardOf(one: string, other: string, kind: Shingles): number {
  const [a, b] = [new Set(shinglesOf(one, kind)), new Set(shinglesOf(other, kind))];
  const shared = [...a].filter((shingle) => b.has(shingle)).length;
  return shared / (a.size + b.size - shared);
}

/** For texts of small letters, digits and single spaces. */
function shinglesOf(text: string, kind: Shingles): string[] {
  const units = kind === 'words' ? text.split(' ') : text.split('');
  const [length, between] = kind === 'words' ? [3, ' '] : [5, ''];
  const count = Math.max(1, units.length - length + 1);
  return Array.from({ length: count }, (_, at) => units.slice(at, at + length).join(between));
}

/** The least of those that pairs connect each one with: a union-find. */
export function centresOf(pairs: readonly (readonly [number, number])[]): Map<number, number> {
  const above = new Map<number, number>();
  const find = (one: number): number => {
    let at = one;
    while ((above.get(at) ?? at) !== at) at = above.get(at)!;
    above.set(one, at);
    return at;
  };
  for (const [one, other] of pairs) {
    const [a, b] = [find(one), find(other)];
    above.set(Math.max(a, b), Math.min(a, b));
  }
  return new Map([...above.keys()].map((one) => [one, find(one)]));
}
