/**
 * d √Σx² = Σ x/y·dx: the chain rule through the root; 0 where y is 0, a subgradient, as in PyTorch.
 */
import type { GradientRule } from '../rule.ts';
import { reduced } from '../shared/reduction.ts';

export const ReduceL2: GradientRule = (node, graph) => {
  const { g, y } = reduced(node, graph);
  const x = node.inputs[0]!;
  const zero = graph.scalar(0, y);
  const factor = graph.emit('Where', [
    graph.emit('Greater', [y, zero]),
    graph.emit('Div', [g, y]),
    zero,
  ]);
  return [graph.emit('Mul', [x, factor])];
};
