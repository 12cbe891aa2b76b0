/** The mean of a layer's results with rounded weights, with and without the correction. */
import { expect, it } from 'vitest';
import { GraphBuilder } from '../model/builder.ts';
import { seededRandom } from '../tensor/random.ts';
import { tensor, values, type NumericTensor } from '../tensor/tensor.ts';
import { ChannelMeans } from './calibration/channel-means.ts';
import { biasShift, inputAxis } from './correct-bias.ts';
import { withOpen } from './evaluator.ts';
import { layersOf } from './layers.ts';
import { quantise } from './rewrite.ts';
import { native } from './testing/evaluators.ts';

const random = seededRandom(11);
const numbers = (count: number): Float32Array =>
  Float32Array.from({ length: count }, () => random.next() - 0.5);

const CASES = {
  'a matrix [inputs, outputs]': ['Gemm', [64, 6], [4, 64], {}],
  'a matrix [outputs, inputs]': ['Gemm', [6, 64], [4, 64], { transB: 1 }],
  'a convolution without a border': ['Conv', [6, 8, 3, 3], [2, 8, 16, 16], {}],
  'a convolution of groups': ['Conv', [6, 4, 3, 3], [2, 8, 16, 16], { group: 2 }],
} as const;

it.each(Object.entries(CASES))(
  'is kept by %s',
  async (_, [operator, weights, input, attributes]) => {
    const graph = new GraphBuilder('layer');
    const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b);
    graph.input('x', 'float32', [...input]);
    graph.initializer('w', tensor('float32', weights, numbers(count(weights))));
    graph.initializer('b', tensor('float32', [6], numbers(6)));
    graph.node(operator, ['x', 'w', 'b'], attributes, { outputs: ['y'], name: 'layer' });
    graph.output('y', 'float32', []);
    const model = graph.model();
    const [layer] = layersOf(model);
    // All above zero: rounding then shifts the mean.
    const data = numbers(count(input)).map((each) => each + 3);
    const means = new ChannelMeans(inputAxis(layer!));
    means.add(data, input);
    const BITS = 7;
    const shifts = new Map([['layer', biasShift(layer!, means, BITS)!]]);
    const shared = {
      ranges: new Map([
        ['x', { low: 0, high: 4 }],
        ['y', { low: -32, high: 32 }],
      ]),
      weightBits: BITS,
    } as const;
    const plan = new Map([['layer', 'static' as const]]);
    const meansOf = async (each: typeof model): Promise<Float64Array> => {
      const outputs = await withOpen(native, each, (open) =>
        open.run(new Map([['x', tensor('float32', input, data)]])),
      );
      const { shape, ...y } = outputs.get('y') as NumericTensor;
      const found = new ChannelMeans(1);
      found.add(values({ shape, ...y }) as Float32Array, shape);
      return found.means;
    };
    const [wanted, before, after] = await Promise.all(
      [model, quantise(model, plan, shared), quantise(model, plan, { ...shared, shifts })].map(
        meansOf,
      ),
    );
    const error = (of: Float64Array): number =>
      Math.hypot(...of.map((each, at) => each - wanted![at]!));
    expect(error(before!)).toBeGreaterThan(0.01);
    expect(error(after!)).toBeLessThan(error(before!) / 4);
  },
);
