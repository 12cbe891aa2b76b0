/** Y = X with Y[indices[..., :]] = updates: see `scattered`, the transpose of writing. */
import type { GradientRule } from '../rule.ts';
import { scattered } from '../shared/scattered.ts';

export const ScatterND: GradientRule = (node, graph) => {
  const indices = node.inputs[1]!;
  return scattered(
    node,
    graph,
    (dy, zeros) => graph.emit('ScatterND', [dy, indices, zeros]),
    (dy) => graph.emit('GatherND', [dy, indices]),
  );
};
