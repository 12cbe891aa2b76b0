/**
 * MaxPool: the gradient goes to the cell that each window took (Scherer, Müller and Behnke, 2010).
 *
 * Where windows tile the input, these are the cells equal to their window's maximum; cells that tie
 * share the gradient, a subgradient as good as any. Asking MaxPool for its indices instead makes the
 * forward pass six times slower. Other windows are left to the indices, which count over the whole
 * tensor, and a scatter that adds.
 */
import { elementTypeNumber } from '../../tensor/element-type.ts';
import { elementCount, tensor } from '../../tensor/tensor.ts';
import type { GradientGraph, GradientNode, GradientRule } from '../../gradient/rule.ts';
import { slice } from '../layout/slicing.ts';
import type { Operators } from '../operator.ts';
import { repeat, tilingOf, uncover, type Tiling } from './tiling.ts';
import { unslide } from './unslide.ts';
import { extents, inferPool, spatialSizes, windowOf, type Window } from './window.ts';

const maxPoolGradient: GradientRule = (node, graph) => {
  const kernel = node.attributeInts('kernel_shape');
  const x = node.inputs[0]!;
  const window = windowOf(node, graph, kernel, spatialSizes(graph, x, kernel.length));
  const tiling = tilingOf(graph, window, x, node.outputs[0]!);
  if (tiling !== undefined) return [byEquality(node, graph, tiling)];
  const overlaps = extents(window).some((extent, i) => extent > window.strides[i]!);
  return [
    overlaps && graph.opset < 16 ? byTaps(node, graph, window) : byIndices(node, graph, overlaps),
  ];
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

/**
 * Before opset 16 a scatter cannot add. Here each tap of the window has a channel of its own, which
 * holds the gradients of the windows that took it, and a transposed convolution with one-hot weights
 * puts them where they belong.
 */
function byTaps(node: GradientNode, graph: GradientGraph, window: Window): string {
  if (node.attributeInt('storage_order', 0) !== 0) graph.fail('its indices are column-major');
  const [x, y] = [node.inputs[0]!, node.outputs[0]!];
  const { kernel } = window;
  const sizes = spatialSizes(graph, x, kernel.length);
  const steps = spatialSizes(graph, y, kernel.length);
  const known = [...sizes, ...steps].every((size) => size !== undefined);
  // Rounding up is inferred wrongly by ONNX Runtime for these operator sets.
  const roundsUp = node.attributeInt('ceil_mode', 0) === 1;
  if (!known || roundsUp || graph.typeOf(x) !== 'float32') {
    return graph.fail(
      'its windows overlap, which needs opset 16; export the model with that or a newer one',
    );
  }
  const taps = elementCount(kernel);
  graph.reserve(taps * taps + taps * elementCount(steps as number[]));
  const places = tapPlaces(window, sizes as number[], steps as number[]);
  const shape = [1, taps, ...(steps as number[])];
  const perImage = graph.ints([-1, 1, ...(steps as number[])]);
  const cells = graph.constant(
    tensor('int64', [], BigInt64Array.of(BigInt(elementCount(sizes as number[])))),
  );
  const taken = remainder(graph, graph.emit('Reshape', [node.demand(1), perImage]), cells);
  const mask = graph.emit('Equal', [taken, graph.constant(tensor('int64', shape, places))]);
  const gradients = graph.emit('Mul', [
    graph.emit('Cast', [mask], { to: elementTypeNumber('float32') }),
    graph.emit('Reshape', [node.outputGradients[0]!, perImage]),
  ]);
  const oneHot = Float32Array.from({ length: taps * taps }, (_, i) =>
    i % (taps + 1) === 0 ? 1 : 0,
  );
  const weights = graph.constant(tensor('float32', [taps, 1, ...kernel], oneHot));
  return graph.reshapeLike(unslide(graph, gradients, weights, window, 1, x), x);
}

/** `Mod` of what is not negative, which came with opset 10. */
function remainder(graph: GradientGraph, value: string, by: string): string {
  const whole = graph.emit('Mul', [graph.emit('Div', [value, by]), by]);
  return graph.emit('Sub', [value, whole]);
}

/** The cell of the image that each tap reads in each window, [taps, ...windows]; −1 in the padding. */
function tapPlaces(
  { kernel, strides, dilations, begins }: Window,
  sizes: readonly number[],
  steps: readonly number[],
): BigInt64Array {
  const taps = elementCount(kernel);
  const windows = elementCount(steps);
  return BigInt64Array.from({ length: taps * windows }, (_, at) => {
    let [tap, step] = [Math.floor(at / windows), at % windows];
    let [place, stride] = [0, 1];
    for (let i = kernel.length - 1; i >= 0; i--) {
      const cell =
        (step % steps[i]!) * strides[i]! - begins[i]! + (tap % kernel[i]!) * dilations[i]!;
      if (cell < 0 || cell >= sizes[i]!) return -1n;
      place += cell * stride;
      stride *= sizes[i]!;
      step = Math.floor(step / steps[i]!);
      tap = Math.floor(tap / kernel[i]!);
    }
    return BigInt(place);
  });
}

export const maxPool: Operators = {
  MaxPool: {
    infer: (node) => {
      const [pooled] = inferPool(node);
      return [pooled, { type: 'int64', shape: pooled?.shape }];
    },
    gradient: maxPoolGradient,
  },
};
