/**
 * 1 where x > 0, else the slope for that channel; the slope’s is Σ x·dy where x < 0 (He et al.,
 * 2015).
 */
import type { GradientRule } from '../rule.ts';
import { choose, positive } from '../shared/pointwise.ts';

export const PRelu: GradientRule = (node, graph) => {
  const g = node.outputGradients[0]!;
  const [x, slope] = [node.inputs[0]!, node.inputs[1]!];
  const above = positive(graph, x);
  const left = node.wants(0) ? choose(graph, above, g, graph.emit('Mul', [g, slope])) : undefined;
  if (!node.wants(1)) return [left];
  const below = choose(graph, above, graph.scalar(0, x), graph.emit('Mul', [g, x]));
  return [left, graph.unbroadcast(below, slope)];
};
