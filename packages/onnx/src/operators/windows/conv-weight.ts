/**
 * The gradient of a convolution with respect to its weights:
 *
 *     dW[o, c, k] = Σ_{n, p} dY[n, o, p] · X[n, c, p·stride − begin + k·dilation]
 *
 * Two ways to write it. Without groups, each tap k is a strided slice of X and one matrix product
 * with dY: measured, this takes up to half the time of the second and uses the same fast GEMM
 * everywhere. With the batch as the last axis a slice copies runs of many numbers: for 32 channels of
 * 14 × 14, 64 filters of 5 × 5 and a batch of 10, that makes 2.2 ms of 2.8 ms. Otherwise it is itself
 * a convolution, over the batch: X with its batch as channels, dY as the kernel, strides and
 * dilations having changed places (Dumoulin and Visin, §4.6).
 */
import type { GradientGraph } from '../../gradient/rule.ts';
import { padZeros, shapeFrom, slice } from '../layout/slicing.ts';
import { extents, spatialSizes, type Window } from './window.ts';

/** Beyond this many taps the nodes cost more than they save. */
const MOST_TAPS = 64;
/** With fewer channels than this, a matrix product per tap is too thin to be fast. */
const FEWEST_CHANNELS = 8;

/**
 * @param image what the window slid over, [batch, groups·in, ...]
 * @param gradient of what it made, [batch, groups·out, ...]
 * @param weights of shape [groups·out, in, ...kernel], which the result has too
 */
export function convWeightGradient(
  graph: GradientGraph,
  image: string,
  gradient: string,
  weights: string,
  window: Window,
  group: number,
): string {
  const rank = window.kernel.length;
  const [outputs, inputs] = graph.shapeOf(weights) ?? [];
  if (typeof outputs !== 'number' || typeof inputs !== 'number') {
    return graph.fail('the shape of its weights is not fixed');
  }
  const steps = spatialSizes(graph, gradient, rank);
  const taps = window.kernel.reduce((product, size) => product * size, 1);
  // Slices have steps since opset 10, and Gemm does without a bias since opset 11.
  const sliced = group === 1 && taps <= MOST_TAPS && graph.opset >= 11;
  return sliced && steps.every((size) => size !== undefined)
    ? byTap(graph, image, gradient, window, steps, outputs, inputs)
    : byConvolution(graph, image, gradient, window, group, outputs, inputs);
}

function byTap(
  graph: GradientGraph,
  image: string,
  gradient: string,
  window: Window,
  steps: readonly number[],
  outputs: number,
  inputs: number,
): string {
  const { kernel, begins, ends } = window;
  // [in, ..., batch]
  const padded = padZeros(
    graph,
    batchLast(graph, image, kernel.length),
    [0, ...begins, 0],
    [0, ...ends, 0],
  );
  const factor = graph.reshape(batchLast(graph, gradient, kernel.length), [outputs, -1]);
  const product = (columns: string, channels: number) =>
    graph.emit('Gemm', [factor, graph.reshape(columns, [channels, -1])], {
      transB: 1,
    });
  const columns = tapSlices(graph, padded, 1, window, steps);
  if (columns.length === 1) {
    return graph.reshape(product(columns[0]!, inputs), [outputs, inputs, ...kernel]);
  }
  // [out, taps · in]
  const rows =
    inputs < FEWEST_CHANNELS
      ? product(graph.concat(columns, 0), inputs * columns.length)
      : graph.concat(
          columns.map((each) => product(each, inputs)),
          1,
        );
  const byTaps = graph.reshape(rows, [outputs, columns.length, inputs]);
  const byInputs = graph.emit('Transpose', [byTaps], { perm: [0, 2, 1] });
  return graph.reshape(byInputs, [outputs, inputs, ...kernel]);
}

function byConvolution(
  graph: GradientGraph,
  image: string,
  gradient: string,
  window: Window,
  group: number,
  outputs: number,
  inputs: number,
): string {
  const { kernel, strides, dilations, begins, ends } = window;
  const rank = kernel.length;
  const found = graph.emit(
    'Conv',
    [
      group === 1 ? swapFirst(graph, image, rank) : groupsApart(graph, image, group, inputs, rank),
      swapFirst(graph, gradient, rank), // [groups · out, batch, ...]
    ],
    { strides: dilations, dilations: strides, pads: [...begins, ...ends], group },
  ); // [in, groups · out, ...]; longer than the kernel where the stride left cells over
  const cut = fits(graph, image, gradient, window)
    ? found
    : slice(
        graph,
        found,
        kernel.map((size, i) => ({ axis: i + 2, start: 0, end: size })),
      );
  return inputs === 1
    ? graph.reshape(cut, [outputs, inputs, ...kernel])
    : swapFirst(graph, cut, rank);
}

/** [batch, groups · in, ...] → [in, groups · batch, ...] */
function groupsApart(
  graph: GradientGraph,
  image: string,
  group: number,
  inputs: number,
  rank: number,
): string {
  const apart = graph.reshape(image, [0, group, inputs, -1]);
  const moved = graph.emit('Transpose', [apart], { perm: [2, 1, 0, 3] });
  const sizes = spatialSizes(graph, image, rank);
  // One unknown size can be left to Reshape; here that is the batch.
  return graph.emit('Reshape', [
    moved,
    sizes.every((size) => size !== undefined)
      ? graph.ints([inputs, -1, ...sizes])
      : shapeFrom(graph, image, 2, [inputs, -1]),
  ]);
}

/** Whether the convolution over the batch is known to give exactly one result per tap. */
function fits(graph: GradientGraph, image: string, gradient: string, window: Window): boolean {
  const rank = window.kernel.length;
  const sizes = spatialSizes(graph, image, rank);
  const steps = spatialSizes(graph, gradient, rank);
  return extents(window).every((reach, i) => {
    const size = sizes[i];
    const step = steps[i];
    if (size === undefined || step === undefined) return false;
    const padded = size + window.begins[i]! + window.ends[i]!;
    return padded - ((step - 1) * window.strides[i]! + reach) < window.dilations[i]!;
  });
}

/** [batch, channels, ...] → [channels, ..., batch] */
function batchLast(graph: GradientGraph, value: string, rank: number): string {
  const perm = [...Array.from({ length: rank + 1 }, (_, i) => i + 1), 0];
  return graph.emit('Transpose', [value], { perm });
}

function swapFirst(graph: GradientGraph, value: string, rank: number): string {
  const perm = [1, 0, ...Array.from({ length: rank }, (_, i) => i + 2)];
  return graph.emit('Transpose', [value], { perm });
}

/**
 * Elements of a padded value that each tap of a kernel reads, row by row.
 * @param first the first spatial axis. @param steps of the window, along each axis.
 */
export function tapSlices(
  graph: GradientGraph,
  padded: string,
  first: number,
  { kernel, dilations, strides }: Pick<Window, 'kernel' | 'dilations' | 'strides'>,
  steps: readonly number[],
): string[] {
  return tapsOf(kernel).map((tap) =>
    slice(
      graph,
      padded,
      tap.map((at, i) => ({
        axis: i + first,
        start: at * dilations[i]!,
        end: at * dilations[i]! + (steps[i]! - 1) * strides[i]! + 1,
        step: strides[i]!,
      })),
    ),
  );
}

/** Every tap of a kernel, row by row. */
function tapsOf(kernel: readonly number[]): number[][] {
  return kernel.reduce<number[][]>(
    (taps, size) => taps.flatMap((tap) => Array.from({ length: size }, (_, i) => [...tap, i])),
    [[]],
  );
}
