/**
 * Operands that are broadcast: the gradient of one is summed over the axes along which it was
 * repeated.
 */
import type { GradientGraph, GradientNode } from '../rule.ts';

/** The gradient of one operand, before it is summed over what was broadcast. */
export function operand(
  node: GradientNode,
  graph: GradientGraph,
  index: number,
  contribution: (outputGradient: string) => string,
): string | undefined {
  if (!node.wants(index)) return undefined;
  return graph.unbroadcast(contribution(node.outputGradients[0]!), node.inputs[index]!);
}

export function negated(graph: GradientGraph, gradient: string | undefined): string | undefined {
  return gradient === undefined ? undefined : graph.emit('Neg', [gradient]);
}
