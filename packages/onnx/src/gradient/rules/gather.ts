/**
 * Y = X[..., indices, ...] along one axis: an embedding when that is the first. The transpose of
 * reading is adding to where it was read; elements that were read twice receive both.
 */
import type { GradientGraph, GradientRule } from '../rule.ts';
import { ADDING_SCATTER, fixedSizes, rowsAdded } from '../shared/one-hot.ts';
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
  const added = graph.opset < ADDING_SCATTER ? summed() : scattered();
  const back = front.map((_, i) => front.indexOf(i));
  return [graph.emit('Transpose', [added], { perm: back })];

  function summed(): string {
    const sizes = fixedSizes(graph, x);
    const row = sizes.filter((_, i) => i !== axis);
    return rowsAdded(graph, indices, updates, sizes[axis]!, row);
  }

  function scattered(): string {
    const zeros = graph.emit('Transpose', [graph.zeros(x)], { perm: front });
    return graph.emit('ScatterND', [zeros, graph.unsqueeze(indices, [-1]), updates], {
      reduction: 'add',
    });
  }
};

/** The one index that a constant of shape [] holds. */
function onlyIndex(graph: GradientGraph, indices: string): number | undefined {
  if (graph.rankOf(indices) !== 0) return undefined;
  return graph.intsOf(indices)?.[0];
}
