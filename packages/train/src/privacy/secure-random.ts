/**
 * Random numbers that nothing predicts: noise that can be computed again hides nothing. Bytes come
 * from the platform's cryptographic generator, in Node and in pages alike.
 */
export interface SecureRandom {
  /** Uniform over 0 … 2³² − 1. */
  uint32(): number;
  /** Uniform in [0, 1) with 53 bits. */
  unit(): number;
  /** Uniform over 0 … bound − 1, without bias; `bound` up to 2³². */
  below(bound: number): number;
}

/** Fills memory with random bytes, at most 65,536 at once. */
export type RandomBytes = (into: Uint8Array<ArrayBuffer>) => void;

/** Most bytes that `getRandomValues` gives at once. */
const CHUNK = 65_536;

/** @param fill only tests and auditors give one. */
export function secureRandom(
  fill: RandomBytes = (into) => void crypto.getRandomValues(into),
): SecureRandom {
  const bytes = new Uint8Array(CHUNK);
  const words = new Uint32Array(bytes.buffer);
  let at = words.length;
  const uint32 = (): number => {
    if (at === words.length) {
      fill(bytes);
      at = 0;
    }
    const word = words[at]!;
    // The drawn bytes are not left in memory.
    words[at++] = 0;
    return word;
  };
  return {
    uint32,
    unit: () => ((uint32() >>> 5) * 2 ** 26 + (uint32() >>> 6)) / 2 ** 53,
    below(bound) {
      const limit = 2 ** 32 - (2 ** 32 % bound);
      for (;;) {
        const word = uint32();
        if (word < limit) return word % bound;
      }
    },
  };
}
