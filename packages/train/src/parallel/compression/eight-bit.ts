/**
 * Numbers in eight bits: in blocks of 256, the largest magnitude as a float32 and each number as one of
 * 255 multiples of a 127th of it. A quarter of the bytes, and an error of at most a 254th of the largest
 * number of the block.
 *
 * Dettmers, "8-Bit Approximations for Parallelism in Deep Learning" (ICLR 2016), with linear steps.
 */
import type { Codec } from './codec.ts';

const BLOCK = 256;
const STEPS = 127;

export function eightBit(length: number): Codec {
  const blocks = Math.ceil(length / BLOCK);
  const words = blocks + Math.ceil(length / 4);
  return {
    words,
    encode(numbers, into) {
      const scales = new Float32Array(into.buffer, into.byteOffset, blocks);
      const steps = new Int8Array(into.buffer, into.byteOffset + 4 * blocks, length);
      for (let block = 0; block < blocks; block++) {
        const from = block * BLOCK;
        const to = Math.min(from + BLOCK, length);
        let largest = 0;
        for (let i = from; i < to; i++) largest = Math.max(largest, Math.abs(numbers[i]!));
        scales[block] = largest / STEPS;
        const scale = scales[block]!;
        for (let i = from; i < to; i++) {
          const step = scale === 0 ? 0 : Math.round(numbers[i]! / scale);
          steps[i] = Math.max(-STEPS, Math.min(STEPS, step));
        }
      }
      return words;
    },
    addTo(numbers, { buffer, byteOffset }, sign) {
      const scales = new Float32Array(buffer, byteOffset, blocks);
      const steps = new Int8Array(buffer, byteOffset + 4 * blocks, length);
      for (let i = 0; i < length; i++) {
        numbers[i]! += sign * steps[i]! * scales[Math.floor(i / BLOCK)]!;
      }
    },
  };
}
