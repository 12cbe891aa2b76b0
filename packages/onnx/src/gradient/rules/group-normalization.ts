/**
 * GroupNormalization: x̂ normalised over groups of channels and the spatial axes, then an affine map
 * per channel; per group before opset 21 (Wu and He, 2018). Its gradient is that of every normalisation,
 * `normalise.ts`.
 */
import type { GradientRule } from '../rule.ts';
import { moments, normalisedGradient, perChannel, spatialAxes } from '../shared/normalise.ts';

export const GroupNormalization: GradientRule = (node, graph) => {
  const [x, scale] = node.inputs as [string, string];
  const dy = node.outputGradients[0]!;
  const rank = graph.rankOf(x);
  const groups = graph.ints([0, node.attributeInt('num_groups'), -1]);
  const grouped = (value: string) => graph.emit('Reshape', [value, groups]); // [batch, groups, cells]
  const over = moments(graph, grouped(x), [2], node.attributeFloat('epsilon', 1e-5));
  const normalised = graph.emit('Mul', [over.centred, over.inverse]);
  if (graph.opset < 21) {
    const gradient = grouped(dy);
    const scaled = () => graph.emit('Mul', [gradient, perChannel(graph, scale, 3)]);
    const product = () => graph.emit('Mul', [gradient, normalised]);
    return [
      node.wants(0)
        ? graph.reshapeLike(normalisedGradient(graph, scaled(), normalised, over), x)
        : undefined,
      node.wants(1) ? graph.reduceSum(product(), [0, 2], false) : undefined,
      node.wants(2) ? graph.reduceSum(gradient, [0, 2], false) : undefined,
    ];
  }
  const scaled = () => grouped(graph.emit('Mul', [dy, perChannel(graph, scale, rank)]));
  const product = () => graph.emit('Mul', [dy, graph.reshapeLike(normalised, x)]);
  const axes = [0, ...spatialAxes(rank)];
  return [
    node.wants(0)
      ? graph.reshapeLike(normalisedGradient(graph, scaled(), normalised, over), x)
      : undefined,
    node.wants(1) ? graph.reduceSum(product(), axes, false) : undefined,
    node.wants(2) ? graph.reduceSum(dy, axes, false) : undefined,
  ];
};
