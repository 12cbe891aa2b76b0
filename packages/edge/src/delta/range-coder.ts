/**
 * An adaptive binary range coder: bits that are likely take a small part of a bit. Encoder and decoder have one
 * interface, so that a model of numbers is written once for both.
 *
 * G. N. N. Martin, Range encoding (1979), with the carry of Igor Pavlov's LZMA, and two rates of adaption.
 */
import type { Bytes } from '../trust/source.ts';

/** Probabilities that a bit is 0, out of 2^16, one for each context. */
export interface Probabilities {
  /** Follows the last 30 bits. */
  readonly fast: Uint16Array;
  /** Follows the last 250. */
  readonly slow: Uint16Array;
}

export interface BitCoder {
  /** @param bit what is encoded; a decoder takes no notice of it. @returns the bit. */
  bit(of: Probabilities, context: number, bit: number): number;
  /** A bit for which 0 and 1 are as likely. */
  evenBit(bit: number): number;
}

const FAST_SHIFT = 5;
const SLOW_SHIFT = 8;
const ONE = 65_535;
/** Bits of a probability that divide the range, which has at least 24. */
const PRECISION = 12;
const LEAST_RANGE = 2 ** 24;

export function probabilities(contexts: number): Probabilities {
  return {
    fast: new Uint16Array(contexts).fill(2 ** 15),
    slow: new Uint16Array(contexts).fill(2 ** 15),
  };
}

/** The part of the range that stands for 0. */
function share({ fast, slow }: Probabilities, context: number, range: number): number {
  const chance = (fast[context]! + slow[context]!) >>> (17 - PRECISION);
  return (range >>> PRECISION) * Math.min(2 ** PRECISION - 1, Math.max(1, chance));
}

function learn({ fast, slow }: Probabilities, context: number, bit: number): void {
  if (bit === 0) {
    fast[context]! += (ONE - fast[context]!) >>> FAST_SHIFT;
    slow[context]! += (ONE - slow[context]!) >>> SLOW_SHIFT;
  } else {
    fast[context]! -= fast[context]! >>> FAST_SHIFT;
    slow[context]! -= slow[context]! >>> SLOW_SHIFT;
  }
}

export function encoder(): BitCoder & { finish(): Bytes } {
  let bytes = new Uint8Array(1024);
  let length = 0;
  let low = 0;
  let range = 2 ** 32 - 1;
  /** The last byte, and 0xff bytes after it, which a carry may still change. It begins with a zero, which is dropped. */
  let held = 0;
  let heldCount = 1;
  const put = (byte: number): void => {
    if (length === bytes.length) {
      const larger = new Uint8Array(2 * length);
      larger.set(bytes);
      bytes = larger;
    }
    bytes[length++] = byte;
  };
  const shift = (): void => {
    if (low < 0xff00_0000 || low >= 2 ** 32) {
      const carry = low >= 2 ** 32 ? 1 : 0;
      put(held + carry);
      for (; heldCount > 1; heldCount--) put(0xff + carry);
      heldCount = 0;
      held = (low >>> 24) & 0xff;
    }
    heldCount++;
    low = (low & 0x00ff_ffff) * 256;
  };
  const narrow = (zero: number, bit: number): void => {
    if (bit === 0) range = zero;
    else {
      low += zero;
      range -= zero;
    }
    while (range < LEAST_RANGE) {
      shift();
      range *= 256;
    }
  };
  return {
    bit(of, context, bit) {
      narrow(share(of, context, range), bit);
      learn(of, context, bit);
      return bit;
    },
    evenBit(bit) {
      narrow(range >>> 1, bit);
      return bit;
    },
    finish() {
      for (let i = 0; i < 5; i++) shift();
      return bytes.slice(1, length);
    },
  };
}

/** Reads zeros after the end, so that it ends for any bytes. */
export function decoder(bytes: Uint8Array): BitCoder {
  let at = 0;
  let range = 2 ** 32 - 1;
  let code = 0;
  const next = (): number => (at < bytes.length ? bytes[at++]! : 0);
  for (let i = 0; i < 4; i++) code = code * 256 + next();
  const narrow = (zero: number): number => {
    const bit = code < zero ? 0 : 1;
    if (bit === 0) range = zero;
    else {
      code -= zero;
      range -= zero;
    }
    while (range < LEAST_RANGE) {
      code = code * 256 + next();
      range *= 256;
    }
    return bit;
  };
  return {
    bit(of, context) {
      const bit = narrow(share(of, context, range));
      learn(of, context, bit);
      return bit;
    },
    evenBit: () => narrow(range >>> 1),
  };
}
