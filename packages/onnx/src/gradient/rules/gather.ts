/**
 * Y = X[..., indices, ...] along one axis: an embedding when that is the first. The transpose of
 * reading is adding to where it was read; elements that were read twice receive both.
 */
import { isStatic } from '../../infer/size.ts';
import { elementCount, tensor } from '../../tensor.ts';
import type { GradientGraph, GradientRule } from '../rule.ts';
import { needsAddition } from '../shared/needs-addition.ts';
import { padZeros } from '../shared/slicing.ts';

export const Gather: GradientRule = (node, graph) => {
  const [x, indices] = node.inputs as [string, string];
  const dy = node.outputGradients[0]!;
  const rank = graph.rankOf(x);
  const given = node.attributeInt('axis', 0);
  const axis = given < 0 ? given + rank : given;
  const single = onlyIndex(graph, indices);
  const size = graph.shapeOf(x)?.[axis];
  if (single !== undefined && typeof size === 'number') {
    const at = single < 0 ? single + size : single;
    const before = Array.from({ length: rank }, (_, i) => (i === axis ? at : 0));
    const after = before.map((_, i) => (i === axis ? size - 1 - at : 0));
    return [padZeros(graph, graph.unsqueeze(dy, [axis]), before, after)];
  }
  const inner = graph.rankOf(indices);
  // Indices first, [...indices, ...before axis, ...after axis], so that each picks a whole row.
  const places = Array.from({ length: inner }, (_, i) => axis + i);
  const others = Array.from({ length: rank - 1 }, (_, i) => (i < axis ? i : i + inner));
  const updates = graph.emit('Transpose', [dy], { perm: [...places, ...others] });
  const front = [axis, ...Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis)];
  const added = graph.opset < 16 ? addedByProduct(graph, x, axis, indices, updates) : scattered();
  const back = front.map((_, i) => front.indexOf(i));
  return [graph.emit('Transpose', [added], { perm: back })];

  function scattered(): string {
    const zeros = graph.emit('Transpose', [graph.zeros(x)], { perm: front });
    return graph.emit('ScatterND', [zeros, graph.unsqueeze(indices, [-1]), updates], {
      reduction: 'add',
    });
  }
};

/** Before opset 16, a product with one-hot rows: as many multiplications as the axis is long. */
function addedByProduct(
  graph: GradientGraph,
  x: string,
  axis: number,
  indices: string,
  updates: string,
): string {
  const sizes = graph.shapeOf(x);
  if (!isStatic(sizes) || graph.typeOf(x) !== 'float32') return needsAddition(graph);
  const rest = sizes.filter((_, i) => i !== axis);
  const depth = graph.constant(tensor('int64', [], BigInt64Array.of(BigInt(sizes[axis]!))));
  const pair = graph.constant(tensor('float32', [2], Float32Array.of(0, 1)));
  const flat = graph.emit('Reshape', [indices, graph.ints([-1])]);
  const places = graph.emit('OneHot', [flat, depth, pair], { axis: 0 }); // [size, count]
  const rows = graph.emit('Reshape', [updates, graph.ints([-1, elementCount(rest)])]);
  const sums = graph.emit('MatMul', [places, rows]);
  return graph.emit('Reshape', [sums, graph.ints([sizes[axis]!, ...rest])]);
}

/** The one index that a constant of shape [] holds. */
function onlyIndex(graph: GradientGraph, indices: string): number | undefined {
  if (graph.rankOf(indices) !== 0) return undefined;
  return graph.intsOf(indices)?.[0];
}
