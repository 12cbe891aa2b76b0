/** Models whose training is known in advance, and numbers to train them on. */
import {
  GraphBuilder,
  mlp,
  seededRandom,
  tensor,
  withLoss,
  type LossModel,
  type Model,
  type NumericTensor,
} from '@skein/onnx';

/** Mean squared error of x·wᵀ + b: inputs `x` [4, 2] and `y` [4, 1]; parameters `w` and `b`; outputs `out` and `loss`. */
export function linearRegression(): Model {
  const graph = new GraphBuilder('regression');
  const x = graph.input('x', 'float32', [4, 2]);
  const y = graph.input('y', 'float32', [4, 1]);
  const w = graph.initializer('w', tensor('float32', [1, 2], new Float32Array([0.5, -1])));
  const b = graph.initializer('b', tensor('float32', [1], new Float32Array([0.1])));
  const [out] = graph.node('Gemm', [x, w, b], { transB: 1 }, { outputs: ['out'] });
  const [error] = graph.node('Sub', [out, y]);
  const [square] = graph.node('Mul', [error, error]);
  const [loss] = graph.node('ReduceMean', [square], { keepdims: 0 }, { outputs: ['loss'] });
  graph.output(out, 'float32', [4, 1]);
  graph.output(loss, 'float32', []);
  return graph.model();
}

export const regressionBatches = [
  { x: [1, 2, -1, 0.5, 3, -2, 0, 1], y: [1, -2, 3, 0.5] },
  { x: [0.2, -1, 2, 2, -0.5, 1, 1, 0], y: [0, 1, -1, 2] },
  { x: [-1, -1, 1, 1, 0.3, 0.7, -2, 4], y: [2, 0, 0.5, -3] },
].map(
  ({ x, y }) =>
    new Map([
      ['x', floats([4, 2], x)],
      ['y', floats([4, 1], y)],
    ]),
);

export function floats(shape: readonly number[], numbers: readonly number[]): NumericTensor {
  return tensor('float32', shape, new Float32Array(numbers));
}

/**
 * Masked cross-entropy of a perceptron: inputs `x` [batch, sizes[0]], `labels` int64 [batch], `mask`
 * [batch]; outputs `y`, the logits, and the loss.
 */
export function classifier(
  sizes: readonly [number, number, ...number[]],
  batch: number,
): LossModel {
  return withLoss(mlp({ sizes, seed: 5, batch }), {
    loss: { kind: 'cross-entropy' },
    target: 'labels',
    weights: 'sample',
    weightName: 'mask',
  });
}

/** Two interleaved half circles with seeded noise: `x` [rows, 2] and `labels`. No line separates them. */
export function moons(count: number, seed: number): Record<'x' | 'labels', NumericTensor> {
  const random = seededRandom(seed);
  const x: number[] = [];
  const labels = new BigInt64Array(count);
  for (let row = 0; row < count; row++) {
    const angle = Math.PI * random.next();
    const upper = row % 2 === 0;
    const noise = () => 0.2 * (random.next() - 0.5);
    x.push((upper ? Math.cos(angle) : 1 - Math.cos(angle)) + noise());
    x.push((upper ? Math.sin(angle) : 0.5 - Math.sin(angle)) + noise());
    labels[row] = upper ? 0n : 1n;
  }
  return { x: floats([count, 2], x), labels: tensor('int64', [count], labels) };
}
