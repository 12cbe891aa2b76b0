/** The elements of a tensor as JSON takes them. */
import { numbersOf, type Tensor } from '@skein/onnx';

export function tensorElements(tensor: Tensor): (number | boolean | string)[] {
  if (tensor.type === 'string') {
    const decoder = new TextDecoder();
    return tensor.elements.map((element) => decoder.decode(element));
  }
  const numbers = numbersOf(tensor) as ArrayLike<number | bigint>;
  return tensor.type === 'bool' ? Array.from(numbers, Boolean) : Array.from(numbers, Number);
}
