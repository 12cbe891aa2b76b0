/**
 * The KV cache of all rows in one piece of memory per layer, for keys and for values.
 *
 *   part: [rows, heads, context, headSize]; tokens 0 … length - 1 of a row are valid
 *
 * The rows that decode are the first ones, so that a batch is a prefix of the slab and no byte is
 * gathered. A row that leaves is replaced by the last one: one copy of its valid tokens.
 */
export type CacheArray = Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;

export interface SlabShape {
  readonly type: 'float32' | 'float16';
  readonly layers: number;
  readonly rows: number;
  readonly heads: number;
  readonly context: number;
  readonly headSize: number;
}

/** Bytes of one token in one row. */
export function bytesPerToken({
  type,
  layers,
  heads,
  headSize,
}: Omit<SlabShape, 'rows' | 'context'>): number {
  return layers * 2 * heads * headSize * (type === 'float32' ? 4 : 2);
}

export class Slab {
  readonly shape: SlabShape;
  /** Keys of layer 0, values of layer 0, keys of layer 1, … */
  readonly parts: readonly CacheArray[];
  readonly #row: number;
  readonly #head: number;

  constructor(shape: SlabShape) {
    this.shape = shape;
    this.#head = shape.context * shape.headSize;
    this.#row = shape.heads * this.#head;
    const length = shape.rows * this.#row;
    this.parts = Array.from({ length: shape.layers * 2 }, () => newArray(shape.type, length));
  }

  /** A view of `count` rows of a part. */
  view(part: number, first: number, count: number): CacheArray {
    return this.parts[part]!.subarray(first * this.#row, (first + count) * this.#row);
  }

  /** Copies the first `length` tokens of a row over another row. */
  move(from: number, to: number, length: number): void {
    const { heads, headSize } = this.shape;
    for (const part of this.parts) {
      for (let head = 0; head < heads; head++) {
        const source = from * this.#row + head * this.#head;
        part.copyWithin(to * this.#row + head * this.#head, source, source + length * headSize);
      }
    }
  }

  /** A copy of `count` tokens: [parts, heads, count, headSize]. */
  read(row: number, start: number, count: number): CacheArray {
    const { heads, headSize, type } = this.shape;
    const size = count * headSize;
    const block = newArray(type, this.parts.length * heads * size);
    let at = 0;
    for (const part of this.parts) {
      for (let head = 0; head < heads; head++, at += size) {
        const source = row * this.#row + head * this.#head + start * headSize;
        block.set(part.subarray(source, source + size), at);
      }
    }
    return block;
  }

  /** Writes what `read` returned. */
  write(row: number, start: number, block: CacheArray): void {
    const { heads, headSize } = this.shape;
    const size = block.length / (this.parts.length * heads);
    let at = 0;
    for (const part of this.parts) {
      for (let head = 0; head < heads; head++, at += size) {
        const target = row * this.#row + head * this.#head + start * headSize;
        part.set(block.subarray(at, at + size), target);
      }
    }
  }

  /** Copies tokens `start` … of one row out of a tensor [batch, heads, length, headSize] of a part. */
  take(
    part: number,
    row: number,
    start: number,
    count: number,
    from: CacheArray,
    index: number,
    length: number,
    at: number,
  ): void {
    const { heads, headSize } = this.shape;
    for (let head = 0; head < heads; head++) {
      const source = ((index * heads + head) * length + at) * headSize;
      const target = row * this.#row + head * this.#head + start * headSize;
      this.parts[part]!.set(from.subarray(source, source + count * headSize), target);
    }
  }

  /** Copies the first `count` tokens of one row into a tensor [batch, heads, length, headSize] of a part. */
  give(
    part: number,
    row: number,
    count: number,
    to: CacheArray,
    index: number,
    length: number,
  ): void {
    const { heads, headSize } = this.shape;
    for (let head = 0; head < heads; head++) {
      const source = row * this.#row + head * this.#head;
      const target = (index * heads + head) * length * headSize;
      to.set(this.parts[part]!.subarray(source, source + count * headSize), target);
    }
  }
}

export function newArray(type: 'float32' | 'float16', length: number): CacheArray {
  return type === 'float32' ? new Float32Array(length) : new Uint16Array(length);
}
