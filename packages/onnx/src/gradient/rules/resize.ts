/**
 * Every output is a weighted sum of inputs, one axis after another, with weights that depend on
 * sizes alone (`resizeMatrix`). The gradient applies their transpose, axis by axis; where each input
 * was repeated a whole number of times, that is a sum over its copies.
 */
import { elementCount, values } from '../../tensor.ts';
import type { GradientGraph, GradientNode, GradientRule, GradientRules } from '../rule.ts';
import { transposedMap } from '../shared/axis-map.ts';
import { repetition, resizeMatrix, type ResizeForm } from '../shared/resize-matrix.ts';

const Resize: GradientRule = (node, graph) => {
  const x = node.inputs[0]!;
  if (node.attributeInt('antialias', 0) === 1) graph.fail('it antialiases');
  return [resized(node, graph, x, formOf(node, graph), graph.opset === 10 ? 1 : 2)];
};

function formOf(node: GradientNode, graph: GradientGraph): ResizeForm {
  const mode = node.attributeString('mode', 'nearest');
  if (graph.opset === 10) return asymmetric(mode);
  return {
    mode,
    coordinates: node.attributeString('coordinate_transformation_mode', 'half_pixel'),
    rounding: node.attributeString('nearest_mode', 'round_prefer_floor'),
    cubic: node.attributeFloat('cubic_coeff_a', -0.75),
    excludes: node.attributeInt('exclude_outside', 0) === 1,
  };
}

/** Resize as it was before opset 10. */
const Upsample: GradientRule = (node, graph) => [
  resized(node, graph, node.inputs[0]!, asymmetric(node.attributeString('mode', 'nearest')), 1),
];

/** The only form that there was until opset 10. */
function asymmetric(mode: string): ResizeForm {
  return { mode, coordinates: 'asymmetric', rounding: 'floor', cubic: -0.75, excludes: false };
}

function resized(
  node: GradientNode,
  graph: GradientGraph,
  x: string,
  form: ResizeForm,
  scalesAt: number,
): string {
  const dy = node.outputGradients[0]!;
  const rank = graph.rankOf(x);
  const from = graph.shapeOf(x) ?? [];
  const to = graph.shapeOf(node.outputs[0]!) ?? [];
  const scales = scalesOf(node, graph, scalesAt, rank);
  const axes = from.flatMap((size, axis) => {
    if (size === to[axis] && (scales?.[axis] ?? 1) === 1) return [];
    const out = to[axis];
    if (typeof size !== 'number' || typeof out !== 'number') {
      return graph.fail(`the sizes along axis ${axis} are not fixed`);
    }
    graph.reserve(size * out);
    return [{ axis, size, out, scale: scales?.[axis] ?? Math.fround(out / size) }];
  });
  const factors = axes.map(({ size, out, scale }) => repetition(form, size, out, scale));
  // AveragePool takes float32 alone, in one or two axes after batch and channels.
  const pooled =
    factors.every((factor) => factor !== undefined) &&
    graph.typeOf(x) === 'float32' &&
    rank > 2 &&
    rank <= 4 &&
    axes.every(({ axis }) => axis >= 2);
  if (pooled) {
    const kernel = Array.from({ length: rank - 2 }, (_, i) => {
      const at = axes.findIndex(({ axis }) => axis === i + 2);
      return at < 0 ? 1 : factors[at]!;
    });
    const means = graph.emit('AveragePool', [dy], { kernel_shape: kernel, strides: kernel });
    return graph.emit('Mul', [means, graph.scalar(elementCount(kernel), means)]);
  }
  return axes.reduce(
    (gradient, { axis, size, out, scale }) =>
      transposedMap(
        graph,
        gradient,
        axis,
        resizeMatrix(form, size, out, scale) ??
          graph.fail(`coordinate transformation '${form.coordinates}' is not supported`),
      ),
    dy,
  );
}

/** Scales per axis; `undefined` when sizes are given instead. */
function scalesOf(
  node: GradientNode,
  graph: GradientGraph,
  index: number,
  rank: number,
): number[] | undefined {
  const name = node.inputs[index] ?? '';
  if (name === '') return undefined;
  const value = graph.constantOf(name);
  if (value === undefined || value.type === 'string')
    return graph.fail('its scales are not constant');
  const given = Array.from(values(value), Number);
  if (given.length === 0) return undefined;
  const axes = node.has('axes') ? node.attributeInts('axes') : given.map((_, axis) => axis);
  const scales = Array.from({ length: rank }, () => 1);
  for (const [i, axis] of axes.entries()) scales[axis < 0 ? axis + rank : axis] = given[i]!;
  return scales;
}

export const resize: GradientRules = { Resize, Upsample };
