/** The elements of a tensor as JSON takes them. */
import { bfloat16ToNumber, float16ToNumber, values, type Tensor } from '@skein/onnx';

export function tensorElements(tensor: Tensor): (number | boolean | string)[] {
  if (tensor.type === 'string') {
    const decoder = new TextDecoder();
    return tensor.elements.map((element) => decoder.decode(element));
  }
  const array = values(tensor);
  if (tensor.type === 'bool') return Array.from(array as Uint8Array, (value) => value !== 0);
  if (tensor.type === 'float16') {
    return Array.from(array as Uint16Array, float16ToNumber);
  }
  if (tensor.type === 'bfloat16') {
    return Array.from(array as Uint16Array, bfloat16ToNumber);
  }
  return Array.from(array as ArrayLike<number | bigint>, Number);
}
