/** Inputs made from a signature, so that any deployment can be loaded without a data set. */
import {
  elementCount,
  stringTensor,
  tensorOfNumbers,
  type Signature,
  type Tensor,
  type TensorSpec,
} from '@skein/onnx';
import { seededRandom } from '../random.ts';

/**
 * Free dimensions become 1. Floats are drawn evenly from [0, 1), integers are 0 or 1 (indices and
 * class numbers stay valid), strings are short words.
 */
export function sampleInputs(signature: Signature, seed: number): Record<string, Tensor> {
  const random = seededRandom(seed);
  return Object.fromEntries(signature.inputs.map((spec) => [spec.name, sample(spec, random)]));
}

function sample(spec: TensorSpec, random: () => number): Tensor {
  const shape = spec.shape.map((size) => (typeof size === 'number' && size > 0 ? size : 1));
  const count = elementCount(shape);
  const elements = <T>(draw: () => T): T[] => Array.from({ length: count }, draw);
  if (spec.type === 'string') {
    return stringTensor(
      shape,
      elements(() => `word${Math.floor(random() * 1000)}`),
    );
  }
  if (spec.type.includes('float')) return tensorOfNumbers(spec.type, shape, elements(random));
  // Bytes are often an image.
  const values = spec.type === 'uint8' ? 256 : 2;
  const draw = (): number => Math.floor(random() * values);
  return tensorOfNumbers(spec.type, shape, elements(draw));
}
