/**
 * Finds parts of a file in another one: blocks of the parent by a hash, which rolls over the new file, then as many
 * equal bytes as there are on both sides. Rsync's search (Tridgell and Mackerras 1996), for two files at hand.
 */
import type { Bytes } from '../trust/source.ts';
import type { Step } from './recipe.ts';

/** Bytes of a block: shorter repetitions are left to the compression of the recipe. */
const BLOCK = 16;
const FACTOR = 0x01_00_01_93;
/** FACTOR to the power of BLOCK - 1: weight of the byte that leaves the window. */
const OUT = Array.from({ length: BLOCK - 1 }).reduce<number>(
  (product) => Math.imul(product, FACTOR),
  1,
);

interface Range {
  readonly from: number;
  readonly length: number;
}

/**
 * @param paired parts of the parent that need no search, because tensors of the new file stand for them.
 * @returns a function that gives the steps of a part of the new file.
 */
export function copies(
  parent: Bytes,
  target: Bytes,
  paired: readonly Range[],
): (start: number, end: number) => Step[] {
  const blocks = new Map<number, number>();
  let from = 0;
  const index = (end: number): void => {
    for (; from + BLOCK <= end; from += BLOCK) {
      const hash = hashAt(parent, from);
      if (!blocks.has(hash)) blocks.set(hash, from);
    }
  };
  for (const range of paired.toSorted((a, b) => a.from - b.from)) {
    index(range.from);
    from = Math.max(from, range.from + range.length);
  }
  index(parent.length);

  return (start, end) => {
    const steps: Step[] = [];
    let done = start;
    let at = start;
    let hash = at + BLOCK <= end ? hashAt(target, at) : 0;
    while (at + BLOCK <= end) {
      const found = blocks.get(hash);
      if (found !== undefined && isEqual(parent, found, target, at)) {
        let back = 0;
        while (
          at - back > done &&
          found > back &&
          parent[found - back - 1] === target[at - back - 1]
        )
          back++;
        let length = BLOCK;
        while (
          at + length < end &&
          found + length < parent.length &&
          parent[found + length] === target[at + length]
        )
          length++;
        if (at - back > done) steps.push({ kind: 'insert', length: at - back - done });
        steps.push({ kind: 'copy', from: found - back, length: back + length });
        at += length;
        done = at;
        if (at + BLOCK <= end) hash = hashAt(target, at);
      } else {
        hash = Math.imul(hash - Math.imul(target[at]!, OUT), FACTOR) + (target[at + BLOCK] ?? 0);
        hash |= 0;
        at++;
      }
    }
    if (done < end) steps.push({ kind: 'insert', length: end - done });
    return steps;
  };
}

function hashAt(bytes: Uint8Array, at: number): number {
  let hash = 0;
  for (let i = 0; i < BLOCK; i++) hash = (Math.imul(hash, FACTOR) + bytes[at + i]!) | 0;
  return hash;
}

function isEqual(a: Uint8Array, from: number, b: Uint8Array, at: number): boolean {
  for (let i = 0; i < BLOCK; i++) if (a[from + i] !== b[at + i]) return false;
  return true;
}
