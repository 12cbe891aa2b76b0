/**
 * The keys that decide which elements a run of a step drops: a function of the seed, the number of
 * the step, the part of its batch, and the Dropout node. The same arguments always give the same
 * keys.
 */
import { tensor, type NumericTensor } from '@skein/onnx';
import type { Tensors } from '../run/backend.ts';
import { DROPOUT_KEYS, KEYS_OF_ONE } from './dropout.ts';

/**
 * @param dropouts of the step; without any, nothing is fed.
 * @returns the feeds of a run in addition to the batch; one tensor, rewritten for each run.
 */
export function dropoutKeys(
  dropouts: number,
  seed: number,
): (step: number, part?: number) => Tensors {
  if (dropouts === 0) return () => NONE;
  const keys = new Uint32Array(KEYS_OF_ONE * dropouts);
  const feed = new Map<string, NumericTensor>([
    [DROPOUT_KEYS, tensor('uint32', [keys.length], keys)],
  ]);
  return (step, part = 0) => {
    const run = [seed, step, Math.floor(step / 2 ** 32), part];
    for (let i = 0; i < keys.length; i++) keys[i] = hashed([...run, i]);
    return feed;
  };
}

const NONE: Tensors = new Map();

/** MurmurHash3 of 32-bit words (Appleby, 2011). */
function hashed(words: readonly number[]): number {
  let hash = 0;
  for (const word of words) {
    let mixed = Math.imul(word, 0xcc9e2d51);
    mixed = Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
    hash ^= mixed;
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  hash ^= words.length * 4;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
