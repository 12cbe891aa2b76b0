/**
 * Convolutions (LeCun et al., 1998; Dumoulin and Visin, 2016, §4). The gradient with respect to the
 * weights correlates input and output (`convWeightGradient`); that of the bias sums dY.
 */
import type { GradientGraph, GradientNode, GradientRule, GradientRules } from '../rule.ts';
import { convWeightGradient } from '../shared/conv-weight.ts';
import { unslide } from '../shared/unslide.ts';
import {
  extents,
  kernelOf,
  spatialSizes,
  windowOf,
  type Size,
  type Window,
} from '../shared/window.ts';

/**
 * Y[n, o, p] = B[o] + Σ_{c, k} W[o, c, k] · X[n, c, p·stride − begin + k·dilation]. The gradient of X
 * spreads dY through the same weights.
 */
const Conv: GradientRule = (node, graph) => {
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

/**
 * The transpose of Conv: its gradients are those of Conv with the roles of input and output
 * exchanged, so that dX is a convolution of dY with the same weights [in, out, ...kernel].
 */
const ConvTranspose: GradientRule = (node, graph) => {
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
    return graph.emit('Conv', [dy, w], {
      kernel_shape: kernel,
      strides,
      dilations,
      pads,
      group,
    });
  }
};

/** Where padding follows from the output's size, it is cut from the window's full result. */
function transposedWindowOf(
  node: GradientNode,
  graph: GradientGraph,
  kernel: readonly number[],
  sizes: readonly Size[],
): Window {
  const mode = node.attributeString('auto_pad', 'NOTSET');
  const same = mode.startsWith('SAME');
  if (!same && !node.has('output_shape')) return windowOf(node, graph, kernel, sizes);
  const strides = node.attributeInts(
    'strides',
    kernel.map(() => 1),
  );
  const dilations = node.attributeInts(
    'dilations',
    kernel.map(() => 1),
  );
  const added = node.attributeInts(
    'output_padding',
    kernel.map(() => 0),
  );
  const wanted = node.has('output_shape')
    ? node.attributeInts('output_shape').slice(-kernel.length)
    : undefined;
  const window = { kernel, strides, dilations };
  const totals = extents({ ...window, begins: [], ends: [] }).map((extent, i) => {
    const size = sizes[i] ?? graph.fail('its output shape needs a fixed input size');
    const full = strides[i]! * (size - 1) + added[i]! + extent;
    const total = full - (wanted?.[i] ?? size * strides[i]!);
    return total >= 0 ? total : graph.fail('its output shape is larger than what it fills');
  });
  const small = totals.map((total) => Math.floor(total / 2));
  const large = totals.map((total, i) => total - small[i]!);
  return mode === 'SAME_UPPER'
    ? { ...window, begins: small, ends: large }
    : { ...window, begins: large, ends: small };
}

export const conv: GradientRules = { Conv, ConvTranspose };
