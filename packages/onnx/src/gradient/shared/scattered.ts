/**
 * The common part of ScatterND and ScatterElements: they write updates over (or add them to) a copy
 * of the data. Overwritten elements receive no gradient; the updates receive the gradients of the
 * places that they were written to.
 *
 * Indices that name a place twice have no defined result, and so no gradient, unless they add.
 */
import type { GradientGraph, GradientNode } from '../rule.ts';

export function scattered(
  node: GradientNode,
  graph: GradientGraph,
  erase: (dy: string, zeros: string) => string,
  read: (dy: string) => string,
): readonly (string | undefined)[] {
  const dy = node.outputGradients[0]!;
  const reduction = node.attributeString('reduction', 'none');
  if (reduction !== 'none' && reduction !== 'add') {
    return graph.fail(`its reduction is '${reduction}'; only 'none' and 'add' are supported`);
  }
  const erased = () => (reduction === 'add' ? dy : erase(dy, graph.zeros(node.inputs[2]!)));
  return [node.wants(0) ? erased() : undefined, undefined, node.wants(2) ? read(dy) : undefined];
}
