/**
 * The maximum over all spatial axes hands its gradient to the cell that it came from; cells that tie
 * share it, a subgradient as good as any.
 */
import { elementTypeNumber } from '../../element-type.ts';
import type { GradientRule } from '../rule.ts';

export const GlobalMaxPool: GradientRule = (node, graph) => {
  const x = node.inputs[0]!;
  const dy = node.outputGradients[0]!;
  // No cell is beyond the maximum; and before opset 11 floats could not be compared by Equal.
  const taken = graph.emit('Not', [graph.emit('Less', [x, node.outputs[0]!])]);
  const mask = graph.emit('Cast', [taken], { to: elementTypeNumber(graph.typeOf(x)) });
  const axes = Array.from({ length: graph.rankOf(x) - 2 }, (_, i) => i + 2);
  const ties = graph.reduceSum(mask, axes, true);
  return [graph.emit('Mul', [mask, graph.emit('Div', [dy, ties])])];
};
