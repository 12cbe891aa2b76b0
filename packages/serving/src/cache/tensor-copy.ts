/**
 * Tensors that the serving plane returns may be transferred to a worker, which leaves all other
 * holders with an empty buffer. A holder that needs them for longer keeps a copy.
 */
import type { Tensor, TensorMap } from '@skein/onnx';

/** Copies the bytes, so that the result shares no memory with `tensors`. */
export function copyTensors(tensors: TensorMap): Map<string, Tensor> {
  const copies = new Map<string, Tensor>();
  for (const [name, tensor] of tensors) {
    copies.set(
      name,
      tensor.type === 'string'
        ? { ...tensor, elements: tensor.elements.map((element) => new Uint8Array(element)) }
        : { ...tensor, bytes: new Uint8Array(tensor.bytes) },
    );
  }
  return copies;
}
