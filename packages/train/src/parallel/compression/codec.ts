/** A form of numbers that takes fewer bytes: each compression is one. */
export interface Codec {
  /** Bytes, as float32 words, that `encode` writes at most. */
  readonly words: number;
  /** Writes the numbers; returns how many words that took. */
  encode(numbers: Float64Array, into: Int32Array): number;
  /** Adds the written numbers to `into`. */
  addTo(numbers: Float64Array, words: Int32Array, sign: 1 | -1): void;
}
