/**
 * AveragePool: Y[p] = Σ_k X[p·stride − begin + k·dilation] / count(p), so that each input receives
 * dY / count from every window that read it (LeCun et al., 1998; Dumoulin and Visin, 2016, §4).
 * `count` leaves padding out unless `count_include_pad`.
 */
import { elementCount, tensor } from '../../tensor/tensor.ts';
import type { GradientGraph, GradientRule } from '../../gradient/rule.ts';
import { shapeFrom } from '../layout/slicing.ts';
import { inferred, type Operators } from '../operator.ts';
import { repeat, tilingOf, uncover } from './tiling.ts';
import { unslide } from './unslide.ts';
import {
  extents,
  inferPool,
  spatialSizes,
  windowOf,
  type KnownSize,
  type Window,
} from './window.ts';

const averagePoolGradient: GradientRule = (node, graph) => {
  const x = node.inputs[0]!;
  const dy = node.outputGradients[0]!;
  const kernel = node.attributeInts('kernel_shape');
  const rank = kernel.length;
  const sizes = spatialSizes(graph, x, rank);
  const steps = spatialSizes(graph, node.outputs[0]!, rank);
  const window = windowOf(node, graph, kernel, sizes);
  const same = node.attributeString('auto_pad', 'NOTSET').startsWith('SAME');
  if (same && extents(window).some((extent, i) => extent < window.strides[i]!)) {
    graph.fail('auto_pad is not defined for windows that are smaller than their strides');
  }
  const padded = node.attributeInt('count_include_pad', 0) === 1;
  const overhangs = node.attributeInt('ceil_mode', 0) === 1;
  const share = shares(graph, window, sizes, steps, padded, overhangs);
  const even = share.every((each) => each === share[0]) ? share[0]! : undefined;
  const tiling = tilingOf(graph, window, x, node.outputs[0]!);
  if (tiling !== undefined && even !== undefined) {
    const scaled = graph.emit('Mul', [dy, graph.scalar(even, dy)]);
    return [uncover(graph, repeat(graph, scaled, tiling), tiling)];
  }
  const scaled = even === undefined ? graph.emit('Mul', [dy, sharesOf(share, steps)]) : dy;
  // Channels are treated alike: each is an image of its own.
  const images = graph.emit('Reshape', [scaled, shapeFrom(graph, scaled, 2, [-1, 1])]);
  const weights = tensor(
    'float32',
    [1, 1, ...kernel],
    new Float32Array(graph.reserve(elementCount(kernel))).fill(even ?? 1),
  );
  const spread = unslide(graph, images, graph.constant(weights), window, 1, x);
  return [graph.reshapeLike(spread, x)];

  function sharesOf(list: readonly number[], shape: readonly KnownSize[]): string {
    return graph.constant(
      tensor('float32', [1, 1, ...(shape as number[])], Float32Array.from(list)),
    );
  }
};

/** 1 / count for every window, row by row; a single number when all are whole. */
function shares(
  graph: GradientGraph,
  window: Window,
  sizes: readonly KnownSize[],
  steps: readonly KnownSize[],
  padded: boolean,
  overhangs: boolean,
): readonly number[] {
  const { kernel, begins, ends } = window;
  const inside = begins.every((width, i) => width === 0 && ends[i] === 0);
  if (!overhangs && (padded || inside)) return [1 / elementCount(kernel)];
  const reach = extents(window);
  // First each axis is counted alone, then all windows.
  graph.reserve(elementCount(steps.map((size) => size ?? 1)));
  for (const [i, taps] of kernel.entries()) graph.reserve((steps[i] ?? 0) * taps);
  return kernel
    .map((taps, i) => {
      const size = sizes[i];
      const count = steps[i];
      if (size === undefined || count === undefined) {
        return graph.fail(
          'the size of its input is not fixed, and windows at the border count less',
        );
      }
      const first = padded ? -begins[i]! : 0;
      const last = padded ? size + ends[i]! : size;
      return Array.from({ length: count }, (_, step) => {
        const start = step * window.strides[i]! - begins[i]!;
        const dilation = window.dilations[i]!;
        let read = 0;
        for (let at = start; at < start + reach[i]!; at += dilation) {
          if (at >= first && at < last) read++;
        }
        return Math.min(read, taps);
      });
    })
    .reduce<number[]>((all, axis) => all.flatMap((a) => axis.map((b) => a * b)), [1])
    .map((count) => 1 / count);
}

export const averagePool: Operators = {
  AveragePool: { infer: inferPool, gradient: averagePoolGradient },
  ...inferred('LpPool', inferPool),
};
