/** Mean of a stream of tensors at each index along an axis. */
export class ChannelMeans {
  readonly #axis: number;
  #sums = new Float64Array(0);
  #count = 0;

  /** @param axis counted from the end when it is negative. */
  constructor(axis: number) {
    this.#axis = axis;
  }

  add(numbers: Float32Array, shape: readonly number[]): void {
    const axis = this.#axis < 0 ? shape.length + this.#axis : this.#axis;
    const channels = shape[axis] ?? 0;
    if (channels === 0 || numbers.length === 0) return;
    if (this.#sums.length !== channels) {
      if (this.#sums.length > 0) throw new RangeError(`The size of axis ${axis} changes.`);
      this.#sums = new Float64Array(channels);
    }
    const inner = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
    let channel = 0;
    for (let at = 0; at < numbers.length; at += inner) {
      let sum = 0;
      for (let i = at; i < at + inner; i++) sum += numbers[i]!;
      this.#sums[channel]! += sum;
      channel = channel + 1 === channels ? 0 : channel + 1;
    }
    this.#count += numbers.length / channels;
  }

  /** Empty before any tensor. */
  get means(): Float64Array {
    return this.#sums.map((sum) => sum / this.#count);
  }
}
