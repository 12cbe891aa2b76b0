/** Resize as it was before opset 10. */
import type { GradientRule } from '../rule.ts';
import { resized } from '../shared/resized.ts';

export const Upsample: GradientRule = (node, graph) => {
  const mode = node.attributeString('mode', 'nearest');
  const form = {
    mode,
    coordinates: 'asymmetric',
    rounding: 'floor',
    cubic: -0.75,
    excludes: false,
  };
  return [resized(node, graph, node.inputs[0]!, form, 1)];
};
