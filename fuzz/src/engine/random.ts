/**
 * Random numbers that depend on a seed and the number of an input only, so that any single input can
 * be made again without those before it. The generator is sfc32 (PractRand), seeded by splitmix32.
 */
export class Random {
  #a = 0;
  #b = 0;
  #c = 0;
  #counter = 1;

  /** Begins the sequence of input `index` under `seed`. */
  reset(seed: number, index: number): void {
    let state = (seed ^ Math.imul(index + 1, 0x9e3779b1)) >>> 0;
    const word = () => {
      state = (state + 0x9e3779b9) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
      return (mixed ^ (mixed >>> 15)) | 0;
    };
    [this.#a, this.#b, this.#c, this.#counter] = [word(), word(), word() ^ seed, 1];
    for (let round = 0; round < 8; round++) this.word();
  }

  /** 32 random bits, from 0 to 2³² − 1. */
  word(): number {
    const sum = (this.#a + this.#b + this.#counter++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return sum >>> 0;
  }

  /** An integer from 0 to `end` − 1. */
  below(end: number): number {
    return Math.floor((this.word() / 2 ** 32) * end);
  }

  /** True once in `times`. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}
