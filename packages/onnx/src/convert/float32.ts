/** Neighbours of a number in 32 bits: a graph compares 32-bit numbers. */

const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);

/** The largest 32-bit number that is less than the number. */
export function below(number: number): number {
  const rounded = Math.fround(number);
  return rounded < number ? rounded : previous(rounded);
}

/** The largest 32-bit number that is at most the number. */
export function atMost(number: number): number {
  const rounded = Math.fround(number);
  return rounded <= number ? rounded : previous(rounded);
}

/** The smallest 32-bit number that is greater than a 32-bit number. */
export function next(number: number): number {
  return -previous(-number);
}

function previous(number: number): number {
  if (number === -Infinity || Number.isNaN(number)) return number;
  // Two zeros: below both of them is the smallest negative number.
  if (number === 0) return -(2 ** -149);
  float[0] = number;
  bits[0]! += number > 0 ? -1 : 1;
  return float[0];
}
