/**
 * 16-bit floats as numbers: IEEE 754 binary16 (`float16`) and bfloat16, by arithmetic alone, because
 * `Float16Array` is not everywhere yet and bfloat16 is nowhere.
 *
 * A number is rounded once, to the nearest value and on a tie to the even one; what is too large
 * becomes infinity.
 */
interface Format {
  /** Bits of the fraction. */
  readonly fraction: number;
  readonly bias: number;
}

const FLOAT16: Format = { fraction: 10, bias: 15 };
const BFLOAT16: Format = { fraction: 7, bias: 127 };

/** The number that the bits of a float16 stand for. */
export function float16ToNumber(bits: number): number {
  return decode(bits, FLOAT16);
}

/** The bits of the float16 nearest to a number. */
export function numberToFloat16(value: number): number {
  return encode(value, FLOAT16);
}

/** The number that the bits of a bfloat16 stand for. */
export function bfloat16ToNumber(bits: number): number {
  return decode(bits, BFLOAT16);
}

/** The bits of the bfloat16 nearest to a number. */
export function numberToBfloat16(value: number): number {
  return encode(value, BFLOAT16);
}

function decode(bits: number, { fraction, bias }: Format): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits & 0x7fff) >>> fraction;
  const mantissa = bits & ((1 << fraction) - 1);
  if (exponent === bias * 2 + 1) return mantissa === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * mantissa * 2 ** (1 - bias - fraction);
  return sign * (mantissa + (1 << fraction)) * 2 ** (exponent - bias - fraction);
}

const scratch = new Float64Array(1);
const words = new Uint32Array(scratch.buffer);
/** Adding and subtracting it rounds a smaller double to the nearest integer, ties to even. */
const ROUNDER = 2 ** 52;

function encode(value: number, { fraction, bias }: Format): number {
  const infinity = (bias * 2 + 1) << fraction;
  if (Number.isNaN(value)) return infinity | (1 << (fraction - 1));
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude >= 2 ** (bias + 1)) return sign | infinity;
  scratch[0] = magnitude;
  // The exponent of the double, but no smaller than where this format's subnormals begin.
  const exponent = Math.max((words[1]! >>> 20) - 1023, 1 - bias);
  const units = magnitude * 2 ** (fraction - exponent);
  const rounded = units + ROUNDER - ROUNDER;
  // A fraction that rounds up to the next power of two carries into the exponent; a
  // subnormal has exponent field 0 and no hidden bit to take away.
  return sign | (((exponent + bias - 1) << fraction) + rounded);
}
