/**
 * Every output is a weighted sum of inputs, one axis after another, with weights that depend on
 * sizes alone (`resizeMatrix`). The gradient applies their transpose, axis by axis; where each input
 * was repeated a whole number of times, that is a sum over its copies.
 */
import type { GradientGraph, GradientNode, GradientRule } from '../../gradient/rule.ts';
import { axisOf, type InferenceNode, type InferenceRule } from '../../infer/rule.ts';
import { isStatic, product, type Size } from '../../infer/size.ts';
import { elementCount, values } from '../../tensor/tensor.ts';
import type { Operators } from '../operator.ts';
import { transposedMap } from './axis-map.ts';
import { repetition, resizeMatrix, type ResizeForm } from './resize-matrix.ts';

const inferResize: InferenceRule = (node) => {
  const { type, shape } = node.given(0);
  if (shape === undefined) return [{ type, shape }];
  if (node.hasInput(3)) return [{ type, shape: stated(node, shape, node.given(3).elements) }];
  const scales = scalesOf(node, shape.length);
  const scaled = shape.map((size, axis) => {
    const scale = scales[axis];
    if (scale === 1) return size;
    if (scale === undefined) return node.unknown(axis);
    // In float32, as ONNX Runtime does: 0.7 of 10 is 7 there, and 6.9999999 in float64.
    if (typeof size === 'number') return Math.floor(Math.fround(size * scale));
    return Number.isInteger(scale) ? product([size, scale]) : node.unknown(axis);
  });
  return [{ type, shape: scaled }];
};

function axesOf(node: InferenceNode, rank: number): readonly number[] {
  if (!node.has('axes')) return Array.from({ length: rank }, (_, axis) => axis);
  return node.attributeInts('axes').map((axis) => axisOf(node, axis, rank));
}

/** Scales of every axis; `undefined` where sizes are given instead, or where they depend on data. */
function scalesOf(node: InferenceNode, rank: number): readonly (number | undefined)[] {
  const value = node.tensor(node.opType === 'Resize' && node.opset > 10 ? 2 : 1);
  const isConstant = value !== undefined && value.type !== 'string';
  const constant = isConstant ? Array.from(values(value), Number) : [];
  const given = node.has('scales') ? node.attributeFloats('scales') : constant;
  const scales = Array<number | undefined>(rank).fill(1);
  for (const [i, axis] of axesOf(node, rank).entries()) scales[axis] = given[i];
  return scales;
}

function stated(
  node: InferenceNode,
  shape: readonly Size[],
  sizes: readonly Size[] | undefined,
): readonly Size[] {
  const axes = axesOf(node, shape.length);
  const policy = node.attributeString('keep_aspect_ratio_policy', 'stretch');
  if (policy === 'stretch' || sizes === undefined) {
    return shape.map((size, axis) =>
      axes.includes(axis) ? (sizes?.[axes.indexOf(axis)] ?? node.unknown(axis)) : size,
    );
  }
  if (!isStatic(shape) || !isStatic(sizes)) return shape.map((_, axis) => node.unknown(axis));
  const ratios = axes.map((axis, i) => (sizes[i] ?? 0) / shape[axis]!);
  const ratio = policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios);
  return shape.map((size, axis) => (axes.includes(axis) ? Math.round(size * ratio) : size));
}

const resizedBack: GradientRule = (node, graph) => {
  const x = node.inputs[0]!;
  if (node.attributeInt('antialias', 0) === 1) graph.fail('it antialiases');
  return [resized(node, graph, x, formOf(node, graph))];
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
const upsampledBack: GradientRule = (node, graph) => [
  resized(node, graph, node.inputs[0]!, asymmetric(node.attributeString('mode', 'nearest'))),
];

/** The only form that there was until opset 10. */
function asymmetric(mode: string): ResizeForm {
  return { mode, coordinates: 'asymmetric', rounding: 'floor', cubic: -0.75, excludes: false };
}

function resized(node: GradientNode, graph: GradientGraph, x: string, form: ResizeForm): string {
  const dy = node.outputGradients[0]!;
  const rank = graph.rankOf(x);
  const from = graph.shapeOf(x) ?? [];
  const to = graph.shapeOf(node.outputs[0]!) ?? [];
  const scales = scalesOf(node, rank);
  if (!node.hasInput(3) && scales.includes(undefined)) graph.fail('its scales are not constant');
  // ONNX Runtime then copies the input, whatever the scales.
  if (isStatic(from) && from.length > 0 && from.join() === to.join()) return dy;
  const axes = from.flatMap((size, axis) => {
    if (size === to[axis] && (scales[axis] ?? 1) === 1) return [];
    const out = to[axis];
    if (typeof size !== 'number' || typeof out !== 'number') {
      return graph.fail(`the sizes along axis ${axis} are not fixed`);
    }
    graph.reserve(size * out);
    return [{ axis, size, out, scale: scales[axis] ?? Math.fround(out / size) }];
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

export const resize: Operators = {
  Resize: { infer: inferResize, gradient: resizedBack },
  Upsample: { infer: inferResize, gradient: upsampledBack },
};
