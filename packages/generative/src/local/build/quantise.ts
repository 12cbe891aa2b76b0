/** 4-bit weights in blocks of 32 inputs: symmetric, one float32 scale per block (as Q4_0 of GGUF). */

/** Inputs that share a scale. */
export const QUANTISED_BLOCK = 32;
/** The most negative 4-bit integer: the largest weight of a block gets it, with the scale's sign. */
const LOWEST = -8;

export interface Quantised {
  /** int4 [inputs, outputs], two per byte, the first in the low bits. */
  readonly packed: Uint8Array;
  /** float32 [inputs / block, outputs]. */
  readonly scales: Float32Array;
  readonly block: number;
}

/** @param matrix [outputs, inputs]; `inputs` is a multiple of 32, `outputs` is even. */
export function quantise4(matrix: Float32Array, outputs: number, inputs: number): Quantised {
  if (inputs % QUANTISED_BLOCK !== 0 || outputs % 2 !== 0) {
    throw new RangeError(`4-bit blocks do not divide a matrix of [${outputs}, ${inputs}].`);
  }
  const packed = new Uint8Array((inputs * outputs) / 2);
  const scales = new Float32Array((inputs / QUANTISED_BLOCK) * outputs);
  // Two outputs share a byte.
  for (let output = 0; output < outputs; output += 2) {
    for (let start = 0; start < inputs; start += QUANTISED_BLOCK) {
      const [even, odd] = [output * inputs + start, (output + 1) * inputs + start];
      const at = (start / QUANTISED_BLOCK) * outputs + output;
      const evenScale = scaleOf(matrix, even);
      const oddScale = scaleOf(matrix, odd);
      scales[at] = evenScale;
      scales[at + 1] = oddScale;
      const [low, high] = [inverseOf(evenScale), inverseOf(oddScale)];
      for (let i = 0; i < QUANTISED_BLOCK; i++) {
        const both = levelOf(matrix[even + i]!, low) | (levelOf(matrix[odd + i]!, high) << 4);
        // The mask turns both levels into 4-bit integers in two's complement.
        packed[((start + i) * outputs + output) >> 1] = both ^ 0x88;
      }
    }
  }
  return { packed, scales, block: QUANTISED_BLOCK };
}

/** Scale of the block that begins at this weight: it gives the largest weight the most negative level. */
export function scaleOf(weights: Float32Array, start: number): number {
  let largest = 0;
  let size = 0;
  for (let i = start; i < start + QUANTISED_BLOCK; i++) {
    const weight = weights[i]!;
    const each = weight < 0 ? -weight : weight;
    if (each <= size) continue;
    largest = weight;
    size = each;
  }
  return largest / LOWEST;
}

/** The level of a weight from 0 to 15, where 8 stands for 0. @param inverse of the scale; 0 for a scale of 0. */
export function levelOf(weight: number, inverse: number): number {
  // Truncation of a positive number rounds it down, much faster than `Math.round`.
  const level = (weight * inverse + 8.5) | 0;
  // A weight as large as the largest, of the other sign, has none above 15.
  return level > 15 ? 15 : level;
}

export const inverseOf = (scale: number): number => (scale === 0 ? 0 : 1 / scale);
