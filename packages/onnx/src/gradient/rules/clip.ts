/**
 * dy where min ≤ x ≤ max, borders included as in PyTorch; a bound gets the gradients of the elements
 * that it replaced. Bounds are attributes before opset 11.
 */
import type { GradientGraph, GradientNode, GradientRule } from '../rule.ts';

export const Clip: GradientRule = (node, graph) => {
  const [x, g] = [node.inputs[0]!, node.outputGradients[0]!];
  const zero = graph.scalar(0, x);
  const [low, high] = [bound(node, graph, 1, 'min'), bound(node, graph, 2, 'max')];
  const below = low === undefined ? undefined : graph.emit('Less', [x, low]);
  const above = high === undefined ? undefined : graph.emit('Greater', [x, high]);
  const outside = [below, above].filter((each) => each !== undefined);
  const replaced = (index: number, mask: string | undefined) =>
    mask !== undefined && node.wants(index)
      ? graph.unbroadcast(graph.emit('Where', [mask, g, zero]), node.inputs[index]!)
      : undefined;
  let inner: string | undefined;
  if (node.wants(0)) {
    inner = g;
    for (const mask of outside) inner = graph.emit('Where', [mask, zero, inner]);
  }
  return [inner, replaced(1, below), replaced(2, above)];
};

function bound(
  node: GradientNode,
  graph: GradientGraph,
  index: number,
  attribute: string,
): string | undefined {
  if (graph.opset >= 11) return (node.inputs[index] ?? '') === '' ? undefined : node.inputs[index];
  if (!node.has(attribute)) return undefined;
  return graph.scalar(node.attributeFloat(attribute), node.inputs[0]!);
}
