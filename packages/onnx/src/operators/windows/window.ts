/**
 * How the window of a convolution or pooling slides over its input, with every default resolved.
 *
 * Output o reads the inputs o·stride − begin + k·dilation, for k in [0, kernel), along each axis.
 */
import type { GradientGraph, GradientNode } from '../../gradient/rule.ts';
import { shown, type InferenceNode, type InferenceRule } from '../../infer/rule.ts';
import { ceilDivide, floorDivide, plus, type Size } from '../../infer/size.ts';

/** The attributes by which a window moves; one number for each spatial axis. */
export interface Sliding {
  /** NOTSET, VALID, SAME_UPPER or SAME_LOWER. */
  readonly mode: string;
  /** Stated cells of padding before and after. */
  readonly begins: readonly number[];
  readonly ends: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
}

export interface Window extends Omit<Sliding, 'mode'> {
  /** Taps per spatial axis. */
  readonly kernel: readonly number[];
}

/** A size that may depend on the input. */
export type KnownSize = number | undefined;

/** How a window moves along so many axes. */
export function slidingOf(node: InferenceNode, axes: number): Sliding {
  const mode = node.attributeString('auto_pad', 'NOTSET');
  const list = (attribute: string, length: number, absent: number, least: number) => {
    const numbers = node.attributeInts(attribute, []);
    if (numbers.length === 0) return Array<number>(length).fill(absent);
    if (numbers.length === length && numbers.every((each) => each >= least)) return numbers;
    return node.fail(`${attribute} of [${numbers.join(', ')}] do not fit ${axes} axes.`);
  };
  const pads =
    mode === 'NOTSET' ? list('pads', 2 * axes, 0, -Infinity) : Array<number>(2 * axes).fill(0);
  return {
    mode,
    begins: pads.slice(0, axes),
    ends: pads.slice(axes),
    strides: list('strides', axes, 1, 1),
    dilations: list('dilations', axes, 1, 1),
  };
}

/** Cells from the first tap to the last, per axis. */
export function extents(window: Window): number[] {
  return window.kernel.map((taps, i) => (taps - 1) * window.dilations[i]! + 1);
}

/** Sizes of the axes after batch and channel; `undefined` where they depend on the input. */
export function spatialSizes(graph: GradientGraph, value: string, rank: number): KnownSize[] {
  const sizes = graph.shapeOf(value)?.slice(2);
  return Array.from({ length: rank }, (_, i) => {
    const size = sizes?.[i];
    return typeof size === 'number' ? size : undefined;
  });
}

/** The taps of a convolution: its weights' [out, in, ...kernel], or the node's attribute. */
export function kernelOf(node: GradientNode, graph: GradientGraph, weights: string): number[] {
  const kernel = graph.shapeOf(weights)?.slice(2);
  if (kernel?.every((size) => typeof size === 'number')) return kernel;
  if (node.has('kernel_shape')) return [...node.attributeInts('kernel_shape')];
  return graph.fail('the size of its kernel is not fixed');
}

/** How often a window fits along each axis. */
export function slid(
  node: InferenceNode,
  sizes: readonly Size[],
  kernel: readonly Size[],
  roundsUp: boolean,
): Size[] {
  const { mode, begins, ends, strides, dilations } = slidingOf(node, sizes.length);
  if (kernel.length !== sizes.length) {
    node.fail(`a window of ${kernel.length} axes slides along ${sizes.length}.`);
  }
  return sizes.map((size, i) => {
    const [stride, begin] = [strides[i]!, begins[i]!];
    if (mode.startsWith('SAME')) return ceilDivide(size, stride);
    const taps = kernel[i];
    if (typeof taps !== 'number') return node.unknown(i + 2);
    if (taps < 1) node.fail(`a window of size ${taps} reads nothing.`);
    const extent = (taps - 1) * dilations[i]! + 1;
    const padded = plus(size, begin + ends[i]!);
    if (typeof padded === 'number' && padded < extent) {
      node.fail(`a window of ${extent} does not fit into axis ${i + 2} of size ${padded}.`);
    }
    const range = plus(padded, -extent);
    if (!roundsUp) return plus(floorDivide(range, stride), 1);
    const count = plus(ceilDivide(range, stride), 1);
    if (typeof count !== 'number' || typeof size !== 'number') return node.unknown(i + 2);
    // A window that would start behind the input is left out.
    return (count - 1) * stride >= size + begin ? count - 1 : count;
  });
}

export const inferPool: InferenceRule = (node) => {
  const { type, shape } = node.given(0);
  if (shape === undefined) return [{ type, shape }];
  if (shape.length < 3) node.fail(`${shown(shape)} has no axis to slide a window along.`);
  const roundsUp = node.attributeInt('ceil_mode', 0) === 1;
  const sizes = slid(node, shape.slice(2), node.attributeInts('kernel_shape'), roundsUp);
  return [{ type, shape: [shape[0]!, shape[1]!, ...sizes] }];
};

/** Attributes that convolutions and poolings share. `sizes` belong to the input. */
export function windowOf(
  node: GradientNode,
  graph: GradientGraph,
  kernel: readonly number[],
  sizes: readonly KnownSize[],
): Window {
  const { mode, ...stated } = slidingOf(node, kernel.length);
  const window = { ...stated, kernel };
  if (!mode.startsWith('SAME')) return window;
  const { strides } = window;
  // SAME_UPPER, SAME_LOWER: as many outputs as strides fit into the input.
  const reach = extents(window);
  const totals = reach.map((extent, i) => {
    const stride = strides[i]!;
    if (stride === 1) return extent - 1;
    const size = sizes[i] ?? graph.fail(`auto_pad ${mode} with strides needs a fixed input size`);
    return Math.max(0, (Math.ceil(size / stride) - 1) * stride + extent - size);
  });
  return { ...window, ...halved(totals, mode) };
}

/** Padding as `auto_pad` divides it: an odd cell goes to the end, or else to the beginning. */
export function halved(totals: readonly number[], mode: string): Pick<Window, 'begins' | 'ends'> {
  const small = totals.map((total) => Math.floor(total / 2));
  const large = totals.map((total, i) => total - small[i]!);
  return mode === 'SAME_UPPER' ? { begins: small, ends: large } : { begins: large, ends: small };
}
