/** d (Σx/n) = Σdx/n. */
import { elementTypeNumber } from '../../element-type.ts';
import type { GradientGraph, GradientNode, GradientRule } from '../rule.ts';
import { axesOf, reduced } from '../shared/reduction.ts';

export const ReduceMean: GradientRule = (node, graph) => {
  const { g } = reduced(node, graph);
  const x = node.inputs[0]!;
  return [graph.expandLike(graph.emit('Div', [g, elementsPerOutput(node, graph)]), x)];
};

/** How many elements a mean is over, in the type of x. */
function elementsPerOutput(node: GradientNode, graph: GradientGraph): string {
  const x = node.inputs[0]!;
  const axes = axesOf(node, graph);
  const shape = graph.shapeOf(x)!;
  if (typeof axes !== 'string') {
    const sizes = axes.map((axis) => shape[axis]!);
    if (sizes.every((size) => typeof size === 'number')) {
      return graph.scalar(
        sizes.reduce((count, size) => count * size, 1),
        x,
      );
    }
  }
  const count = graph.emit('Div', [
    graph.emit('Size', [x]),
    graph.emit('Size', [node.outputs[0]!]),
  ]);
  return graph.emit('Cast', [count], { to: elementTypeNumber(graph.typeOf(x)) });
}
