/**
 * Every output is a weighted sum of inputs, one axis after another, with weights that depend on
 * sizes alone (`resizeMatrix`); the gradient applies their transpose (`resized`).
 */
import type { GradientGraph, GradientNode, GradientRule } from '../rule.ts';
import type { ResizeForm } from '../shared/resize-matrix.ts';
import { resized } from '../shared/resized.ts';

export const Resize: GradientRule = (node, graph) => {
  const x = node.inputs[0]!;
  if (node.attributeInt('antialias', 0) === 1) graph.fail('it antialiases');
  return [resized(node, graph, x, formOf(node, graph), graph.opset === 10 ? 1 : 2)];
};

function formOf(node: GradientNode, graph: GradientGraph): ResizeForm {
  const mode = node.attributeString('mode', 'nearest');
  if (graph.opset === 10) {
    return { mode, coordinates: 'asymmetric', rounding: 'floor', cubic: -0.75, excludes: false };
  }
  return {
    mode,
    coordinates: node.attributeString('coordinate_transformation_mode', 'half_pixel'),
    rounding: node.attributeString('nearest_mode', 'round_prefer_floor'),
    cubic: node.attributeFloat('cubic_coeff_a', -0.75),
    excludes: node.attributeInt('exclude_outside', 0) === 1,
  };
}
