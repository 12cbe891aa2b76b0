/**
 * Convolutions (LeCun et al., 1998; Dumoulin and Visin, 2016, §4). The gradient with respect to the
 * weights correlates input and output (`convWeightGradient`); the bias's gradient sums dY.
 */
import type { GradientGraph, GradientNode, GradientRule } from '../../gradient/rule.ts';
import { shown, type InferenceNode, type InferenceRule } from '../../infer/rule.ts';
import { plus, product, sum, type Size } from '../../infer/size.ts';
import type { Operators } from '../operator.ts';
import { convWeightGradient } from './conv-weight.ts';
import { unslide } from './unslide.ts';
import {
  extents,
  halved,
  kernelOf,
  slid,
  slidingOf,
  spatialSizes,
  windowOf,
  type KnownSize,
  type Window,
} from './window.ts';

/** The shape of a convolution: x [batch, channels, …], weights [filters, channels ÷ groups, …]. */
export function convolved(
  node: InferenceNode,
  shape: readonly Size[] | undefined,
  weights: readonly Size[] | undefined,
): readonly Size[] | undefined {
  if (shape === undefined || weights === undefined) return undefined;
  if (shape.length !== weights.length || shape.length < 3) {
    node.fail(`weights of ${shown(weights)} do not fit ${shown(shape)}.`);
  }
  const [channels, inputs] = [shape[1]!, weights[1]!];
  const group = node.attributeInt('group', 1);
  if (typeof channels === 'number' && typeof inputs === 'number' && channels !== inputs * group) {
    node.fail(
      `its ${channels} channels are not the ${inputs * group} that weights of ${shown(weights)} read in ${group} group${group === 1 ? '' : 's'}.`,
    );
  }
  return [shape[0]!, weights[0]!, ...slid(node, shape.slice(2), weights.slice(2), false)];
}

/**
 * Y[n, o, p] = B[o] + Σ_{c, k} W[o, c, k] · X[n, c, p·stride − begin + k·dilation]. The gradient of X
 * spreads dY through the same weights.
 */
const convGradient: GradientRule = (node, graph) => {
  const [x, w] = node.inputs as [string, string];
  const dy = node.outputGradients[0]!;
  const kernel = kernelOf(node, graph, w);
  const window = windowOf(node, graph, kernel, spatialSizes(graph, x, kernel.length));
  const group = node.attributeInt('group', 1);
  return [
    node.wants(0) ? unslide(graph, dy, w, window, group, x) : undefined,
    node.wants(1) ? convWeightGradient(graph, x, dy, w, window, group) : undefined,
    node.wants(2) ? graph.reduceSum(dy, [0, ...kernel.map((_, i) => i + 2)], false) : undefined,
  ];
};

const inferConvTranspose: InferenceRule = (node) => {
  const { type, shape } = node.given(0);
  const weights = node.given(1).shape;
  if (shape === undefined || weights === undefined) return [{ type, shape: undefined }];
  if (shape.length !== weights.length || shape.length < 3) {
    node.fail(`weights of ${shown(weights)} do not fit ${shown(shape)}.`);
  }
  const channels = product([weights[1]!, node.attributeInt('group', 1)]);
  return [{ type, shape: [shape[0]!, channels, ...unslidSizes(node, shape, weights)] }];
};

/** (size − 1) · stride + extent + output_padding − pads, unless the node states the size, or the padding mode. */
function unslidSizes(
  node: InferenceNode,
  shape: readonly Size[],
  weights: readonly Size[],
): readonly Size[] {
  const sizes = shape.slice(2);
  const { mode, begins, ends, strides, dilations } = slidingOf(node, sizes.length);
  if (node.has('output_shape')) return node.attributeInts('output_shape').slice(-sizes.length);
  const added = node.attributeInts('output_padding', []);
  return sizes.map((size, i) => {
    const taps = weights[i + 2];
    if (typeof taps !== 'number') return node.unknown(i + 2);
    const stride = strides[i]!;
    const cut = begins[i]! + ends[i]!;
    const last = (taps - 1) * dilations[i]! + 1 + (added[i] ?? 0);
    // Nothing is added where the windows fill less than `auto_pad` asks for.
    if (mode.startsWith('SAME') && last >= stride) return product([size, stride]);
    return sum([product([plus(size, -1), stride]), last - cut]);
  });
}

/**
 * The transpose of Conv: its gradients are Conv's with the roles of input and output
 * exchanged, so that dX is a convolution of dY with the same weights [in, out, ...kernel].
 */
const convTransposeGradient: GradientRule = (node, graph) => {
  const [x, w] = node.inputs as [string, string];
  const dy = node.outputGradients[0]!;
  const kernel = kernelOf(node, graph, w);
  const sizes = spatialSizes(graph, x, kernel.length);
  const window = transposedWindowOf(node, graph, kernel, sizes);
  const group = node.attributeInt('group', 1);
  return [
    node.wants(0) ? inputGradient() : undefined,
    node.wants(1) ? convWeightGradient(graph, dy, x, w, window, group) : undefined,
    node.wants(2) ? graph.reduceSum(dy, [0, ...kernel.map((_, i) => i + 2)], false) : undefined,
  ];

  function inputGradient(): string {
    const { strides, dilations, begins, ends } = window;
    const pads = [...begins, ...ends];
    return graph.emit('Conv', [dy, w], { kernel_shape: kernel, strides, dilations, pads, group });
  }
};

/** Where padding follows from the output's size, it is cut from the window's full result. */
function transposedWindowOf(
  node: GradientNode,
  graph: GradientGraph,
  kernel: readonly number[],
  sizes: readonly KnownSize[],
): Window {
  const { mode, ...stated } = slidingOf(node, kernel.length);
  if (!mode.startsWith('SAME') && !node.has('output_shape')) {
    return windowOf(node, graph, kernel, sizes);
  }
  const window = { ...stated, kernel };
  const added = node.attributeInts('output_padding', Array<number>(kernel.length).fill(0));
  const wanted = node.has('output_shape')
    ? node.attributeInts('output_shape').slice(-kernel.length)
    : undefined;
  const totals = extents(window).map((extent, i) => {
    const stride = window.strides[i]!;
    const size = sizes[i] ?? graph.fail('its output shape needs a fixed input size');
    const full = stride * (size - 1) + added[i]! + extent;
    if (wanted === undefined) return Math.max(0, full - size * stride);
    const total = full - wanted[i]!;
    return total >= 0 ? total : graph.fail('its output shape is larger than what it fills');
  });
  return { ...window, ...halved(totals, mode) };
}

export const conv: Operators = {
  Conv: {
    infer: (node) => {
      const { type, shape } = node.given(0);
      return [{ type, shape: convolved(node, shape, node.given(1).shape) }];
    },
    gradient: convGradient,
  },
  ConvTranspose: { infer: inferConvTranspose, gradient: convTransposeGradient },
};
