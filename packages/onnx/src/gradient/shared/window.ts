/**
 * How the window of a convolution or pooling slides over its input, with every default resolved.
 *
 * Output o reads the inputs o·stride − begin + k·dilation, for k in [0, kernel), along each axis.
 */
import type { GradientGraph, GradientNode } from '../rule.ts';

export interface Window {
  /** Taps per spatial axis. */
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Cells of padding before and after, per spatial axis. */
  readonly begins: readonly number[];
  readonly ends: readonly number[];
}

/** A size that may depend on the input. */
export type Size = number | undefined;

/** Cells from the first tap to the last, per axis. */
export function extents(window: Window): number[] {
  return window.kernel.map((taps, i) => (taps - 1) * window.dilations[i]! + 1);
}

/** Sizes of the axes after batch and channel; `undefined` where they depend on the input. */
export function spatialSizes(graph: GradientGraph, value: string, rank: number): Size[] {
  const sizes = graph.shapeOf(value)?.slice(2);
  return Array.from({ length: rank }, (_, i) => {
    const size = sizes?.[i];
    return typeof size === 'number' ? size : undefined;
  });
}

/** The taps of a convolution: those of its weights [out, in, ...kernel], or what the node says. */
export function kernelOf(node: GradientNode, graph: GradientGraph, weights: string): number[] {
  const kernel = graph.shapeOf(weights)?.slice(2);
  if (kernel?.every((size) => typeof size === 'number')) return kernel;
  if (node.has('kernel_shape')) return [...node.attributeInts('kernel_shape')];
  return graph.fail('the size of its kernel is not fixed');
}

/** Attributes that convolutions and poolings share. `sizes` are those of the input. */
export function windowOf(
  node: GradientNode,
  graph: GradientGraph,
  kernel: readonly number[],
  sizes: readonly Size[],
): Window {
  const ones = kernel.map(() => 1);
  const strides = node.attributeInts('strides', ones);
  const dilations = node.attributeInts('dilations', ones);
  const mode = node.attributeString('auto_pad', 'NOTSET');
  if (mode === 'NOTSET' || mode === 'VALID') {
    const pads = mode === 'VALID' ? [] : node.attributeInts('pads', [...kernel, ...kernel].fill(0));
    const begins = kernel.map((_, i) => pads[i] ?? 0);
    const ends = kernel.map((_, i) => pads[kernel.length + i] ?? 0);
    return { kernel, strides, dilations, begins, ends };
  }
  // SAME_UPPER, SAME_LOWER: as many outputs as strides fit into the input.
  const totals = kernel.map((taps, i) => {
    const extent = (taps - 1) * dilations[i]! + 1;
    const stride = strides[i]!;
    if (stride === 1) return extent - 1;
    const size = sizes[i] ?? graph.fail(`auto_pad ${mode} with strides needs a fixed input size`);
    return Math.max(0, (Math.ceil(size / stride) - 1) * stride + extent - size);
  });
  const small = totals.map((total) => Math.floor(total / 2));
  const large = totals.map((total, i) => total - small[i]!);
  return mode === 'SAME_UPPER'
    ? { kernel, strides, dilations, begins: small, ends: large }
    : { kernel, strides, dilations, begins: large, ends: small };
}
