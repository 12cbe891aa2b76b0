/**
 * A model of layers, one after the other, with seeded weights: the same bytes for the same seed.
 *
 * ```ts
 * const model = sequential({
 *   input: { shape: [1, 28, 28] },
 *   layers: [conv({ filters: 8, kernel: 3, activation: 'relu' }), maxPool(), flatten(), dense({ units: 10 })],
 *   seed: 42,
 * });
 * ```
 *
 * Weights are called after the place of their layer, as in PyTorch: `0.weight`, `3.bias`, `2.0.weight`
 * for the first layer inside the third.
 */
import { GraphBuilder } from '../model/builder.ts';
import type { Model } from '../model/model.ts';
import { seededRandom } from '../tensor/random.ts';
import type { Dimension, ElementType } from '../tensor/tensor.ts';
import { flow } from './flow.ts';
import type { Layer } from './layer.ts';

export interface SequentialOptions {
  readonly input: {
    /** Default `x`. */
    readonly name?: string;
    /** Default `float32`; `int64` before an embedding. */
    readonly type?: ElementType;
    /** Without the batch. */
    readonly shape: readonly number[];
  };
  readonly layers: readonly Layer[];
  /** Name of the output; default `y`. */
  readonly output?: string;
  readonly seed: number;
  /** Leading dimension of input and output; default `'batch'`. */
  readonly batch?: Dimension;
  /** Default 17. */
  readonly opset?: number;
}

/** @throws Error naming the layer by its place when a value does not fit it. */
export function sequential(options: SequentialOptions): Model {
  const { input, layers, output = 'y', seed, batch = 'batch', opset = 17 } = options;
  const { name = 'x', type = 'float32', shape } = input;
  const graph = new GraphBuilder('sequential');
  graph.input(name, type, [batch, ...shape]);
  const scope = { graph, random: seededRandom(seed), path: '' };
  const last = flow(scope, { name, shape }, layers);
  graph.node('Identity', [last.name], {}, { outputs: [output], name: output });
  graph.output(output, 'float32', [batch, ...last.shape]);
  return graph.model({ opset });
}
