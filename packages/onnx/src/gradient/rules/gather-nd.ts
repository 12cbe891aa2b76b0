/**
 * Y[...] = X[indices[..., :]]; the first `batch_dims` axes of X and indices go together. The
 * transpose of reading is adding to where it was read; elements that were read twice receive both.
 */
import type { GradientGraph, GradientRule } from '../rule.ts';
import { needsAddition } from '../shared/needs-addition.ts';

export const GatherND: GradientRule = (node, graph) => {
  const [x, indices] = node.inputs as [string, string];
  if (graph.opset < 16) needsAddition(graph);
  const batch = node.attributeInt('batch_dims', 0);
  const places = batch === 0 ? indices : withBatch(graph, indices, batch);
  return [
    graph.emit('ScatterND', [graph.zeros(x), places, node.outputGradients[0]!], {
      reduction: 'add',
    }),
  ];
};

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
