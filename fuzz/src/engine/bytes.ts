/** Inputs as plain bytes: flips, extremes, cuts, copies, splices, and words of a dictionary. */
import type { Random } from './random.ts';
import type { Structure } from './target.ts';

/** No input grows beyond this by copying. */
const LARGEST_BYTES = 1 << 16;
const MOST_CHANGES = 6;
const EXTREMES = [
  0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
];
const NUMBERS = [
  '0',
  '-1',
  '1e309',
  '-0',
  '9007199254740993',
  '18446744073709551616',
  '0.1e-400',
  '٣',
];

/** @param dictionary words with a meaning for the target. */
export function bytesInput(dictionary: readonly string[] = []): Structure {
  const words = dictionary.map((word) => Buffer.from(word, 'latin1'));
  return {
    mutate: (seeds, random) => changedBytes(random.pick(seeds), seeds, words, random),
    shrink: shorter,
  };
}

export function changedBytes(
  seed: Uint8Array,
  seeds: readonly Uint8Array[],
  words: readonly Uint8Array[],
  random: Random,
): Uint8Array {
  let bytes = Uint8Array.from(seed);
  const changes = 1 + random.below(MOST_CHANGES);
  for (let change = 0; change < changes; change++) bytes = changed(bytes, seeds, words, random);
  return bytes;
}

function changed(
  bytes: Uint8Array<ArrayBuffer>,
  seeds: readonly Uint8Array[],
  words: readonly Uint8Array[],
  random: Random,
): Uint8Array<ArrayBuffer> {
  const at = random.below(bytes.length + 1);
  const length = 1 + random.below(1 << random.below(8));
  switch (random.below(words.length > 0 ? 11 : 9)) {
    case 0:
      if (at < bytes.length) bytes[at]! ^= 1 << random.below(8);
      return bytes;
    case 1:
      if (at < bytes.length) bytes[at] = random.word();
      return bytes;
    case 2:
      return spliced(bytes, at, length, []);
    case 3:
      return spliced(
        bytes,
        at,
        0,
        Uint8Array.from({ length }, () => random.word()),
      );
    case 4: {
      // A copy of a part, once or many times.
      const part = bytes.subarray(at, at + length);
      const times = random.oneIn(20) ? 1 + random.below(500) : 1;
      const copies = new Uint8Array(Math.min(part.length * times, LARGEST_BYTES));
      for (let to = 0; to < copies.length; to += part.length) {
        copies.set(part.subarray(0, copies.length - to), to);
      }
      return spliced(bytes, random.below(bytes.length + 1), 0, copies);
    }
    case 5: {
      const other = random.pick(seeds);
      const from = random.below(other.length + 1);
      return spliced(
        bytes,
        at,
        random.oneIn(2) ? length : 0,
        other.subarray(from, from + length * 4),
      );
    }
    case 6: {
      const width = random.pick([1, 2, 4, 8]);
      if (at + width > bytes.length) return bytes;
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      const value = random.pick(EXTREMES);
      if (width === 1) view.setUint8(at, value);
      else if (width === 2) view.setUint16(at, value, random.oneIn(2));
      else if (width === 4) view.setUint32(at, value, random.oneIn(2));
      else view.setBigInt64(at, BigInt(value) << BigInt(random.below(32)), random.oneIn(2));
      return bytes;
    }
    case 7:
      return spliced(bytes, at, random.oneIn(2) ? 1 : 0, Buffer.from(random.pick(NUMBERS)));
    case 8:
      return random.oneIn(4) ? bytes.slice(0, at) : bytes;
    default:
      return spliced(bytes, at, random.oneIn(2) ? length : 0, random.pick(words));
  }
}

function spliced(
  bytes: Uint8Array,
  at: number,
  removed: number,
  added: ArrayLike<number>,
): Uint8Array<ArrayBuffer> {
  const end = Math.min(bytes.length, at + removed);
  const kept = bytes.length - (end - at);
  const length = Math.max(0, Math.min(added.length, LARGEST_BYTES - kept));
  const result = new Uint8Array(kept + length);
  result.set(bytes.subarray(0, at));
  for (let i = 0; i < length; i++) result[at + i] = added[i]!;
  result.set(bytes.subarray(end), at + length);
  return result;
}

/** The input without a part of it: halves first, single bytes last. */
export function* shorter(input: Uint8Array): Generator<Uint8Array> {
  for (let size = input.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at + size <= input.length; at += size) yield spliced(input, at, size, []);
  }
}
