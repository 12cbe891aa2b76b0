/**
 * Parses the numbers of a JSON array directly from the request's bytes into typed memory.
 *
 * `JSON.parse` creates an array of boxed doubles that is discarded at once, and cannot represent
 * 64-bit integers. Parsing the digits here is faster (784 floats with all their digits: 11 µs
 * instead of 20; with four decimals: 8 instead of 18), leaves no garbage, and keeps every INT64 and
 * UINT64 exact. It accepts what JSON accepts, and for floating point also NaN and the infinities:
 * bare, as Triton's parser accepts them and Python's `json` writes them, and as the strings of
 * Protocol Buffers' JSON mapping. `null`, a missing value, is NaN.
 *
 * Rounding is exact. A decimal below 2⁵³ and a power of ten up to 10²² are both exact doubles, so
 * one multiplication or division rounds once and correctly (Clinger, PLDI 1990). A longer decimal
 * that becomes a float32 is computed with a known error bound; when both ends of
 * the bound round to the same float, that is the answer. Everything else goes through `Number()`.
 */
import { freePiece } from '@skein/api/owned-memory';
import { elementCount, elementSize, type NumericTensor, type NumericType } from '@skein/onnx';
import {
  malformed,
  misfit,
  misplaced,
  nesting,
  tooFew,
  tooMany,
  type Reader,
} from './json-number-errors.ts';
import { narrow, type Narrowed, NUMBER_RULES } from '../tensors/number-types.ts';
import { MAX_RANK } from '../tensors/tensor-bytes.ts';
import { invalidData } from '../../brief.ts';

const EXACT = 2 ** 53;
const POWERS_OF_TEN = Float64Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));
/** Relative error bound of a decimal of up to 28 characters that was accumulated in a double. */
const SLACK = 2 ** -46;

const SPACE = 0x20;
const COMMA = 0x2c;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const QUOTE = 0x22;
const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const LOWER_E = 0x65;
const UPPER_E = 0x45;

/** Closed arrays by the depth of their parent; one reader runs at a time. */
const children = new Int32Array(MAX_RANK + 1);
/** Doubles before the conversion to their type. Grows to the largest tensor up to a bound, so that most requests allocate only their result. */
let scratch = new Float64Array(1024);
const MAX_SCRATCH = 1 << 18;

/**
 * Parses the array at `start` as a tensor. Data may be flat, or nested exactly like the shape.
 *
 * @param bytes the request; `bytes[start]` is the array's `[` and a matching `]` is known to follow
 *   before `end`.
 * @throws SkeinError BODY_NOT_JSON, or INPUT_DATA if the values do not fill the shape or do not fit
 *   the type.
 */
export function readNumbers(
  bytes: Buffer,
  start: number,
  end: number,
  type: NumericType,
  shape: readonly number[],
  input: string,
): NumericTensor {
  const count = elementCount(shape);
  // An element takes two bytes at least: reject a larger shape before allocating memory for it.
  if (count > (end - start) / 2) {
    throw invalidData(
      `Input "${input}" has the shape [${shape.join(', ')}], which takes ${count} values; its data hold fewer.`,
    );
  }
  const reader = { bytes, start, type, shape, input, count };
  if (type === 'int64' || type === 'uint64') {
    const wide = type === 'int64' ? new BigInt64Array(count) : new BigUint64Array(count);
    scan(reader, scratch, wide, undefined);
    return { type, shape, bytes: new Uint8Array(wide.buffer) };
  }
  if (count > scratch.length && scratch.length < MAX_SCRATCH) {
    scratch = new Float64Array(Math.min(Math.max(count, 2 * scratch.length), MAX_SCRATCH));
  }
  const parts = count <= scratch.length ? undefined : new Uint8Array(count * elementSize(type));
  scan(reader, scratch, undefined, parts);
  const rest = new Uint8Array(narrow(type, scratch.subarray(0, restOf(count))));
  if (parts === undefined) return { type, shape, bytes: rest };
  parts.set(rest, parts.length - rest.length);
  return { type, shape, bytes: parts };
}

/** Numbers of a tensor that are in `scratch` at its end: all of a small one. */
function restOf(count: number): number {
  return count === 0 ? 0 : ((count - 1) % scratch.length) + 1;
}

/**
 * One pass over the array. Doubles go to `sink`, and when it is full, in their type, to `parts`; 64-bit integers
 * go to `wide`, as two words while they are exact doubles, which needs no BigInt.
 *
 * One long function on purpose: its state is in local variables, which makes it fast.
 */
function scan(
  reader: Reader,
  sink: Float64Array,
  wide: BigInt64Array | BigUint64Array | undefined,
  parts: Uint8Array | undefined,
): void {
  const { bytes, type, shape, count } = reader;
  const rule = NUMBER_RULES[type];
  const { min, max, integer, single } = rule;
  const words = wide === undefined ? undefined : new Uint32Array(wide.buffer);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const lastWord = bytes.byteLength - 4;
  let at = reader.start + 1;
  let index = 0;
  /** Index of the first number of `sink`, and the index at which it is full. */
  let base = 0;
  let full = parts === undefined ? count : sink.length;
  let depth = 1;
  /** Depth of the values; 0 until the first one. */
  let leafDepth = 0;
  /** Start of the innermost array. */
  let leafStart = 0;
  /** An element must follow (after a comma), as opposed to may follow (after `[`). */
  let required = false;
  children[1] = 0;

  for (;;) {
    let byte = bytes[at]!;
    while (byte <= SPACE && isSpace(byte)) byte = bytes[++at]!;

    if (byte === OPEN) {
      depth++;
      if (depth > shape.length || (leafDepth !== 0 && depth > leafDepth)) throw nesting(reader);
      children[depth] = 0;
      leafStart = index;
      required = false;
      at++;
      continue;
    }

    if (byte === CLOSE) {
      if (required) throw malformed(reader, at);
    } else {
      // One element.
      if (leafDepth !== depth) {
        if (leafDepth !== 0) throw nesting(reader);
        leafDepth = depth;
      }
      if (index === full) {
        if (index === count) throw tooMany(reader);
        const part = new Uint8Array(narrow(type as Narrowed, sink));
        parts!.set(part, (base / sink.length) * part.length);
        freePiece(part);
        base = index;
        full = Math.min(count, base + sink.length);
      }
      const begin = at;
      let value: number;
      if (byte === QUOTE || byte > NINE || (byte === MINUS && bytes[at + 1]! > NINE)) {
        const word = readWord(reader, at);
        value = word.value;
        at += word.text.length;
      } else {
        const negative = byte === MINUS;
        if (negative) byte = bytes[++at]!;
        let digit = byte - ZERO;
        let mantissa = 0;
        let exponent = 0;
        if (digit === 0) {
          byte = bytes[++at]!;
        } else if (digit > 0 && digit <= 9) {
          do {
            mantissa = mantissa * 10 + digit;
            digit = bytes[++at]! - ZERO;
          } while (digit >= 0 && digit <= 9);
          byte = digit + ZERO;
        } else {
          throw malformed(reader, at);
        }
        if (byte === DOT) {
          const fraction = ++at;
          while (at <= lastWord) {
            const word = view.getInt32(at, true);
            if (!areDigits(word)) break;
            mantissa = mantissa * 10_000 + fourDigits(word);
            at += 4;
          }
          digit = bytes[at]! - ZERO;
          // One unsigned comparison instead of two; the array's `]` ends the loop at the latest.
          while (digit >>> 0 <= 9) {
            mantissa = mantissa * 10 + digit;
            digit = bytes[++at]! - ZERO;
          }
          exponent = fraction - at;
          if (exponent === 0) throw malformed(reader, at);
          byte = digit + ZERO;
        }
        if (byte === LOWER_E || byte === UPPER_E) {
          byte = bytes[++at]!;
          const below = byte === MINUS;
          if (below || byte === PLUS) byte = bytes[++at]!;
          digit = byte - ZERO;
          if (!(digit >= 0 && digit <= 9)) throw malformed(reader, at);
          let power = 0;
          do {
            if (power < 100_000) power = power * 10 + digit;
            digit = bytes[++at]! - ZERO;
          } while (digit >= 0 && digit <= 9);
          exponent += below ? -power : power;
        }
        if (mantissa < EXACT && exponent <= 22 && exponent >= -22) {
          value =
            exponent === 0
              ? mantissa
              : exponent < 0
                ? mantissa / POWERS_OF_TEN[-exponent]!
                : mantissa * POWERS_OF_TEN[exponent]!;
        } else {
          value = NaN;
          if (single && exponent <= 22 && exponent >= -22 && at - begin <= 28) {
            value =
              exponent < 0
                ? mantissa / POWERS_OF_TEN[-exponent]!
                : mantissa * POWERS_OF_TEN[exponent]!;
            const settled = Math.fround(value * (1 - SLACK)) === Math.fround(value * (1 + SLACK));
            if (!settled) value = NaN;
          }
          // Only the first character can be a minus sign, which is applied below.
          if (value !== value)
            value = Number(bytes.toString('latin1', negative ? begin + 1 : begin, at));
        }
        if (negative) value = -value;
        if (!(value >= min && value <= max) || (integer && value % 1 !== 0 && wide === undefined)) {
          throw misfit(reader, begin, at);
        }
        if (wide !== undefined && !(value < EXACT && value > -EXACT && value % 1 === 0)) {
          wide[index] = exactInteger(reader, begin, at);
          value = NaN;
        }
      }
      if (words === undefined) {
        sink[index++ - base] = value;
      } else {
        if (value === value) {
          const high = Math.floor(value / 0x1_0000_0000);
          words[2 * index] = value - high * 0x1_0000_0000;
          words[2 * index + 1] = high;
        }
        index++;
      }
      byte = bytes[at]!;
      while (byte <= SPACE && isSpace(byte)) byte = bytes[++at]!;
    }

    // After an element, or at the end of an empty array.
    while (byte === CLOSE) {
      at++;
      if (leafDepth > 1) {
        const size = depth === leafDepth ? index - leafStart : children[depth];
        if (size !== shape[depth - 1]) throw nesting(reader);
      }
      depth--;
      if (depth === 0) {
        if (leafDepth > 1 && leafDepth !== shape.length) throw nesting(reader);
        if (index < count) throw tooFew(reader, index);
        return;
      }
      children[depth]!++;
      byte = bytes[at]!;
      while (byte <= SPACE && isSpace(byte)) byte = bytes[++at]!;
    }
    if (byte !== COMMA) throw malformed(reader, at);
    at++;
    required = true;
  }
}

/** Whether the four bytes of a little-endian word are ASCII digits: 0x30 to 0x39. */
function areDigits(word: number): boolean {
  return (word & 0xf0f0f0f0) === 0x30303030 && ((word + 0x06060606) & 0xf0f0f0f0) === 0x30303030;
}

/** Converts four ASCII digits: each multiplication joins neighbours. */
function fourDigits(word: number): number {
  const pairs = (Math.imul(word & 0x0f0f0f0f, 10 * 0x100 + 1) >>> 8) & 0x00ff00ff;
  return Math.imul(pairs, 100 * 0x10000 + 1) >>> 16;
}

function isSpace(byte: number): boolean {
  return byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** A value that is written as a word, and its number. */
interface Word {
  readonly text: string;
  readonly value: number;
}

const BOOLS: readonly Word[] = [
  { text: 'true', value: 1 },
  { text: 'false', value: 0 },
];
/** The longer of two words with the same beginning is first. */
const FLOATS: Word[] = ['NaN', '-NaN', 'Infinity', '-Infinity', 'Inf', '-Inf'].flatMap((text) => {
  const value = Number(text.replace('-NaN', 'NaN').replace(/Inf$/, 'Infinity'));
  return [
    { text, value },
    { text: `"${text}"`, value },
  ];
});
FLOATS.push({ text: 'null', value: NaN });
const NO_WORDS: readonly Word[] = [];

/** The word at `at`. @throws SkeinError INPUT_DATA, BODY_NOT_JSON if the type takes no such word. */
function readWord(reader: Reader, at: number): Word {
  const { bytes, type } = reader;
  const words = type === 'bool' ? BOOLS : type.includes('float') ? FLOATS : NO_WORDS;
  const text = bytes.toString('latin1', at, at + LONGEST_WORD);
  const word = words.find((one) => text.startsWith(one.text));
  if (word !== undefined) return word;
  throw misplaced(reader, at) ?? malformed(reader, at);
}

const LONGEST_WORD = '"-Infinity"'.length;

/** Characters of an integer beyond 2⁵³, with the zeros of a fraction. */
const MAX_INTEGER_TEXT = 128;

/** The exact value of an integer that may be beyond 2⁵³, checked against its type. */
function exactInteger(reader: Reader, begin: number, end: number): bigint {
  // The code below is quadratic in the length.
  if (end - begin > MAX_INTEGER_TEXT) throw misfit(reader, begin, end);
  const text = reader.bytes.toString('latin1', begin, end);
  const plain = text.length <= 20 && /^-?\d+$/.test(text) ? BigInt(text) : undefined;
  if (plain !== undefined) {
    if (fits64(plain, reader.type)) return plain;
    throw misfit(reader, begin, end);
  }
  const parts = /^(-?\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  const fraction = (parts?.[2] ?? '').replace(/0+$/, '');
  const shift = Number(parts?.[3] ?? '0') - fraction.length;
  const digits = `${parts?.[1] ?? ''}${fraction}`;
  // A 64-bit integer has at most 20 digits, so a larger shift can only be zero or an error.
  if (shift >= 0 && shift <= 20 && digits.length <= 40) {
    const value = BigInt(digits) * 10n ** BigInt(shift);
    if (fits64(value, reader.type)) return value;
  }
  throw misfit(reader, begin, end);
}

function fits64(value: bigint, type: NumericType): boolean {
  return value === (type === 'int64' ? BigInt.asIntN(64, value) : BigInt.asUintN(64, value));
}
