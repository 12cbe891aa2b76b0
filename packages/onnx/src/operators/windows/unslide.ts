/**
 * The transpose of sliding a window: spreads each output's gradient over the inputs that it read.
 *
 * That is a transposed convolution whose result has exactly the size of the forward input: rows that
 * no window reached (stride does not divide) become zero through `output_padding`, rows of padding
 * are cut. Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", §4.
 */
import type { GradientGraph } from '../../gradient/rule.ts';
import { padZeros, shapeFrom } from '../layout/slicing.ts';
import { extents, spatialSizes, type Window } from './window.ts';

/**
 * @param gradient [batch, groups·out, ...spatial of the output]
 * @param weights [groups·out, in, ...kernel]
 * @param input what the window slid over: the result has its spatial shape, [batch, groups·in, ...]
 */
export function unslide(
  graph: GradientGraph,
  gradient: string,
  weights: string,
  window: Window,
  group: number,
  input: string,
): string {
  const { kernel, strides, dilations, begins, ends } = window;
  const rank = kernel.length;
  const attributes = { kernel_shape: kernel, strides, dilations, group };
  const sizes = spatialSizes(graph, input, rank);
  const steps = spatialSizes(graph, gradient, rank);
  if (sizes.every((size) => size !== undefined) && steps.every((size) => size !== undefined)) {
    const reach = extents(window);
    // Cells of the padded input behind the last window; negative where the window overhangs.
    const behind = sizes.map(
      (size, i) => size + begins[i]! + ends[i]! - ((steps[i]! - 1) * strides[i]! + reach[i]!),
    );
    return graph.emit('ConvTranspose', [gradient, weights], {
      ...attributes,
      pads: [...begins, ...ends.map((width, i) => width - Math.min(0, behind[i]!))],
      output_padding: behind.map((cells) => Math.max(0, cells)),
    });
  }
  if (graph.opset < 11) graph.fail('the size of its input is not fixed, which needs opset 11');
  const all = graph.emit('ConvTranspose', [gradient, weights], attributes);
  const kept = padZeros(
    graph,
    all,
    [0, 0, ...begins.map((width) => -width)],
    [0, 0, ...begins.map(() => 0)],
  );
  const missing = graph.emit('Sub', [
    shapeFrom(graph, input, 2, []),
    shapeFrom(graph, kept, 2, []),
  ]);
  const pads = graph.concat([graph.ints(Array(rank + 4).fill(0)), missing], 0);
  return graph.emit('Pad', [kept, pads]);
}
