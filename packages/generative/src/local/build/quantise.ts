/** 4-bit weights in blocks of 32 inputs: symmetric, one float32 scale per block (as Q4_0 of GGUF). */

/** Inputs that share a scale. */
const BLOCK = 32;
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
  if (inputs % BLOCK !== 0 || outputs % 2 !== 0) {
    throw new RangeError(`4-bit blocks do not divide a matrix of [${outputs}, ${inputs}].`);
  }
  const packed = new Uint8Array((inputs * outputs) / 2);
  const scales = new Float32Array((inputs / BLOCK) * outputs);
  for (let output = 0; output < outputs; output++) {
    const shift = (output % 2) * 4;
    for (let start = 0; start < inputs; start += BLOCK) {
      let largest = 0;
      for (let i = start; i < start + BLOCK; i++) {
        const weight = matrix[output * inputs + i]!;
        if (Math.abs(weight) > Math.abs(largest)) largest = weight;
      }
      const scale = largest / LOWEST;
      scales[(start / BLOCK) * outputs + output] = scale;
      if (scale === 0) continue;
      for (let i = start; i < start + BLOCK; i++) {
        const level = Math.round(matrix[output * inputs + i]! / scale);
        const bits = Math.max(LOWEST, Math.min(7, level)) & 15;
        packed[(i * outputs + output) >> 1]! |= bits << shift;
      }
    }
  }
  return { packed, scales, block: BLOCK };
}
