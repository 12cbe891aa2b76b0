/** Parts of every grammar: seeded choices, sizes, and values that cost more than their text. */

export type Random = () => number;
export type Json = unknown;

export const MIB = 2 ** 20;
/** Bytes of the texts in a request to a language model: the limit, less the rest of the request. */
export const LANGUAGE_BYTES = 16 * MIB - 4096;
export const MANAGEMENT_BYTES = MIB - 4096;
/** Values of the amplified place: the most of a request, less the rest of the request. */
export const VALUES = 45_000;

/** From 0 to below 1. Mulberry32: the same seed gives the same bodies. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const pick = <T>(random: Random, from: readonly T[]): T =>
  from[Math.floor(random() * from.length)]!;
/** A whole number up to `most`; sizes of all magnitudes, and often the most. */
export const size = (random: Random, most: number): number =>
  random() < 0.3 ? most : Math.max(1, Math.floor(most ** random()));
export const repeat = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));

const PIECES = ['a', '"', '\\', '\u0001', 'ü', '漢', '🌊', '%', '/', '~1', '{"', '[', '\n', ' '];
export const text = (random: Random, bytes: number): string => {
  const piece = pick(random, PIECES);
  return piece.repeat(Math.max(1, Math.floor(bytes / Buffer.byteLength(JSON.stringify(piece)))));
};

/** A value that costs more than its text: many small ones, deep ones, or keys. */
export function anything(random: Random, bytes: number): Json {
  switch (Math.floor(random() * 5)) {
    case 0:
      return text(random, bytes);
    case 1:
      return repeat(Math.min(VALUES, Math.floor(bytes / 3)), () => pick(random, [{}, [], 0]));
    case 2:
      return Object.fromEntries(
        repeat(Math.min(4000, Math.floor(bytes / 12)), (i) => [`k${i}`, i]),
      );
    case 3: {
      let deep: Json = text(random, bytes / 2);
      for (let level = 0; level < 50; level++) deep = random() < 0.5 ? [deep] : { a: deep };
      return deep;
    }
    default: {
      const count = size(random, 4000);
      return repeat(Math.min(count, VALUES), () => text(random, bytes / count));
    }
  }
}
