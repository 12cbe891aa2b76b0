/** The elements of a tensor as JSON takes them. */
import { values, type Tensor } from '@skein/onnx';

export function tensorElements(tensor: Tensor): (number | boolean | string)[] {
  if (tensor.type === 'string') {
    const decoder = new TextDecoder();
    return tensor.elements.map((element) => decoder.decode(element));
  }
  const array = values(tensor);
  if (tensor.type === 'bool') return Array.from(array as Uint8Array, (value) => value !== 0);
  if (tensor.type === 'float16') {
    const { buffer, byteOffset, length } = array as Uint16Array;
    return Array.from(new Float16Array(buffer, byteOffset, length));
  }
  if (tensor.type === 'bfloat16') {
    return Array.from(
      array as Uint16Array,
      (bits) => new Float32Array(Uint32Array.of(bits << 16).buffer)[0] ?? 0,
    );
  }
  return Array.from(array as ArrayLike<number | bigint>, Number);
}
