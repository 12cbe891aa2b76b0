/** A perceptron, the model that tests and benchmarks know best. */
import { GraphBuilder } from '../model/builder.ts';
import type { Model } from '../model/model.ts';
import { seededRandom } from '../tensor/random.ts';
import type { Dimension } from '../tensor/tensor.ts';
import { dense } from './dense.ts';

export interface MlpOptions {
  /** Widths from input to output, such as `[784, 1024, 1024, 10]`. */
  readonly sizes: readonly [number, number, ...number[]];
  readonly seed: number;
  /** Leading dimension of input and output; default `'batch'`. */
  readonly batch?: Dimension;
}

/**
 * ReLU between its layers: `x` [batch, sizes[0]] → `y` [batch, sizes.at(-1)]. The same bytes for the same seed.
 * @throws RangeError for other sizes than two or more whole numbers above zero.
 */
export function mlp({ sizes, seed, batch = 'batch' }: MlpOptions): Model {
  if (sizes.length < 2 || !sizes.every((size) => Number.isSafeInteger(size) && size > 0)) {
    throw new RangeError(
      `sizes must be two or more whole numbers above zero, not [${sizes.join(', ')}].`,
    );
  }
  const random = seededRandom(seed);
  const graph = new GraphBuilder('mlp');
  let x = {
    name: graph.input('x', 'float32', [batch, sizes[0]]),
    shape: [sizes[0]] as readonly number[],
  };
  for (let layer = 0; layer + 1 < sizes.length; layer++) {
    const last = layer + 2 === sizes.length;
    const build = dense({ units: sizes[layer + 1]!, activation: last ? 'none' : 'relu' });
    x = build({ graph, random, path: `layer${layer}` }, x);
  }
  // Renamed in place: an Identity would be one more node to run.
  const end = graph.graph().node.at(-1)!;
  end.output = ['y'];
  graph.output('y', 'float32', [batch, sizes.at(-1)!]);
  return graph.model();
}
