/**
 * BatchNormalization: Y = scale · (X − mean) / √(variance + ε) + bias, per channel (Ioffe and Szegedy,
 * 2015, §3).
 *
 * In training form the statistics are the batch's, and the gradient passes through them; the
 * running statistics are outputs that nothing is differentiated through. In inference form mean and
 * variance are inputs, and the rule is an affine map's per channel.
 */
import type { GradientGraph, GradientNode, GradientRule } from '../../gradient/rule.ts';
import type { InferenceRule } from '../../infer/rule.ts';
import type { Operators } from '../operator.ts';
import { inverseOf, moments, perChannel, spatialAxes } from './moments.ts';

const EPSILON = 1e-5;

const inferBatchNormalization: InferenceRule = (node) => {
  const statistics = node.input(3) ?? node.given(1);
  return [node.given(0), ...node.outputs.slice(1).map(() => statistics)];
};

const batchNormalizationGradient: GradientRule = (node, graph) => {
  const dy = node.outputGradients[0];
  if (dy === undefined || node.outputGradients.some((each, i) => i > 0 && each !== undefined)) {
    return graph.fail('the loss depends on its running statistics');
  }
  const rank = graph.rankOf(node.inputs[0]!);
  const axes = [0, ...spatialAxes(rank)];
  if (node.attributeInt('training_mode', 0) === 1) return training(node, graph, dy, rank, axes);
  if (graph.opset < 14 && node.outputs.filter((name) => name !== '').length > 1) {
    return graph.fail(
      'its training form needs opset 14; export the model with that or a newer one',
    );
  }
  return inference(node, graph, dy, rank, axes);
};

function training(
  node: GradientNode,
  graph: GradientGraph,
  dy: string,
  rank: number,
  axes: readonly number[],
): readonly (string | undefined)[] {
  const [x, scale] = node.inputs as [string, string];
  const { centred, inverse } = moments(graph, x, axes, node.attributeFloat('epsilon', EPSILON));
  // Everything that is summed is summed once: mean(dY · x̂) = dscale / cells, mean(dY) = dbias / cells.
  const product = graph.emit('Mul', [dy, centred]);
  return [
    node.wants(0) ? inputGradient() : undefined,
    node.wants(1)
      ? graph.reshapeLike(graph.emit('Mul', [graph.reduceSum(product, axes, true), inverse]), scale)
      : undefined,
    node.wants(2) ? graph.reduceSum(dy, axes, false) : undefined,
  ];

  function inputGradient(): string {
    // scale · inverse · (dY − mean(dY) − centred · inverse² · mean(dY · centred))
    const along = graph.emit('Mul', [
      graph.reduceMean(product, axes, true),
      graph.emit('Mul', [inverse, inverse]),
    ]);
    const level = graph.emit('Sub', [dy, graph.reduceMean(dy, axes, true)]);
    const rest = graph.emit('Sub', [level, graph.emit('Mul', [centred, along])]);
    const factor = graph.emit('Mul', [perChannel(graph, scale, rank), inverse]);
    return graph.emit('Mul', [rest, factor]);
  }
}

function inference(
  node: GradientNode,
  graph: GradientGraph,
  dy: string,
  rank: number,
  axes: readonly number[],
): readonly (string | undefined)[] {
  const [x, scale, , mean, variance] = node.inputs as [string, string, string, string, string];
  const inverse = inverseOf(graph, variance, node.attributeFloat('epsilon', EPSILON)); // [channels]
  const bias = () => graph.reduceSum(dy, axes, false);
  const slope = () => graph.emit('Mul', [scale, inverse]);
  // dscale = Σ dY · (X − mean) · inverse
  const dscale = () => {
    const centred = graph.emit('Sub', [x, perChannel(graph, mean, rank)]);
    const sum = graph.reduceSum(graph.emit('Mul', [dy, centred]), axes, false);
    return graph.emit('Mul', [sum, inverse]);
  };
  return [
    node.wants(0) ? graph.emit('Mul', [dy, perChannel(graph, slope(), rank)]) : undefined,
    node.wants(1) ? dscale() : undefined,
    node.wants(2) ? bias() : undefined,
    node.wants(3) ? graph.emit('Neg', [graph.emit('Mul', [bias(), slope()])]) : undefined,
    // dY/dvariance = −½ · scale · (X − mean) · inverse³
    node.wants(4)
      ? graph.emit('Mul', [
          graph.emit('Mul', [dscale(), graph.scalar(-0.5, x)]),
          graph.emit('Mul', [slope(), inverse]),
        ])
      : undefined,
  ];
}

export const batchNormalization: Operators = {
  BatchNormalization: { infer: inferBatchNormalization, gradient: batchNormalizationGradient },
};
