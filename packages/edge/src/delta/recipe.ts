/**
 * The recipe of a delta: how the bytes of a new file come from its parent's. Steps cover the new file from its
 * first byte to its last:
 *
 *   form (1 byte) | steps: kind, length, place in the parent, or the bytes of an insert | differences, range coded
 *
 * Numbers are LEB128. A recipe from a network may be anything: it is read within the length that was signed, and what
 * comes out counts only with the digest that was signed.
 */
import { untrusted } from '../trust/metadata.ts';
import type { Bytes } from '../trust/source.ts';
import { differenceCoder, NUMBERS, type Width } from './differences.ts';
import { decoder, encoder } from './range-coder.ts';

const FORM = 1;
const KINDS = ['copy', 'insert', 1, 2, 4] as const;
/** Nine digits of seven bits would go beyond the integers of a number; a length has at most five. */
const MOST_DIGITS = 5;

/** `from`: place in the parent. `length`: bytes of the new file. */
export type Step =
  | { readonly kind: 'copy' | Width; readonly length: number; readonly from: number }
  | { readonly kind: 'insert'; readonly length: number };

/** @param steps that cover `target`. */
export function writeRecipe(parent: Uint8Array, target: Uint8Array, steps: readonly Step[]): Bytes {
  const head: Uint8Array[] = [Uint8Array.of(FORM)];
  const coder = encoder();
  const coders = codersOf(coder);
  let at = 0;
  for (const step of steps) {
    const { kind, length } = step;
    head.push(digits(KINDS.indexOf(kind)), digits(length));
    if (step.kind === 'insert') head.push(target.subarray(at, at + length));
    else head.push(digits(step.from));
    if (typeof step.kind === 'number') {
      const { read, wrap } = NUMBERS[step.kind];
      for (let i = 0; i < length; i += step.kind) {
        coders[step.kind](wrap(read(target, at + i) - read(parent, step.from + i)));
      }
    }
    at += length;
  }
  return joined([...head, coder.finish()]);
}

/**
 * The new file.
 * @param length of the new file, as it was signed; no more is made.
 * @throws SkeinError EDGE_UNTRUSTED for a recipe that does not cover the new file, or reads beyond its parent.
 */
export function followRecipe(parent: Uint8Array, recipe: Uint8Array, length: number): Bytes {
  let place = 0;
  const byte = (): number => {
    if (place >= recipe.length) throw untrusted('The delta ends within its recipe.');
    return recipe[place++]!;
  };
  const number = (): number => {
    let value = 0;
    for (let digit = 0; digit < MOST_DIGITS; digit++) {
      const next = byte();
      value += (next & 0x7f) * 128 ** digit;
      if (next < 0x80) return value;
    }
    throw untrusted('The delta has a number of too many digits.');
  };
  if (byte() !== FORM) throw untrusted('The delta has a form that this device does not read.');
  const target = new Uint8Array(length);
  const differences: {
    readonly width: Width;
    readonly at: number;
    readonly from: number;
    readonly end: number;
  }[] = [];
  for (let at = 0; at < length;) {
    const kind = KINDS[number()];
    const size = number();
    if (kind === undefined || size === 0 || size > length - at) {
      throw untrusted(`The delta has an impossible step at byte ${at}.`);
    }
    if (kind === 'insert') {
      if (size > recipe.length - place) throw untrusted('The delta ends within its recipe.');
      target.set(recipe.subarray(place, place + size), at);
      place += size;
    } else {
      const from = number();
      if (from + size > parent.length) throw untrusted('The delta reads beyond its parent.');
      if (kind === 'copy') target.set(parent.subarray(from, from + size), at);
      else if (size % kind === 0) differences.push({ width: kind, at, from, end: at + size });
      else throw untrusted(`The delta has a part of a number at byte ${at}.`);
    }
    at += size;
  }
  const coders = codersOf(decoder(recipe.subarray(place)));
  for (const { width, at, from, end } of differences) {
    const { read, write } = NUMBERS[width];
    const next = coders[width];
    for (let to = at, i = from; to < end; to += width, i += width) {
      write(target, to, read(parent, i) + next(0));
    }
  }
  return target;
}

function codersOf(coder: Parameters<typeof differenceCoder>[0]) {
  return {
    1: differenceCoder(coder, 1),
    2: differenceCoder(coder, 2),
    4: differenceCoder(coder, 4),
  } as const;
}

function digits(value: number): Uint8Array {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 0x80; left = Math.floor(left / 128)) bytes.push((left % 128) | 0x80);
  return Uint8Array.from([...bytes, left]);
}

function joined(parts: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
