/**
 * Y = X with Y[indices[i, j], j] = updates[i, j] for axis 0, and so on: see `scattered`, the
 * transpose of writing.
 */
import type { GradientRule } from '../rule.ts';
import { scattered } from '../shared/scattered.ts';

export const ScatterElements: GradientRule = (node, graph) => {
  const indices = node.inputs[1]!;
  const axis = node.attributeInt('axis', 0);
  return scattered(
    node,
    graph,
    (dy, zeros) => graph.emit('ScatterElements', [dy, indices, zeros], { axis }),
    (dy) => graph.emit('GatherElements', [dy, indices], { axis }),
  );
};
