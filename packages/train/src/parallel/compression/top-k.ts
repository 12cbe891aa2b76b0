/**
 * Only the largest numbers, each with its position: with `share` 0.01, a fiftieth of the bytes.
 *
 * Aji and Heafield, "Sparse Communication for Distributed Gradient Descent" (EMNLP 2017). The bound is
 * found exactly, by counting the bits of the magnitudes from the highest down; of those that are equal
 * to it, the first are taken.
 */
import { requireRange } from '../../optimisers/optimiser.ts';
import type { Codec } from './codec.ts';

/** @throws RangeError when the share is not in (0, 1]. */
export function topK(length: number, share: number): Codec {
  requireRange('share', share, Number.MIN_VALUE, 1 + Number.EPSILON);
  const kept = Math.min(length, Math.max(1, Math.round(length * share)));
  const narrow = new Float32Array(length);
  const bits = new Uint32Array(narrow.buffer);
  return {
    words: 2 * kept,
    encode(numbers, into) {
      for (let i = 0; i < length; i++) narrow[i] = Math.abs(numbers[i]!);
      const { bound, equal } = boundOf(bits, kept);
      const values = new Float32Array(into.buffer, into.byteOffset + 4 * kept, kept);
      let left = equal;
      let count = 0;
      for (let i = 0; i < length; i++) {
        if (bits[i]! < bound || (bits[i] === bound && left-- <= 0)) continue;
        into[count] = i;
        values[count++] = numbers[i]!;
      }
      return 2 * kept;
    },
    addTo(numbers, { buffer, byteOffset }, sign) {
      const positions = new Int32Array(buffer, byteOffset, kept);
      const values = new Float32Array(buffer, byteOffset + 4 * kept, kept);
      for (let i = 0; i < kept; i++) {
        const position = positions[i]!;
        // An invalid position comes from a rank with another plan.
        if (position < 0 || position >= length) throw new RangeError('A position is out of range.');
        numbers[position]! += sign * values[i]!;
      }
    },
  };
}

/**
 * The `kept`-th largest of numbers in the order of their bits, and how many equal to it belong
 * to the `kept` largest.
 */
function boundOf(bits: Uint32Array, kept: number): { bound: number; equal: number } {
  let left = kept;
  let prefix = 0;
  for (const shift of [21, 10, 0]) {
    const width = shift === 0 ? 10 : 11;
    const counts = new Uint32Array(2 ** width);
    const above = shift + width;
    for (const each of bits) {
      if (above < 32 && each >>> above !== prefix >>> above) continue;
      counts[(each >>> shift) & (2 ** width - 1)]!++;
    }
    let digit = counts.length - 1;
    while (counts[digit]! < left) left -= counts[digit--]!;
    prefix = (prefix | (digit << shift)) >>> 0;
  }
  return { bound: prefix, equal: left };
}
