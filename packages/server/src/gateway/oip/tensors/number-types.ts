/** Ranges and memory of the numeric element types. */
import { numberToBfloat16, type NumericType } from '@skein/onnx';

/** Range of an element; the bounds are inclusive. */
export interface NumberRule {
  readonly min: number;
  readonly max: number;
  readonly integer: boolean;
  /** The element is rounded to float32, so a double with a small, known error is sufficient. */
  readonly single: boolean;
}

function integers(min: number, max: number): NumberRule {
  return { min, max, integer: true, single: false };
}

/** @param max the largest double that does not round to infinity. */
function floats(max: number, single = false): NumberRule {
  return { min: -max, max, integer: false, single };
}

export const NUMBER_RULES: Readonly<Record<NumericType, NumberRule>> = {
  bool: integers(0, 1),
  uint8: integers(0, 0xff),
  uint16: integers(0, 0xffff),
  uint32: integers(0, 0xffff_ffff),
  uint64: integers(0, Infinity),
  int8: integers(-0x80, 0x7f),
  int16: integers(-0x8000, 0x7fff),
  int32: integers(-0x8000_0000, 0x7fff_ffff),
  int64: integers(-Infinity, Infinity),
  float16: floats(65519.99999999999),
  bfloat16: floats(3.3961775292304597e38),
  float32: floats(3.4028235677973362e38, true),
  float64: floats(Number.MAX_VALUE),
};

/** Types whose numbers are all doubles. */
export type Narrowed = Exclude<NumericType, 'int64' | 'uint64'>;

/** Rounds checked doubles into newly allocated memory. */
export function narrow(type: Narrowed, from: Float64Array): ArrayBuffer {
  switch (type) {
    case 'float32':
      return new Float32Array(from).buffer;
    case 'float64':
      return new Float64Array(from).buffer;
    case 'float16':
      return new Float16Array(from).buffer;
    case 'bfloat16':
      return Uint16Array.from(from, numberToBfloat16).buffer;
    case 'int8':
      return new Int8Array(from).buffer;
    case 'int16':
      return new Int16Array(from).buffer;
    case 'int32':
      return new Int32Array(from).buffer;
    case 'uint16':
      return new Uint16Array(from).buffer;
    case 'uint32':
      return new Uint32Array(from).buffer;
    case 'uint8':
    case 'bool':
      return new Uint8Array(from).buffer;
  }
}
