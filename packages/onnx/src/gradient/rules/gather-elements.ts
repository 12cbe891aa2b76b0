/**
 * Y[i, j] = X[indices[i, j], j] for axis 0, and so on. The transpose of reading is adding to where
 * it was read; elements that were read twice receive both.
 */
import type { GradientRule } from '../rule.ts';
import { needsAddition } from '../shared/needs-addition.ts';

export const GatherElements: GradientRule = (node, graph) => {
  const [x, indices] = node.inputs as [string, string];
  if (graph.opset < 16) needsAddition(graph);
  return [
    graph.emit('ScatterElements', [graph.zeros(x), indices, node.outputGradients[0]!], {
      axis: node.attributeInt('axis', 0),
      reduction: 'add',
    }),
  ];
};
