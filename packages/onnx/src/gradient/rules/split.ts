/**
 * The gradients of the parts, joined; zeros for a part that is not used. The transpose of splitting
 * is joining.
 */
import type { GradientRule } from '../rule.ts';
import { counted } from '../shared/slicing.ts';

export const Split: GradientRule = (node, graph) => {
  const rank = graph.rankOf(node.inputs[0]!);
  const axis = counted(node.attributeInt('axis', 0), rank);
  const parts = node.outputs.map((name, index) => node.outputGradients[index] ?? graph.zeros(name));
  return [parts.length === 1 ? parts[0]! : graph.emit('Concat', parts, { axis })];
};
