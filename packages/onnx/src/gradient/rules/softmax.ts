/**
 * Softmax y = eˣ/Σeˣ and its logarithm: dx = y·(dy − Σ y·dy), and dx = dy − eʸ·Σ dy.
 *
 * Since opset 13 they work along one axis; before, along that axis and all after it.
 */
import type { GradientGraph, GradientNode, GradientRule } from '../rule.ts';

export const Softmax: GradientRule = (node, graph) => {
  const [y, g] = [node.outputs[0]!, node.outputGradients[0]!];
  const weighted = graph.emit('Mul', [y, g]);
  const sum = graph.reduceSum(weighted, axes(node, graph), true);
  return [graph.emit('Sub', [weighted, graph.emit('Mul', [y, sum])])];
};

export const LogSoftmax: GradientRule = (node, graph) => {
  const [y, g] = [node.outputs[0]!, node.outputGradients[0]!];
  const sum = graph.reduceSum(g, axes(node, graph), true);
  return [graph.emit('Sub', [g, graph.emit('Mul', [graph.emit('Exp', [y]), sum])])];
};

function axes(node: GradientNode, graph: GradientGraph): readonly number[] {
  if (graph.opset >= 13) return [node.attributeInt('axis', -1)];
  const rank = graph.rankOf(node.inputs[0]!);
  const axis = node.attributeInt('axis', 1);
  const first = axis < 0 ? axis + rank : axis;
  return Array.from({ length: rank - first }, (_, i) => first + i);
}
