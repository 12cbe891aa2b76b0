/** Resize, and Upsample before it: sizes from scales or stated. */
import { values } from '../tensor.ts';
import { axisOf, type InferenceNode, type InferenceRule } from './rule.ts';
import { isStatic, product, type Size } from './size.ts';

export const resizing: Readonly<Record<string, InferenceRule>> = {
  Resize: (node) => resize(node, node.opset < 11 ? 1 : 2),
  Upsample: (node) => resize(node, 1),
};

function resize(node: InferenceNode, scalesAt: number): ReturnType<InferenceRule> {
  const { type, shape } = node.given(0);
  if (shape === undefined) return [{ type, shape }];
  const axes = node.has('axes')
    ? node.attributeInts('axes').map((axis) => axisOf(node, axis, shape.length))
    : [...shape.keys()];
  const sizes = (node.inputs[3] ?? '') === '' ? undefined : node.given(3);
  if (sizes !== undefined) return [{ type, shape: stated(node, shape, axes, sizes.elements) }];
  const scales = scalesOf(node, scalesAt);
  const scaled = shape.map((size, axis) => {
    const scale = scales?.[axes.indexOf(axis)];
    if (!axes.includes(axis)) return size;
    if (scale === undefined) return node.unknown(axis);
    if (typeof size === 'number') return Math.floor(size * scale);
    return Number.isInteger(scale) ? product([size, scale]) : node.unknown(axis);
  });
  return [{ type, shape: scaled }];
}

function stated(
  node: InferenceNode,
  shape: readonly Size[],
  axes: readonly number[],
  sizes: readonly Size[] | undefined,
): readonly Size[] {
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

function scalesOf(node: InferenceNode, index: number): readonly number[] | undefined {
  if (node.has('scales')) return node.attributeFloats('scales');
  const value = (node.inputs[index] ?? '') === '' ? undefined : node.tensor(index);
  return value === undefined || value.type === 'string'
    ? undefined
    : Array.from(values(value), Number);
}
