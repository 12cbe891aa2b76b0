/** Operators that reduce along axes. */
import { axisOf, type InferenceNode, type InferenceRule } from './rule.ts';
import type { Size } from './size.ts';

const REDUCTIONS = 'L1 L2 LogSum LogSumExp Max Mean Min Prod Sum SumSquare';

export const reduction: Readonly<Record<string, InferenceRule>> = {
  ...Object.fromEntries(REDUCTIONS.split(' ').map((name) => [`Reduce${name}`, reduce])),
  ArgMax: argument,
  ArgMin: argument,
  TopK: (node) => {
    const { type, shape } = node.given(0);
    if (shape === undefined)
      return [
        { type, shape },
        { type: 'int64', shape },
      ];
    const axis = axisOf(node, node.attributeInt('axis', -1), shape.length);
    const k = node.opset < 10 ? node.attributeInt('k') : node.ints(1)?.[0];
    const result = shape.map((size, i) => (i === axis ? (k ?? node.unknown(i)) : size));
    return [
      { type, shape: result },
      { type: 'int64', shape: result },
    ];
  },
};

/** The axes that a reduction names, in its attribute or its input; `undefined` when they cannot be known. */
export function reducedAxes(node: InferenceNode, rank: number): readonly number[] | undefined {
  const asInput = node.opset >= (node.opType === 'ReduceSum' ? 13 : 18);
  let axes: readonly number[] | undefined;
  if (!asInput) axes = node.attributeInts('axes', []);
  else axes = (node.inputs[1] ?? '') === '' ? [] : node.ints(1);
  if (axes === undefined) return undefined;
  // Runtimes take a scalar for a list of one.
  if (axes.length > 0) return axes.map((axis) => axisOf(node, axis, Math.max(rank, 1)));
  if (node.attributeInt('noop_with_empty_axes', 0) !== 0) return [];
  return Array.from({ length: rank }, (_, axis) => axis);
}

function reduce(node: InferenceNode): ReturnType<InferenceRule> {
  const { type, shape } = node.given(0);
  if (shape === undefined) return [{ type, shape }];
  const keep = node.attributeInt('keepdims', 1) !== 0;
  const axes = reducedAxes(node, shape.length);
  if (axes === undefined) {
    return [{ type, shape: keep ? shape.map((_, axis) => node.unknown(axis)) : undefined }];
  }
  return [{ type, shape: without(shape, axes, keep) }];
}

function argument(node: InferenceNode): ReturnType<InferenceRule> {
  const { shape } = node.given(0);
  if (shape === undefined) return [{ type: 'int64', shape }];
  const axis = axisOf(node, node.attributeInt('axis', 0), Math.max(shape.length, 1));
  const keep = node.attributeInt('keepdims', 1) !== 0;
  return [{ type: 'int64', shape: without(shape, [axis], keep) }];
}

function without(shape: readonly Size[], axes: readonly number[], keep: boolean): readonly Size[] {
  return keep
    ? shape.map((size, axis) => (axes.includes(axis) ? 1 : size))
    : shape.filter((_, axis) => !axes.includes(axis));
}
