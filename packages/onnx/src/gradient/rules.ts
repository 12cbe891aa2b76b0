/** The gradient rules by operator: one file each, whose export has the operator's ONNX name. */
import type { GradientRule } from './rule.ts';
import { Abs } from './rules/abs.ts';
import { Acos } from './rules/acos.ts';
import { Acosh } from './rules/acosh.ts';
import { Add } from './rules/add.ts';
import { Asin } from './rules/asin.ts';
import { Asinh } from './rules/asinh.ts';
import { Atan } from './rules/atan.ts';
import { Atanh } from './rules/atanh.ts';
import { AveragePool } from './rules/average-pool.ts';
import { BatchNormalization } from './rules/batch-normalization.ts';
import { Cast } from './rules/cast.ts';
import { Celu } from './rules/celu.ts';
import { Clip } from './rules/clip.ts';
import { Concat } from './rules/concat.ts';
import { Conv } from './rules/conv.ts';
import { ConvTranspose } from './rules/conv-transpose.ts';
import { Cos } from './rules/cos.ts';
import { Cosh } from './rules/cosh.ts';
import { Div } from './rules/div.ts';
import { Dropout } from './rules/dropout.ts';
import { Einsum } from './rules/einsum.ts';
import { Elu } from './rules/elu.ts';
import { Erf } from './rules/erf.ts';
import { Exp } from './rules/exp.ts';
import { Expand } from './rules/expand.ts';
import { Flatten } from './rules/flatten.ts';
import { GRU } from './rules/gru.ts';
import { Gather } from './rules/gather.ts';
import { GatherElements } from './rules/gather-elements.ts';
import { GatherND } from './rules/gather-nd.ts';
import { Gelu } from './rules/gelu.ts';
import { Gemm } from './rules/gemm.ts';
import { GlobalAveragePool } from './rules/global-average-pool.ts';
import { GlobalMaxPool } from './rules/global-max-pool.ts';
import { GroupNormalization } from './rules/group-normalization.ts';
import { HardSigmoid } from './rules/hard-sigmoid.ts';
import { HardSwish } from './rules/hard-swish.ts';
import { Identity } from './rules/identity.ts';
import { InstanceNormalization } from './rules/instance-normalization.ts';
import { LSTM } from './rules/lstm.ts';
import { LayerNormalization } from './rules/layer-normalization.ts';
import { LeakyRelu } from './rules/leaky-relu.ts';
import { Log } from './rules/log.ts';
import { LogSoftmax } from './rules/log-softmax.ts';
import { MatMul } from './rules/matmul.ts';
import { Max } from './rules/max.ts';
import { MaxPool } from './rules/max-pool.ts';
import { Mean } from './rules/mean.ts';
import { Min } from './rules/min.ts';
import { Mish } from './rules/mish.ts';
import { Mul } from './rules/mul.ts';
import { Neg } from './rules/neg.ts';
import { PRelu } from './rules/prelu.ts';
import { Pad } from './rules/pad.ts';
import { Pow } from './rules/pow.ts';
import { Reciprocal } from './rules/reciprocal.ts';
import { ReduceL1 } from './rules/reduce-l1.ts';
import { ReduceL2 } from './rules/reduce-l2.ts';
import { ReduceLogSum } from './rules/reduce-log-sum.ts';
import { ReduceLogSumExp } from './rules/reduce-log-sum-exp.ts';
import { ReduceMax } from './rules/reduce-max.ts';
import { ReduceMean } from './rules/reduce-mean.ts';
import { ReduceMin } from './rules/reduce-min.ts';
import { ReduceSum } from './rules/reduce-sum.ts';
import { ReduceSumSquare } from './rules/reduce-sum-square.ts';
import { Relu } from './rules/relu.ts';
import { Reshape } from './rules/reshape.ts';
import { Resize } from './rules/resize.ts';
import { ScatterElements } from './rules/scatter-elements.ts';
import { ScatterND } from './rules/scatter-nd.ts';
import { Selu } from './rules/selu.ts';
import { Sigmoid } from './rules/sigmoid.ts';
import { Sin } from './rules/sin.ts';
import { Sinh } from './rules/sinh.ts';
import { Slice } from './rules/slice.ts';
import { Softmax } from './rules/softmax.ts';
import { Softplus } from './rules/softplus.ts';
import { Softsign } from './rules/softsign.ts';
import { Split } from './rules/split.ts';
import { Sqrt } from './rules/sqrt.ts';
import { Squeeze } from './rules/squeeze.ts';
import { Sub } from './rules/sub.ts';
import { Sum } from './rules/sum.ts';
import { Tan } from './rules/tan.ts';
import { Tanh } from './rules/tanh.ts';
import { ThresholdedRelu } from './rules/thresholded-relu.ts';
import { Tile } from './rules/tile.ts';
import { Transpose } from './rules/transpose.ts';
import { Unsqueeze } from './rules/unsqueeze.ts';
import { Upsample } from './rules/upsample.ts';
import { Where } from './rules/where.ts';

const RULES: Readonly<Record<string, GradientRule>> = {
  Abs,
  Acos,
  Acosh,
  Add,
  Asin,
  Asinh,
  Atan,
  Atanh,
  AveragePool,
  BatchNormalization,
  Cast,
  Celu,
  Clip,
  Concat,
  Conv,
  ConvTranspose,
  Cos,
  Cosh,
  Div,
  Dropout,
  Einsum,
  Elu,
  Erf,
  Exp,
  Expand,
  Flatten,
  GRU,
  Gather,
  GatherElements,
  GatherND,
  Gelu,
  Gemm,
  GlobalAveragePool,
  GlobalMaxPool,
  GroupNormalization,
  HardSigmoid,
  HardSwish,
  Identity,
  InstanceNormalization,
  LSTM,
  LayerNormalization,
  LeakyRelu,
  Log,
  LogSoftmax,
  MatMul,
  Max,
  MaxPool,
  Mean,
  Min,
  Mish,
  Mul,
  Neg,
  PRelu,
  Pad,
  Pow,
  Reciprocal,
  ReduceL1,
  ReduceL2,
  ReduceLogSum,
  ReduceLogSumExp,
  ReduceMax,
  ReduceMean,
  ReduceMin,
  ReduceSum,
  ReduceSumSquare,
  Relu,
  Reshape,
  Resize,
  ScatterElements,
  ScatterND,
  Selu,
  Sigmoid,
  Sin,
  Sinh,
  Slice,
  Softmax,
  Softplus,
  Softsign,
  Split,
  Sqrt,
  Squeeze,
  Sub,
  Sum,
  Tan,
  Tanh,
  ThresholdedRelu,
  Tile,
  Transpose,
  Unsqueeze,
  Upsample,
  Where,
};

/** The operators of ai.onnx that have a rule, by name. */
export const differentiableOperators: readonly string[] = Object.keys(RULES);

/** The rule of an operator of ai.onnx; `undefined` when it has none. */
export function gradientRule(opType: string): GradientRule | undefined {
  return Object.hasOwn(RULES, opType) ? RULES[opType] : undefined;
}
