/**
 * The difference of two answers to the same request: the largest absolute difference of any two
 * numbers at the same place. Two NaN are equal, and so are two infinities of one sign. If there is
 * no number between them (another shape, type or name, other bytes of a string, NaN against a
 * number), the difference is `Number.MAX_VALUE`, because JSON has no infinity.
 */
import { numbersOf, type NumericTensor, type Tensor, type TensorMap } from '@skein/onnx';

export function outputDifference(expected: TensorMap, actual: TensorMap): number {
  if (expected.size !== actual.size) return Number.MAX_VALUE;
  let largest = 0;
  for (const [name, tensor] of expected) {
    const other = actual.get(name);
    if (other === undefined) return Number.MAX_VALUE;
    largest = Math.max(largest, tensorDifference(tensor, other));
    if (largest === Number.MAX_VALUE) break;
  }
  return largest;
}

function tensorDifference(a: Tensor, b: Tensor): number {
  if (a.type !== b.type || !sameShape(a.shape, b.shape)) return Number.MAX_VALUE;
  if (a.type === 'string' || b.type === 'string') {
    if (a.type !== 'string' || b.type !== 'string') return Number.MAX_VALUE;
    return a.elements.every((element, i) => Buffer.compare(element, b.elements[i]!) === 0)
      ? 0
      : Number.MAX_VALUE;
  }
  if (a.bytes.byteLength !== b.bytes.byteLength) return Number.MAX_VALUE;
  // Most answers of two good versions are equal to the last bit, and comparing bytes is quick.
  if (Buffer.compare(a.bytes, b.bytes) === 0) return 0;
  return numericDifference(a, b);
}

function numericDifference(a: NumericTensor, b: NumericTensor): number {
  const left = numbersOf(a);
  const right = numbersOf(b);
  let largest = 0;
  for (let i = 0; i < left.length; i++) {
    const x = left[i]!;
    const y = right[i]!;
    if (x === y) continue;
    const difference =
      typeof x === 'bigint' || typeof y === 'bigint'
        ? Math.abs(Number(BigInt(x) - BigInt(y)))
        : floatDifference(x, y);
    if (difference > largest) largest = difference;
  }
  return largest;
}

function floatDifference(x: number, y: number): number {
  if (Object.is(x, y) || x === y || (Number.isNaN(x) && Number.isNaN(y))) return 0;
  const difference = Math.abs(x - y);
  return Number.isFinite(difference) ? difference : Number.MAX_VALUE;
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}
