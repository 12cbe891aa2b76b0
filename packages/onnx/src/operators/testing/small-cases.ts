/**
 * One small case of every operator that has a gradient, in whatever form an operator set has for it:
 * with its axes, bounds and sizes as attributes or as inputs.
 */
import type { Attribute } from '../../model/attribute.ts';
import { elementCount } from '../../tensor/tensor.ts';
import type { OperatorCase, OperatorInput } from './finite-difference.ts';

type Attributes = Readonly<Record<string, Attribute>>;
type Case = (opset: number) => Omit<OperatorCase, 'operator' | 'opset'>;

let tensors = 0;

/** Values in [−0.9, 0.9] plus a shift, of a shape: evenly apart, in mixed order, and none of them 0. */
function some(shape: readonly number[], shift = 0): OperatorInput {
  const count = elementCount(shape);
  const start = ++tensors;
  const values = Array.from(
    { length: count },
    (_, i) =>
      (2 * ((5 * i + start) % count) - count + 0.5) * (0.9 / count) + 0.0007 * (start % 8) + shift,
  );
  return { shape, values };
}

function constant(
  type: 'int64' | 'float' | 'bool',
  shape: readonly number[],
  ...values: number[]
): OperatorInput {
  return { shape, values, role: 'constant', type };
}

const list = (...values: number[]) => constant('int64', [values.length], ...values);
const number = (value: number) => constant('float', [], value);
const float = (value: number): Attribute => ({ float: value });

/** A function of single elements. */
function unary(attributes: Attributes = {}, shift = 0, shape = [2, 3]): Case {
  const x = some(shape, shift);
  return () => ({ inputs: [x], attributes });
}

/** Operands that are broadcast. */
function operands(count: number, shift = 0): Case {
  const inputs = [some([2, 3], shift), some([3], shift), some([2, 1], shift)].slice(0, count);
  return () => ({ inputs });
}

/** Axes as an attribute, and as an input since an operator set. */
function onAxes(
  asInputSince: number,
  shape: readonly number[],
  axes: readonly number[],
  shift = 0,
): Case {
  const x = some(shape, shift);
  return (opset) =>
    opset >= asInputSince ? { inputs: [x, list(...axes)] } : { inputs: [x], attributes: { axes } };
}

function always(of: Omit<OperatorCase, 'operator' | 'opset'>): Case {
  return () => of;
}

const single = { precision: 'float32' as const, symbolic: false };
const image = some([1, 2, 4, 4]);
const normalised = [some([2, 2, 3]), some([2]), some([2])];
/** The gradient does not pass through what a training form keeps. */
const running = (value: number): OperatorInput => ({ ...some([2], value), role: 'given' });
const upsampling = { mode: 'nearest' };

function recurrent(gates: number, states: number): Case {
  const inputs = [some([2, 1, 2]), some([1, gates * 2, 2]), some([1, gates * 2, 2])];
  return always({
    inputs,
    attributes: { hidden_size: 2 },
    outputs: 1 + states,
    ...single,
  });
}

const reducing = (asInputSince: number, shift = 0) =>
  onAxes(asInputSince, [2, 3, 2], [0, 2], shift);

export const smallCases: Readonly<Record<string, Case>> = {
  Abs: unary(),
  Acos: unary(),
  Acosh: unary({}, 3),
  Add: operands(2),
  Asin: unary(),
  Asinh: unary(),
  Atan: unary(),
  Atanh: unary(),
  AveragePool: always({
    inputs: [image],
    attributes: { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 1, 0] },
    symbolic: false,
  }),
  BatchNormalization: (opset) => ({
    inputs: [...normalised, running(0), running(2)],
    // Before opset 14 the form for training had outputs of its own, and no rule.
    attributes: opset >= 14 ? { training_mode: 1 } : {},
    outputs: opset >= 14 ? 3 : 1,
    seeded: [0],
    symbolic: false,
  }),
  Cast: always({ inputs: [some([2, 3])], attributes: { to: 11 }, precision: 'float64' }),
  Celu: unary({ alpha: float(1.3) }),
  Clip: (opset) =>
    opset >= 11
      ? { inputs: [some([2, 3]), number(-0.4), number(0.5)] }
      : { inputs: [some([2, 3])], attributes: { min: float(-0.4), max: float(0.5) } },
  Concat: always({
    inputs: [some([2, 2]), some([2, 3])],
    attributes: { axis: 1 },
    symbolic: false,
  }),
  Conv: always({
    inputs: [image, some([2, 2, 3, 3]), some([2])],
    attributes: { strides: [2, 1], pads: [1, 1, 1, 1] },
    symbolic: false,
  }),
  ConvTranspose: always({
    inputs: [some([1, 2, 2, 2]), some([2, 2, 3, 3]), some([2])],
    attributes: { strides: [2, 1] },
    symbolic: false,
  }),
  Cos: unary(),
  Cosh: unary(),
  DepthToSpace: (opset) => ({
    inputs: [some([1, 8, 1, 2])],
    attributes: { blocksize: 2, ...(opset < 11 ? {} : { mode: 'CRD' }) },
    ...single,
  }),
  Div: operands(2, 3),
  Dropout: (opset) =>
    opset >= 12
      ? { inputs: [some([2, 3]), number(0.3), constant('bool', [], 0)] }
      : { inputs: [some([2, 3])], attributes: { ratio: float(0.3) } },
  Einsum: always({ inputs: [some([2, 3]), some([3, 2])], attributes: { equation: 'ij,jk->ik' } }),
  Elu: unary({ alpha: float(1.3) }),
  Erf: unary(),
  Exp: unary(),
  Expand: always({ inputs: [some([3, 1]), list(2, 3, 2)], symbolic: false }),
  Flatten: always({ inputs: [some([2, 3, 2])], attributes: { axis: 2 }, symbolic: false }),
  GRU: recurrent(3, 1),
  Gather: always({ inputs: [some([3, 2]), list(2, 0, 2)], ...single }),
  GatherElements: always({
    inputs: [some([3, 2]), constant('int64', [2, 2], 2, 0, 2, 1)],
    ...single,
  }),
  GatherND: always({
    inputs: [some([3, 2]), constant('int64', [3, 2], 2, 0, 0, 1, 2, 0)],
    ...single,
  }),
  Gelu: unary(),
  Gemm: always({
    inputs: [some([2, 3]), some([2, 3]), some([2])],
    attributes: { transB: 1, alpha: float(0.5), beta: float(2) },
    symbolic: false,
  }),
  GlobalAveragePool: always({ inputs: [image], symbolic: false }),
  GlobalMaxPool: always({ inputs: [image], symbolic: false }),
  GroupNormalization: (opset) => {
    const count = opset < 21 ? 2 : 4;
    return {
      inputs: [some([2, 4, 3]), some([count]), some([count])],
      attributes: { num_groups: 2 },
      ...single,
    };
  },
  HardSigmoid: unary({ alpha: float(0.3), beta: float(0.4) }),
  HardSwish: unary({}, 0.5),
  Identity: unary(),
  InstanceNormalization: always({ inputs: normalised, symbolic: false }),
  LSTM: recurrent(4, 2),
  LayerNormalization: always({
    inputs: [some([2, 4]), some([4]), some([4])],
    attributes: { axis: -1 },
    symbolic: false,
  }),
  LeakyRelu: unary({ alpha: float(0.2) }),
  Log: unary({}, 2),
  // Before opset 13 its default axis was 1, and all after it counted.
  LogSoftmax: unary({}, 0, [2, 3, 2]),
  MatMul: always({ inputs: [some([2, 1, 2, 3]), some([2, 3, 2])], symbolic: false }),
  Max: operands(3),
  MaxPool: always({
    inputs: [image],
    attributes: { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 1, 0] },
    ...single,
  }),
  Mean: operands(3),
  Min: operands(3),
  Mish: unary(),
  Mul: operands(2),
  Neg: unary(),
  PRelu: always({ inputs: [some([2, 3]), some([3])], symbolic: false }),
  Pad: (opset) =>
    opset >= 11
      ? { inputs: [some([2, 3]), list(1, 0, 0, 2)], symbolic: false }
      : { inputs: [some([2, 3])], attributes: { pads: [1, 0, 0, 2] }, symbolic: false },
  Pow: operands(2, 2),
  Reciprocal: unary({}, 2),
  ReduceL1: reducing(18),
  ReduceL2: reducing(18),
  ReduceLogSum: reducing(18, 2),
  ReduceLogSumExp: reducing(18),
  ReduceMax: reducing(18),
  ReduceMean: reducing(18),
  ReduceMin: reducing(18),
  ReduceSum: reducing(13),
  ReduceSumSquare: reducing(18),
  Relu: unary(),
  Reshape: always({ inputs: [some([2, 3]), list(3, -1)], symbolic: false }),
  Resize: (opset) => {
    const scales = constant('float', [4], 1, 1, 2, 2);
    if (opset < 11) return { inputs: [image, scales], attributes: upsampling, ...single };
    const region = opset < 13 ? constant('float', [0]) : undefined;
    const attributes = { mode: 'linear', coordinate_transformation_mode: 'half_pixel' };
    return { inputs: [image, region, scales], attributes, ...single };
  },
  ScatterElements: always({
    inputs: [some([3, 2]), constant('int64', [2, 2], 2, 0, 1, 1), some([2, 2])],
    symbolic: false,
  }),
  ScatterND: always({
    inputs: [some([3, 2]), constant('int64', [2, 1], 2, 0), some([2, 2])],
    symbolic: false,
  }),
  Selu: unary(),
  Sigmoid: unary(),
  Sin: unary(),
  Sinh: unary(),
  Slice: (opset) =>
    opset >= 10
      ? {
          inputs: [some([3, 4]), list(1, 0), list(3, 4), list(0, 1), list(1, opset >= 11 ? 2 : 1)],
          symbolic: false,
        }
      : {
          inputs: [some([3, 4])],
          attributes: { starts: [1, 0], ends: [3, 2], axes: [0, 1] },
          symbolic: false,
        },
  Softmax: unary({}, 0, [2, 3, 2]),
  Softplus: unary(),
  Softsign: unary(),
  Split: (opset) => ({
    inputs: opset >= 13 ? [some([2, 3]), list(1, 2)] : [some([2, 3])],
    attributes: opset >= 13 ? { axis: 1 } : { axis: 1, split: [1, 2] },
    outputs: 2,
    symbolic: false,
  }),
  Sqrt: unary({}, 2),
  Squeeze: onAxes(13, [2, 1, 3], [1]),
  Sub: operands(2),
  Sum: operands(3),
  Tan: unary(),
  Tanh: unary(),
  ThresholdedRelu: unary({ alpha: float(0.3) }),
  SpaceToDepth: always({ inputs: [some([1, 2, 2, 4])], attributes: { blocksize: 2 }, ...single }),
  Tile: always({ inputs: [some([2, 3]), list(2, 1)], symbolic: false }),
  Transpose: always({ inputs: [some([2, 3, 2])], attributes: { perm: [2, 0, 1] } }),
  Unsqueeze: onAxes(13, [2, 3], [1]),
  Upsample: always({
    inputs: [image, constant('float', [4], 1, 1, 2, 2)],
    attributes: upsampling,
    ...single,
  }),
  Where: always({
    inputs: [constant('bool', [3], 1, 0, 1), some([2, 3]), some([2, 1])],
    symbolic: false,
  }),
};
