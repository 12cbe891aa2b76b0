/**
 * Folds what scales and shifts each channel into the weights of the Conv, ConvTranspose, Gemm or MatMul
 * before it: BatchNormalization, Mul and Add of constants.
 *
 * Not bit-exact: s·(W·x + b) + t becomes (s·W)·x + (s·b + t), which rounds in other places. For
 * BatchNormalization s = γ / √(σ² + ε) and t = β − s·μ. The new weights are computed in float64 and
 * rounded once.
 */
import type { NodeProto } from 'onnx-buf';
import { float } from '../model/attribute.ts';
import type { Model } from '../model/model.ts';
import { isStandard, NodeView } from '../model/node-view.ts';
import { nodeProto } from '../model/protos.ts';
import { elementCount, tensor } from '../tensor/tensor.ts';
import { nodeWith, weightBytes } from './bodies.ts';
import { rewrite, type Surroundings } from './pattern.ts';

/**
 * Weights may be written this many times in all, by their bytes: a Conv has a few nodes behind it, a
 * hostile file thousands.
 */
const MOST_REWRITES = 16;

/** Only float32 weights that are initialisers change. @param model of distinct names, opset 13 or newer. */
export function foldScaling(model: Model): Model {
  let budget = MOST_REWRITES * weightBytes(model.graph!);
  return rewrite(model, (node, around) => {
    const inputs = isStandard(node, 'BatchNormalization') ? node.input.slice(0, 1) : node.input;
    for (const x of inputs) {
      const linear = around.isReadOnce(x) ? linearOf(x, around) : undefined;
      if (linear === undefined || linear.bytes > budget) continue;
      const scaling = scalingOf(node, x, linear, around);
      const folded = scaling && linear.with(scaling);
      if (folded !== undefined) {
        budget -= linear.bytes;
        return [...folded.slice(0, -1), nodeWith(folded.at(-1)!, { output: [node.output[0]!] })];
      }
    }
    return undefined;
  });
}

/** y = factor·x + shift, by channel. */
interface Scaling {
  readonly factors: readonly number[];
  readonly shifts: readonly number[];
}

/** A node whose result has its channels on axis 1. */
interface Linear {
  readonly channels: number;
  /** Bytes of the weight. */
  readonly bytes: number;
  /** Axes of the result. */
  readonly rank: number;
  /** The nodes that compute the scaled result, the one that makes it last. */
  with(scaling: Scaling): readonly NodeProto[] | undefined;
}

function scalingOf(
  node: NodeProto,
  x: string,
  linear: Linear,
  around: Surroundings,
): Scaling | undefined {
  let scaling: Scaling | undefined;
  if (isStandard(node, 'BatchNormalization')) scaling = normalisationOf(node, linear, around);
  else {
    const [a, b] = node.input;
    const numbers = channelsOf(a === x ? b : a, linear, around);
    if (numbers === undefined) return undefined;
    const every = (value: number) => numbers.map(() => value);
    if (isStandard(node, 'Mul')) scaling = { factors: numbers, shifts: every(0) };
    if (isStandard(node, 'Add')) scaling = { factors: every(1), shifts: numbers };
  }
  const isFinite = [...(scaling?.factors ?? []), ...(scaling?.shifts ?? [])].every(Number.isFinite);
  return isFinite ? scaling : undefined;
}

function normalisationOf(
  node: NodeProto,
  { channels }: Linear,
  around: Surroundings,
): Scaling | undefined {
  const view = new NodeView(node);
  if (view.attributeInt('training_mode', 0) !== 0) return undefined;
  const [scale, shift, mean, variance] = [1, 2, 3, 4].map(
    (i) => around.floats(node.input[i])?.data,
  );
  if (!scale || !shift || !mean || !variance) return undefined;
  if ([scale, shift, mean, variance].some(({ length }) => length !== channels)) return undefined;
  const epsilon = view.attributeFloat('epsilon', 1e-5);
  const factors = Array.from(scale, (each, i) => each / Math.sqrt(variance[i]! + epsilon));
  return { factors, shifts: factors.map((factor, i) => shift[i]! - factor * mean[i]!) };
}

/** A constant operand, for each channel; `undefined` when it differs within a channel or widens the result. */
function channelsOf(
  name: string | undefined,
  { channels, rank }: Linear,
  around: Surroundings,
): readonly number[] | undefined {
  const found = around.floats(name);
  if (found === undefined || found.shape.length > rank) return undefined;
  const { data, shape } = found;
  if (data.length === 1) return Array.from({ length: channels }, () => data[0]!);
  const axis = shape.length - rank + 1;
  return data.length === channels && shape[axis] === channels ? [...data] : undefined;
}

function linearOf(x: string, around: Surroundings): Linear | undefined {
  for (const [operator, linear] of Object.entries(LINEAR)) {
    const node = around.maker(x, operator);
    if (node !== undefined) return linear(node, around);
  }
  return undefined;
}

/** @param axis of the weight that has the channels. */
function convolution(axis: number) {
  return (node: NodeProto, around: Surroundings): Linear | undefined => {
    const [x = '', w = '', b = ''] = node.input;
    const { shape, data } = around.floats(w) ?? {};
    // The weight of ConvTranspose has the channels of one group.
    const isGrouped = axis === 1 && new NodeView(node).attributeInt('group', 1) !== 1;
    if (data === undefined || shape?.[axis] === undefined || isGrouped) return undefined;
    return {
      bytes: data.byteLength,
      channels: shape[axis],
      rank: shape.length,
      with(scaling) {
        const bias = shifted(b, 1, scaling, around, w);
        if (bias === undefined) return undefined;
        return [nodeWith(node, { input: [x, scaled(w, axis, scaling, around), bias] })];
      },
    };
  };
}

function gemm(node: NodeProto, around: Surroundings): Linear | undefined {
  const [a = '', w = '', c = ''] = node.input;
  const view = new NodeView(node);
  const axis = view.attributeInt('transB', 0) === 0 ? 1 : 0;
  const { shape, data } = around.floats(w) ?? {};
  const channels = shape?.[axis];
  if (data === undefined || channels === undefined) return undefined;
  const others = node.attribute.filter(({ name }) => name !== 'beta');
  const beta = nodeProto('', '', [], [], { beta: float(1) }).attribute;
  return {
    bytes: data.byteLength,
    channels,
    rank: 2,
    with(scaling) {
      const bias = shifted(c, view.attributeFloat('beta', 1), scaling, around, w);
      if (bias === undefined) return undefined;
      const input = [a, scaled(w, axis, scaling, around), bias];
      return [nodeWith(node, { input, attribute: [...others, ...beta] })];
    },
  };
}

/** It has no bias: a shift alone stays as it is. */
function product(node: NodeProto, around: Surroundings): Linear | undefined {
  const [a = '', w = ''] = node.input;
  const [y = ''] = node.output;
  const { shape, data } = around.floats(w) ?? {};
  if (data === undefined || shape?.length !== 2 || around.shapeOf(y)?.length !== 2)
    return undefined;
  return {
    bytes: data.byteLength,
    channels: shape[1]!,
    rank: 2,
    with(scaling) {
      if (scaling.factors.every((factor) => factor === 1)) return undefined;
      const multiplied = nodeWith(node, { input: [a, scaled(w, 1, scaling, around)] });
      const isShifted = scaling.shifts.some((shift) => shift !== 0);
      const bias = isShifted ? shifted('', 1, scaling, around, w) : undefined;
      if (bias === undefined) return [multiplied];
      return [multiplied, nodeProto('Add', `${node.name}_bias`, [y, bias], [y], {})];
    },
  };
}

/** The name of the weight with each channel of an axis multiplied. */
function scaled(name: string, axis: number, { factors }: Scaling, around: Surroundings): string {
  const { shape, data } = around.floats(name)!;
  const inner = elementCount(shape.slice(axis + 1));
  const product = data.map((each, i) => each * factors[Math.floor(i / inner) % factors.length]!);
  return around.initialiser(name, tensor('float32', shape, product));
}

/** The name of the new bias; `undefined` where the old one is not constant or has another shape. */
function shifted(
  name: string,
  times: number,
  { factors, shifts }: Scaling,
  around: Surroundings,
  weight: string,
): string | undefined {
  const old = name === '' ? { shape: [], data: [0] } : around.floats(name);
  if (old === undefined || old.shape.length > 1) return undefined;
  if (old.data.length !== 1 && old.data.length !== factors.length) return undefined;
  const bias = factors.map(
    (factor, i) => factor * times * old.data[old.data.length === 1 ? 0 : i]! + shifts[i]!,
  );
  const value = tensor('float32', [bias.length], Float32Array.from(bias));
  return around.initialiser(name === '' ? `${weight}_bias` : name, value);
}

const LINEAR: Readonly<
  Record<string, (node: NodeProto, around: Surroundings) => Linear | undefined>
> = {
  Conv: convolution(0),
  ConvTranspose: convolution(1),
  Gemm: gemm,
  MatMul: product,
};
