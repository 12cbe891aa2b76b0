/** Adds or subtracts word by word, modulo 2^32. */
export function addWords(sum: Uint32Array, words: Uint32Array, sign: 1 | -1): void {
  if (sign === 1) for (let i = 0; i < sum.length; i++) sum[i]! += words[i]!;
  else for (let i = 0; i < sum.length; i++) sum[i]! -= words[i]!;
}
