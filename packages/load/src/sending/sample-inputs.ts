/** Inputs made from a signature, so that any deployment can be loaded without a data set. */
import {
  elementCount,
  numberToBfloat16,
  numberToFloat16,
  stringTensor,
  tensor,
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
  const bit = (): number => (random() < 0.5 ? 0 : 1);
  const fill = <T>(make: () => T): T[] => Array.from({ length: count }, make);
  switch (spec.type) {
    case 'string':
      return stringTensor(
        shape,
        fill(() => `word${Math.floor(random() * 1000)}`),
      );
    case 'float32':
      return tensor('float32', shape, Float32Array.from(fill(random)));
    case 'float64':
      return tensor('float64', shape, Float64Array.from(fill(random)));
    case 'float16':
      return tensor('float16', shape, Uint16Array.from(fill(random), numberToFloat16));
    case 'bfloat16':
      return tensor('bfloat16', shape, Uint16Array.from(fill(random), numberToBfloat16));
    case 'bool':
      return tensor('bool', shape, Uint8Array.from(fill(bit)));
    case 'int8':
      return tensor('int8', shape, Int8Array.from(fill(bit)));
    case 'int16':
      return tensor('int16', shape, Int16Array.from(fill(bit)));
    case 'int32':
      return tensor('int32', shape, Int32Array.from(fill(bit)));
    case 'int64':
      return tensor('int64', shape, BigInt64Array.from(fill(() => BigInt(bit()))));
    case 'uint8':
      return tensor('uint8', shape, Uint8Array.from(fill(() => Math.floor(random() * 256))));
    case 'uint16':
      return tensor('uint16', shape, Uint16Array.from(fill(bit)));
    case 'uint32':
      return tensor('uint32', shape, Uint32Array.from(fill(bit)));
    case 'uint64':
      return tensor('uint64', shape, BigUint64Array.from(fill(() => BigInt(bit()))));
  }
}
