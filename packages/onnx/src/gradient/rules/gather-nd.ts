/**
 * Y[...] = X[indices[..., :]]; the first `batch_dims` axes of X and indices go together. The
 * transpose of reading is adding to where it was read; elements that were read twice receive both.
 */
import { elementCount } from '../../tensor.ts';
import type { GradientGraph, GradientRule } from '../rule.ts';
import { ADDING_SCATTER, fixedSizes, rowsAdded } from '../shared/one-hot.ts';

export const GatherND: GradientRule = (node, graph) => {
  const [x, indices] = node.inputs as [string, string];
  const batch = node.attributeInt('batch_dims', 0);
  const places = batch === 0 ? indices : withBatch(graph, indices, batch);
  const dy = node.outputGradients[0]!;
  if (graph.opset < ADDING_SCATTER) return [summed(graph, x, places, dy)];
  return [graph.emit('ScatterND', [graph.zeros(x), places, dy], { reduction: 'add' })];
};

/** The sum over what was read, with one number for each index tuple. */
function summed(graph: GradientGraph, x: string, places: string, dy: string): string {
  const sizes = fixedSizes(graph, x);
  const depth = graph.shapeOf(places)?.at(-1);
  if (typeof depth !== 'number') return graph.fail('how many axes it indexes is not fixed');
  const [indexed, row] = [sizes.slice(0, depth), sizes.slice(depth)];
  const strides = indexed.map((_, axis) => elementCount(indexed.slice(axis + 1)));
  const negative = graph.emit('Less', [places, graph.ints([0])]);
  const fromEnd = graph.emit('Add', [places, graph.ints(indexed)]);
  const counted = graph.emit('Where', [negative, fromEnd, places]);
  const steps = graph.emit('Mul', [counted, graph.ints(strides)]);
  const at = graph.reduceSum(steps, [graph.rankOf(places) - 1], false);
  return graph.reshapeLike(rowsAdded(graph, at, dy, elementCount(indexed), row), x);
}

/** Indices that say the place in the batch too, as ScatterND has no batch of its own. */
function withBatch(graph: GradientGraph, indices: string, batch: number): string {
  const rank = graph.rankOf(indices);
  // [..., 1]: one index of the batch for every index tuple.
  const shape = graph.emit('Concat', [firstSizes(graph, indices, rank - 1), graph.ints([1])], {
    axis: 0,
  });
  const along = Array.from({ length: batch }, (_, axis) => {
    const size = graph.squeeze(
      graph.emit('Slice', [graph.shapeTensor(indices), graph.ints([axis]), graph.ints([axis + 1])]),
      [0],
    );
    const zero = graph.squeeze(graph.ints([0]), [0]);
    const one = graph.squeeze(graph.ints([1]), [0]);
    const range = graph.emit('Range', [zero, size, one]);
    const places = Array.from({ length: rank }, (_, i) => (i === axis ? -1 : 1));
    return graph.emit('Expand', [graph.emit('Reshape', [range, graph.ints(places)]), shape]);
  });
  return graph.emit('Concat', [...along, indices], { axis: rank - 1 });
}

function firstSizes(graph: GradientGraph, value: string, count: number): string {
  return graph.emit('Slice', [graph.shapeTensor(value), graph.ints([0]), graph.ints([count])]);
}
