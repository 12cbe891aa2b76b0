/** What the noise of so many rounds adds up to in the model, over the variance of z: the last row of B, squared. */
export function bandedPrefix(bands: number, rounds: number): number {
  // C: the square root of prefix sums, cut off and of norm 1.
  const root = [1];
  for (let k = 1; k < bands; k += 1) root.push((root[k - 1]! * (2 * k - 1)) / (2 * k));
  const norm = Math.hypot(...root);
  const inverse: number[] = [];
  for (let t = 0; t < rounds; t += 1) {
    let rest = t === 0 ? norm : 0;
    for (let j = 1; j < bands && j <= t; j += 1) rest -= root[j]! * inverse[t - j]!;
    inverse.push(rest);
  }
  let [prefix, sum] = [0, 0];
  for (const each of inverse) {
    prefix += each;
    sum += prefix ** 2;
  }
  return sum;
}
