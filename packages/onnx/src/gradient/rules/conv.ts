/**
 * Conv: Y[n, o, p] = B[o] + Σ_{c, k} W[o, c, k] · X[n, c, p·stride − begin + k·dilation].
 *
 * The gradient with respect to X spreads dY through the same weights (`unslide`), that with respect
 * to W correlates X with dY (`convWeightGradient`), that with respect to B sums dY (LeCun et al.,
 * 1998; Dumoulin and Visin, 2016, §4).
 */
import type { GradientRule } from '../rule.ts';
import { convWeightGradient } from '../shared/conv-weight.ts';
import { unslide } from '../shared/unslide.ts';
import { kernelOf, spatialSizes, windowOf } from '../shared/window.ts';

export const Conv: GradientRule = (node, graph) => {
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
