/** bfloat16 in arithmetic that has no such type: the upper half of a float32's bits. */

const value = new Float32Array(1);
const bits = new Uint32Array(value.buffer);

/**
 * Rounds doubles to bfloat16, to nearest with ties to even, and returns their bits. Going through
 * float32 could round twice; only a float32 that lies exactly between two results can be wrong,
 * and there the double still tells which way to go.
 */
export function roundToBfloat16(from: Float64Array): Uint16Array<ArrayBuffer> {
  const to = new Uint16Array(from.length);
  for (let index = 0; index < from.length; index++) {
    const exact = from[index]!;
    value[0] = exact;
    const single = bits[0]!;
    if (exact !== exact) {
      to[index] = 0x7fc0;
      continue;
    }
    let upper = single >>> 16;
    const lower = single & 0xffff;
    const tie = lower === 0x8000;
    const beyond = Math.abs(exact) - Math.abs(value[0]);
    if (lower > 0x8000 || (tie && (beyond > 0 || (beyond === 0 && (upper & 1) === 1)))) upper++;
    to[index] = upper;
  }
  return to;
}

/** The values of bfloat16 bits. */
export function bfloat16Values(from: Uint16Array): Float32Array {
  const to = new Uint32Array(from.length);
  for (let index = 0; index < from.length; index++) to[index] = from[index]! << 16;
  return new Float32Array(to.buffer);
}
