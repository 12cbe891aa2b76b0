/** The weights of a matrix product as [inputs, outputs], whatever order the node stores. */
import type { Layer, LayerWeights } from '../layers.ts';

export function transposed({ weights: [weights] }: Layer): LayerWeights {
  const { shape, axis, numbers, name, input } = weights!;
  if (axis === 1) return weights!;
  const [outputs = 0, inputs = 0] = shape;
  const turned = new Float32Array(numbers.length);
  for (let row = 0; row < outputs; row++) {
    for (let column = 0; column < inputs; column++) {
      turned[column * outputs + row] = numbers[row * inputs + column]!;
    }
  }
  return { name, input, axis: 1, shape: [inputs, outputs], numbers: turned };
}
