/** Operators that pass some elements on and hold others back. */
import { elementTypeNumber } from '../../element-type.ts';
import type { GradientGraph, GradientNode, GradientRule } from '../rule.ts';

/** dy as it is. */
export const Identity: GradientRule = (node) => [node.outputGradients[0]];

/** dy in the type of x; the engine stops at integers. */
export const Cast: GradientRule = (node, graph) => [
  graph.emit('Cast', [node.outputGradients[0]!], {
    to: elementTypeNumber(graph.typeOf(node.inputs[0]!)),
  }),
];

/** The gradient goes to the side that was chosen. */
export const Where: GradientRule = (node, graph) => {
  const [condition, g] = [node.inputs[0]!, node.outputGradients[0]!];
  const zero = graph.scalar(0, g);
  const side = (index: number, yes: string, no: string) =>
    node.wants(index)
      ? graph.unbroadcast(graph.emit('Where', [condition, yes, no]), node.inputs[index]!)
      : undefined;
  return [undefined, side(1, g, zero), side(2, zero, g)];
};

/**
 * dy where min ≤ x ≤ max; a bound gets the gradients of the elements that it replaced. Bounds are
 * attributes before opset 11.
 */
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
