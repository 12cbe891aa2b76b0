/** The order of the rows: a function of seed and epoch. */
import { shuffled } from '../data/dataset.ts';

export function orderOfEpoch(rows: number, seed: number, epoch: number): Uint32Array {
  return shuffled(rows, seedOf(seed, epoch));
}

/** One seed for each epoch, far from those of adjacent seeds. */
function seedOf(seed: number, epoch: number): number {
  return (Math.imul(seed, 0x9e3779b1) ^ Math.imul(epoch + 1, 0x85ebca77)) >>> 0;
}
