/**
 * MaxPool: the gradient goes to the cell that each window took.
 *
 * Where windows tile the input, these are the cells equal to their window's maximum; cells that tie
 * share the gradient, a subgradient as good as any. Asking MaxPool for its indices instead makes the
 * forward pass six times slower. Windows that overlap are left to the indices, which count over the
 * whole tensor, and a scatter that adds.
 */
import type { GradientGraph, GradientNode, GradientRule } from '../rule.ts';
import { slice } from './slicing.ts';
import { repeat, tilingOf, uncover, type Tiling } from './tile.ts';
import { extents, spatialSizes, windowOf } from './window.ts';

export const MaxPool: GradientRule = (node, graph) => {
  const kernel = node.attributeInts('kernel_shape');
  const x = node.inputs[0]!;
  const window = windowOf(node, graph, kernel, spatialSizes(graph, x, kernel.length));
  const tiling = tilingOf(graph, window, x, node.outputs[0]!);
  if (tiling !== undefined) return [byEquality(node, graph, tiling)];
  const overlaps = extents(window).some((extent, i) => extent > window.strides[i]!);
  return [byIndices(node, graph, overlaps)];
};

function byEquality(node: GradientNode, graph: GradientGraph, tiling: Tiling): string {
  const [x, y] = [node.inputs[0]!, node.outputs[0]!];
  const dy = node.outputGradients[0]!;
  const { kernel, sizes, covered } = tiling;
  const reached = slice(
    graph,
    x,
    covered.flatMap((end, i) => (end === sizes[i] ? [] : [{ axis: i + 2, start: 0, end }])),
  );
  const taken = graph.emit('Equal', [reached, repeat(graph, y, tiling)]);
  const mask = graph.emit('Cast', [taken], { to: 1 });
  // The mean of the mask is (cells that tie) / (cells of the window).
  const ties = graph.emit('AveragePool', [mask], { kernel_shape: kernel, strides: kernel });
  const taps = kernel.reduce((product, size) => product * size, 1);
  const share = graph.emit('Div', [graph.emit('Mul', [dy, graph.scalar(1 / taps, dy)]), ties]);
  const spread = graph.emit('Mul', [mask, repeat(graph, share, tiling)]);
  return uncover(graph, spread, tiling);
}

function byIndices(node: GradientNode, graph: GradientGraph, overlaps: boolean): string {
  if (overlaps && graph.opset < 16) {
    graph.fail(
      'its windows overlap, which needs opset 16; export the model with that or a newer one',
    );
  }
  if (node.attributeInt('storage_order', 0) !== 0) graph.fail('its indices are column-major');
  const x = node.inputs[0]!;
  const flat = graph.ints([-1]);
  const indices = graph.emit('Reshape', [node.demand(1), flat]);
  const updates = graph.emit('Reshape', [node.outputGradients[0]!, flat]);
  const zeros = graph.emit('Reshape', [graph.zeros(x), flat]);
  const scattered = graph.emit(
    graph.opset < 11 ? 'Scatter' : 'ScatterElements',
    [zeros, indices, updates],
    overlaps ? { axis: 0, reduction: 'add' } : { axis: 0 },
  );
  return graph.reshapeLike(scattered, x);
}
