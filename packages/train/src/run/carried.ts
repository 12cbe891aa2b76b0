/** Tensors as ONNX Runtime's JavaScript API carries them, without a copy. */
import { RuntimeFailure } from '@skein/runtime/contract';
import { values, type NumericTensor, type NumericType } from '@skein/onnx/tensor';
import type { Tensor as OrtTensor } from 'onnxruntime-common';

/**
 * The class of a backend's own tensors. ONNX Runtime's packages load the common one twice, as ES
 * module and as CommonJS, and silently ignore outputs that are instances of the other's class.
 */
type TensorClass = typeof OrtTensor;

/** @throws RuntimeFailure `run` for 16-bit floats, which cannot be trained with. */
export function carrier(Class: TensorClass): (name: string, tensor: NumericTensor) => OrtTensor {
  // The same parameters are passed at every step, so their tensors are cached.
  const made = new WeakMap<NumericTensor, OrtTensor>();
  return (name, tensor) => {
    const known = made.get(tensor);
    if (known !== undefined) return known;
    const { type, shape } = tensor;
    if (type === 'bfloat16' || type === 'float16') {
      throw new RuntimeFailure('run', `'${name}' is ${type}, which cannot be trained with.`);
    }
    const carried = new Class(type, values(tensor), shape);
    // Getters of the class, which native code would call in every run.
    const { data, location } = carried;
    Object.defineProperties(carried, { data: { value: data }, location: { value: location } });
    made.set(tensor, carried);
    return carried;
  };
}

/** The tensor that was carried; its bytes are not copied. */
export function received(tensor: OrtTensor): NumericTensor {
  const { buffer, byteOffset, byteLength } = tensor.data as Uint8Array;
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  return { type: tensor.type as NumericType, shape: tensor.dims, bytes };
}

export function failure(kind: 'load' | 'run', error: unknown): RuntimeFailure {
  if (error instanceof RuntimeFailure) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new RuntimeFailure(kind, reason, { cause: error });
}
