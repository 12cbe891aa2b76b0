/**
 * Differences of two tensors, number by number, as integers of one, two or four bytes. Retrained weights differ by
 * little: most differences of weights on one grid are 0 or ±1, and differences of floats are small as integers too.
 *
 * A difference is coded as its number of bits, its bits below the first, and its sign. The number of bits is expected
 * by the differences before it, because channels and layers change by unequal amounts.
 */
import { probabilities, type BitCoder } from './range-coder.ts';

/** Bytes of a number. */
export type Width = 1 | 2 | 4;

/** Contexts by the recent number of bits. */
const LEVELS = 16;
/** Sixteenths of a bit in a level, as a shift: most differences of small integers have less than two bits. */
const LEVEL_SHIFT = { 1: 1, 2: 4, 4: 5 } as const;
/** Bits of the number of bits. */
const DEPTH = { 1: 3, 2: 4, 4: 5 } as const;
/** Bits below the first one that have contexts; those after them are even. */
const SHAPED = 3;

/** Codes differences one after another; a decoder takes no notice of `difference`. */
export function differenceCoder(coder: BitCoder, width: Width): (difference: number) => number {
  const { [width]: depth } = DEPTH;
  const { [width]: shift } = LEVEL_SHIFT;
  const nodes = 2 ** depth;
  const zeros = probabilities(LEVELS * 2);
  const counts = probabilities(LEVELS * nodes);
  const shapes = probabilities(33 * 2 ** SHAPED);
  const signs = probabilities(3);
  /** Sixteenths of a bit, decaying. */
  let level = 0;
  let wasZero = 1;
  let lastSign = 0;

  return (difference) => {
    const size = Math.abs(difference);
    const context = Math.min(LEVELS - 1, level >>> shift);
    if (coder.bit(zeros, context * 2 + wasZero, size === 0 ? 1 : 0) === 1) {
      level -= (level + 7) >>> 3;
      wasZero = 1;
      return 0;
    }
    wasZero = 0;
    let node = 1;
    const wanted = 31 - Math.clz32(size);
    for (let i = depth - 1; i >= 0; i--) {
      node = node * 2 + coder.bit(counts, context * nodes + node, (wanted >>> i) & 1);
    }
    /** Bits below the first one. */
    const bits = node - nodes;
    let value = 1;
    for (let i = bits - 1; i >= 0; i--) {
      const bit = (size >>> i) & 1;
      const at = bits - 1 - i;
      const got =
        at < SHAPED ? coder.bit(shapes, (bits << SHAPED) | (value & 7), bit) : coder.evenBit(bit);
      value = value * 2 + got;
    }
    const sign = coder.bit(signs, lastSign, difference < 0 ? 1 : 0);
    lastSign = 1 + sign;
    level += ((bits + 1) * 16 - level) >> 3;
    return sign === 1 ? -value : value;
  };
}

/** Reads and writes little-endian integers, as tensors are stored. */
export interface Numbers {
  readonly read: (bytes: Uint8Array, at: number) => number;
  readonly write: (bytes: Uint8Array, at: number, value: number) => void;
  /** A difference in the range of a signed integer of the width. */
  readonly wrap: (difference: number) => number;
}

export const NUMBERS: Readonly<Record<Width, Numbers>> = {
  1: {
    read: (bytes, at) => bytes[at]!,
    write: (bytes, at, value) => {
      bytes[at] = value;
    },
    wrap: (difference) => (difference << 24) >> 24,
  },
  2: {
    read: (bytes, at) => bytes[at]! | (bytes[at + 1]! << 8),
    write: (bytes, at, value) => {
      bytes[at] = value;
      bytes[at + 1] = value >>> 8;
    },
    wrap: (difference) => (difference << 16) >> 16,
  },
  4: {
    read: (bytes, at) =>
      bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24),
    write: (bytes, at, value) => {
      bytes[at] = value;
      bytes[at + 1] = value >>> 8;
      bytes[at + 2] = value >>> 16;
      bytes[at + 3] = value >>> 24;
    },
    wrap: (difference) => difference | 0,
  },
};
