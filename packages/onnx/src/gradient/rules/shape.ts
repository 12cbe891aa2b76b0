/**
 * Operators that move or copy elements. Each is a linear map, and its gradient the transpose of that:
 * of rearranging it is rearranging back, of repeating the sum of the copies, of joining splitting.
 */
import type { GradientRule, GradientRules } from '../rule.ts';
import { counted, sizeOf } from '../shared/slicing.ts';

const rearranged: GradientRule = (node, graph) => [
  graph.reshapeLike(node.outputGradients[0]!, node.inputs[0]!),
];

const Transpose: GradientRule = (node, graph) => {
  const rank = graph.rankOf(node.inputs[0]!);
  const reversed = Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  const perm = node.attributeInts('perm', reversed);
  const inverse = perm.map((_, axis) => perm.indexOf(axis));
  return [graph.emit('Transpose', [node.outputGradients[0]!], { perm: inverse })];
};

const Expand: GradientRule = (node, graph) => [
  graph.unbroadcast(node.outputGradients[0]!, node.inputs[0]!),
];

/** As Expand: with an axis of its own for the copies of each axis, they are summed over. */
const Tile: GradientRule = (node, graph) => {
  const [x, g] = [node.inputs[0]!, node.outputGradients[0]!];
  const repeats = graph.intsOf(node.inputs[1]!);
  const rank = graph.rankOf(x);
  const shape = graph.shapeOf(x)!;
  if (repeats !== undefined && shape.every((size) => typeof size === 'number')) {
    const repeated = repeats.map((count, axis) => ({ count, size: shape[axis]! }));
    const sizes = repeated.flatMap(({ count, size }) => (count === 1 ? [size] : [count, size]));
    const axes: number[] = [];
    let at = 0;
    for (const { count } of repeated) {
      if (count === 1) at += 1;
      else {
        axes.push(at);
        at += 2;
      }
    }
    return [graph.reduceSum(graph.emit('Reshape', [g, graph.ints(sizes)]), axes, false)];
  }
  // [repeats, sizes] read column by column: repeat, size, repeat, size, …
  const rows = [node.inputs[1]!, graph.shapeTensor(x)].map((list) => graph.unsqueeze(list, [1]));
  const pairs = graph.emit('Concat', rows, { axis: 1 });
  const interleaved = graph.emit('Reshape', [g, graph.emit('Reshape', [pairs, graph.ints([-1])])]);
  const copies = Array.from({ length: rank }, (_, axis) => 2 * axis);
  return [graph.reduceSum(interleaved, copies, false)];
};

const Concat: GradientRule = (node, graph) => {
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

/** A part that is not used gets zeros. */
const Split: GradientRule = (node, graph) => {
  const rank = graph.rankOf(node.inputs[0]!);
  const axis = counted(node.attributeInt('axis', 0), rank);
  const parts = node.outputs.map((name, index) => node.outputGradients[index] ?? graph.zeros(name));
  return [parts.length === 1 ? parts[0]! : graph.emit('Concat', parts, { axis })];
};

export const shape: GradientRules = {
  Concat,
  Expand,
  Flatten: rearranged,
  Reshape: rearranged,
  Split,
  Squeeze: rearranged,
  Tile,
  Transpose,
  Unsqueeze: rearranged,
};
