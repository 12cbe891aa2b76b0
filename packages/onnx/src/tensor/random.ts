/**
 * A small seeded generator, for weights that are the same everywhere: xoshiro128** (Blackman and
 * Vigna, 2018), seeded through SplitMix32. Not for secrets.
 */
export interface Random {
  /** Uniform in [0, 1), with 32 random bits. */
  next(): number;
}

export function seededRandom(seed: number): Random {
  let mix = seed >>> 0;
  const splitMix = () => {
    mix = (mix + 0x9e3779b9) >>> 0;
    let z = mix;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
  let a = splitMix();
  let b = splitMix();
  let c = splitMix();
  let d = splitMix();
  return {
    next() {
      const scrambled = Math.imul(b, 5);
      const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9) >>> 0;
      const shifted = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= shifted;
      d = (d << 11) | (d >>> 21);
      return result / 2 ** 32;
    },
  };
}

/** `count` values for a layer before a ReLU: uniform with variance 2 / fanIn (He et al., 2015). */
export function kaiming(random: Random, count: number, fanIn: number): Float32Array {
  return uniform(random, count, Math.sqrt(6 / fanIn));
}

/** `count` values for a linear or saturating layer: uniform with variance 2 / (fanIn + fanOut) (Glorot and Bengio, 2010). */
export function xavier(random: Random, count: number, fanIn: number, fanOut: number): Float32Array {
  return uniform(random, count, Math.sqrt(6 / (fanIn + fanOut)));
}

/** Uniform rather than normal: it takes no logarithm, whose last bit differs between engines. */
function uniform(random: Random, count: number, bound: number): Float32Array {
  const result = new Float32Array(count);
  for (let i = 0; i < count; i++) result[i] = (random.next() * 2 - 1) * bound;
  return result;
}
