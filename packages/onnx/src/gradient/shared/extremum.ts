/**
 * Max and Min of several operands: the gradient goes to the extremum, in equal parts when several
 * operands tie, as in PyTorch.
 */
import { elementTypeNumber } from '../../element-type.ts';
import type { GradientGraph, GradientNode } from '../rule.ts';
import { operand } from './operand.ts';

export function extremum(
  node: GradientNode,
  graph: GradientGraph,
): readonly (string | undefined)[] {
  const y = node.outputs[0]!;
  if (node.inputs.length === 1) return [node.outputGradients[0]];
  const type = elementTypeNumber(graph.typeOf(y));
  // No operand is beyond the extremum; and before opset 11 floats could not be compared by Equal.
  const beside = node.opType === 'Max' ? 'Less' : 'Greater';
  const masks = node.inputs.map((x) =>
    graph.emit('Cast', [graph.emit('Not', [graph.emit(beside, [x, y])])], { to: type }),
  );
  const winners = graph.emit('Sum', masks);
  return node.inputs.map((_, i) =>
    operand(node, graph, i, (g) => graph.emit('Mul', [graph.emit('Div', [g, winners]), masks[i]!])),
  );
}
