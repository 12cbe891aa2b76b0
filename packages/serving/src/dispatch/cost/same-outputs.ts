/** Whether a row of a batch equals its run alone, up to the order of float additions. */
import { numbersOf, type NumericTensor, type Tensor, type TensorMap } from '@skein/onnx';

/** Batched kernels sum in another order; a model that mixes rows differs by far more. */
const RELATIVE = 0.02;
const ABSOLUTE = 1e-3;

export function sameOutputs(a: TensorMap, b: TensorMap): boolean {
  for (const [name, tensor] of a) {
    const other = b.get(name);
    if (other === undefined || !sameTensor(tensor, other)) return false;
  }
  return true;
}

function sameTensor(a: Tensor, b: Tensor): boolean {
  if (a.type !== b.type || a.shape.join() !== b.shape.join()) return false;
  if (a.type === 'string' || b.type === 'string') {
    if (a.type !== 'string' || b.type !== 'string') return false;
    return a.elements.every((element, i) => Buffer.compare(element, b.elements[i]!) === 0);
  }
  const left = floatsOf(a);
  const right = floatsOf(b);
  if (left === undefined || right === undefined) return Buffer.compare(a.bytes, b.bytes) === 0;
  let largest = 0;
  for (const value of left)
    if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
  const tolerance = ABSOLUTE + RELATIVE * largest;
  for (let i = 0; i < left.length; i++) {
    if (Math.abs(left[i]! - right[i]!) > tolerance) return false;
    if (Number.isFinite(left[i]) !== Number.isFinite(right[i])) return false;
  }
  return true;
}

/** The numbers of a float tensor; undefined for other types. */
function floatsOf(tensor: NumericTensor) {
  if (!tensor.type.includes('float')) return undefined;
  return numbersOf(tensor) as Float16Array | Float32Array | Float64Array;
}
