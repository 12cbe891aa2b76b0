/** Each part gets its stretch of the gradient: the transpose of joining is splitting. */
import type { GradientRule } from '../rule.ts';
import { counted, sizeOf } from '../shared/slicing.ts';

export const Concat: GradientRule = (node, graph) => {
  const g = node.outputGradients[0]!;
  const rank = graph.rankOf(node.inputs[0]!);
  const axis = counted(node.attributeInt('axis'), rank);
  if (node.inputs.length === 1) return [g];
  const sizes = node.inputs.map((name) => graph.shapeOf(name)?.[axis]);
  const known = sizes.every((size) => typeof size === 'number');
  if (known && graph.opset < 13) {
    return graph.emitAll('Split', [g], { axis, split: sizes }, sizes.length);
  }
  const list = known
    ? graph.ints(sizes)
    : graph.emit(
        'Concat',
        node.inputs.map((name) => sizeOf(graph, name, axis)),
        { axis: 0 },
      );
  if (graph.opset < 13)
    graph.fail('the sizes of its parts cannot be inferred; export with opset 13');
  return graph.emitAll('Split', [g, list], { axis }, node.inputs.length);
};
