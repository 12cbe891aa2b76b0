/**
 * Windows that tile their input: as wide as their strides, without padding. Every input then belongs
 * to at most one window, and spreading a value over its window is a nearest-neighbour Resize, which
 * ONNX Runtime does several times faster than a transposed convolution, Expand or a scatter.
 */
import { tensor } from '../../tensor/tensor.ts';
import type { GradientGraph } from '../../gradient/rule.ts';
import { padZeros } from '../layout/slicing.ts';
import { spatialSizes, type KnownSize, type Window } from './window.ts';

export interface Tiling {
  readonly kernel: readonly number[];
  /** Sizes of the input, per spatial axis. */
  readonly sizes: readonly number[];
  /** The part of each axis that windows reach. */
  readonly covered: readonly number[];
}

/**
 * The tiling that a window makes of `input`; `undefined` when it does not tile, or when Resize
 * cannot express it.
 */
export function tilingOf(
  graph: GradientGraph,
  window: Window,
  input: string,
  output: string,
): Tiling | undefined {
  const { kernel, strides, dilations, begins, ends } = window;
  const isTile = kernel.every(
    (taps, i) => taps === strides[i] && dilations[i] === 1 && begins[i] === 0 && ends[i] === 0,
  );
  // Resize takes one or two spatial axes; ONNX Runtime has no other element type of AveragePool.
  if (!isTile || graph.opset < 11 || kernel.length > 2 || graph.typeOf(input) !== 'float32') {
    return undefined;
  }
  const sizes = spatialSizes(graph, input, kernel.length);
  const steps = spatialSizes(graph, output, kernel.length);
  if (!isKnown(sizes) || !isKnown(steps)) return undefined;
  const covered = kernel.map((taps, i) => taps * steps[i]!);
  return covered.every((cells, i) => cells <= sizes[i]!) ? { kernel, sizes, covered } : undefined;
}

/** Repeats each value over its window: [batch, channels, ...windows] → [batch, channels, ...covered]. */
export function repeat(graph: GradientGraph, value: string, { kernel }: Tiling): string {
  const scales = tensor('float32', [kernel.length + 2], Float32Array.of(1, 1, ...kernel));
  // The region of interest, which only a crop reads, could be left out since opset 13.
  const region = graph.opset < 13 ? graph.constant(tensor('float32', [0], Float32Array.of())) : '';
  return graph.emit('Resize', [value, region, graph.constant(scales)], {
    mode: 'nearest',
    coordinate_transformation_mode: 'asymmetric',
    nearest_mode: 'floor',
  });
}

/** Zeros where no window reached: [batch, channels, ...covered] → [batch, channels, ...sizes]. */
export function uncover(graph: GradientGraph, value: string, tiling: Tiling): string {
  const behind = tiling.sizes.map((size, i) => size - tiling.covered[i]!);
  return padZeros(graph, value, [0, 0, ...behind.map(() => 0)], [0, 0, ...behind]);
}

function isKnown(sizes: readonly KnownSize[]): sizes is readonly number[] {
  return sizes.every((size) => size !== undefined);
}
