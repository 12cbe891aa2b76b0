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
import type { Flow, Layer, LayerScope } from './layer.ts';

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

/**
 * One layer after the other, each with its place as a part of its path.
 * @throws Error that names the layer by its path when a value does not fit it.
 */
export function flow(scope: LayerScope, x: Flow, layers: readonly Layer[]): Flow {
  return layers.reduce((value, layer, index) => {
    const path = scope.path === '' ? String(index) : `${scope.path}.${index}`;
    try {
      return layer({ ...scope, path }, value);
    } catch (error) {
      if (error instanceof LayerMisfit) throw error;
      throw new LayerMisfit(
        `Layer ${path}: ${error instanceof Error ? error.message : String(error)}`,
        { cause: error },
      );
    }
  }, x);
}

class LayerMisfit extends Error {}

/** `x + layers(x)`, so that a gradient finds its way past them (He et al., 2016). */
export function residual(...layers: readonly Layer[]): Layer {
  return (scope, x) => {
    const y = flow(scope, x, layers);
    if (y.shape.join() !== x.shape.join()) {
      throw new Error(
        `residual cannot add [batch, ${y.shape.join(', ')}] to [batch, ${x.shape.join(', ')}].`,
      );
    }
    return { name: scope.graph.node('Add', [x.name, y.name])[0], shape: x.shape };
  };
}
