/** The discrete Fourier transform of complex numbers in place: radix 2, after Cooley and Tukey 1965. */

/** @param inverse without the division by the length. */
export function fourier(re: Float64Array, im: Float64Array, inverse: boolean): void {
  const size = re.length;
  reorder(re, im);
  const turn = ((inverse ? 2 : -2) * Math.PI) / size;
  const cos = Float64Array.from({ length: size / 2 }, (_, i) => Math.cos(turn * i));
  const sin = Float64Array.from({ length: size / 2 }, (_, i) => Math.sin(turn * i));
  for (let half = 1; half < size; half *= 2) {
    const stride = size / (2 * half);
    for (let start = 0; start < size; start += 2 * half) {
      for (let i = 0; i < half; i++) {
        const low = start + i;
        const high = low + half;
        const c = cos[i * stride]!;
        const s = sin[i * stride]!;
        const x = re[high]! * c - im[high]! * s;
        const y = re[high]! * s + im[high]! * c;
        re[high] = re[low]! - x;
        im[high] = im[low]! - y;
        re[low] = re[low]! + x;
        im[low] = im[low]! + y;
      }
    }
  }
}

/** Puts each number at the place whose bits are reversed. */
function reorder(re: Float64Array, im: Float64Array): void {
  const size = re.length;
  for (let i = 1, j = 0; i < size; i++) {
    let bit = size >> 1;
    for (; (j & bit) !== 0; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i >= j) continue;
    swap(re, i, j);
    swap(im, i, j);
  }
}

function swap(array: Float64Array, i: number, j: number): void {
  const kept = array[i]!;
  array[i] = array[j]!;
  array[j] = kept;
}
