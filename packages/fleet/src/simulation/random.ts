/** Seeded random numbers: mulberry32, and the distributions that a simulation draws from. */

export interface Random {
  /** In [0, 1). */
  (): number;
}

export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d_2b_79_f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A draw with mean 1. */
export function exponential(random: Random): number {
  return -Math.log(1 - random());
}

/** A draw with median 1. @param sigma standard deviation of its logarithm. */
export function lognormal(random: Random, sigma: number): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random()));
  return Math.exp(sigma * radius * Math.cos(2 * Math.PI * random()));
}
