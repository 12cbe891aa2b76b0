/**
 * InstanceNormalization: Y = scale · x̂ + bias per channel, x̂ normalised over the spatial axes (Ulyanov,
 * Vedaldi and Lempitsky, 2016); its gradient is that of every normalisation, `normalise.ts`.
 */
import type { GradientRule } from '../rule.ts';
import { moments, normalisedGradient, perChannel, spatialAxes } from '../shared/normalise.ts';

export const InstanceNormalization: GradientRule = (node, graph) => {
  const [x, scale] = node.inputs as [string, string];
  const dy = node.outputGradients[0]!;
  const rank = graph.rankOf(x);
  const over = moments(graph, x, spatialAxes(rank), node.attributeFloat('epsilon', 1e-5));
  const normalised = graph.emit('Mul', [over.centred, over.inverse]);
  const scaled = () => graph.emit('Mul', [dy, perChannel(graph, scale, rank)]);
  const axes = [0, ...spatialAxes(rank)];
  return [
    node.wants(0) ? normalisedGradient(graph, scaled(), normalised, over) : undefined,
    node.wants(1) ? graph.reduceSum(graph.emit('Mul', [dy, normalised]), axes, false) : undefined,
    node.wants(2) ? graph.reduceSum(dy, axes, false) : undefined,
  ];
};
