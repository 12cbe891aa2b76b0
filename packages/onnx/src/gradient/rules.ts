/** The gradient rules by operator: an export's name is the operator's ONNX name. */
import * as arithmetic from './rules/arithmetic.ts';
import * as conv from './rules/conv.ts';
import * as convTranspose from './rules/conv-transpose.ts';
import * as maxPool from './rules/max-pool.ts';
import * as averagePool from './rules/average-pool.ts';
import * as globalPool from './rules/global-pool.ts';
import * as activation from './rules/activation.ts';
import * as exponential from './rules/exponential.ts';
import * as matmul from './rules/matmul.ts';
import * as parts from './rules/parts.ts';
import * as reduction from './rules/reduction.ts';
import * as selection from './rules/selection.ts';
import * as shape from './rules/shape.ts';
import * as softmax from './rules/softmax.ts';
import * as trigonometric from './rules/trigonometric.ts';
import * as batchNormalization from './rules/batch-normalization.ts';
import * as instanceNormalization from './rules/instance-normalization.ts';
import * as layerNormalization from './rules/layer-normalization.ts';
import * as groupNormalization from './rules/group-normalization.ts';
import * as dropout from './rules/dropout.ts';
import * as gather from './rules/gather.ts';
import * as scatter from './rules/scatter.ts';
import * as einsum from './rules/einsum.ts';
import * as pad from './rules/pad.ts';
import * as resize from './rules/resize.ts';
import * as lstm from './rules/lstm.ts';
import * as gru from './rules/gru.ts';
import type { GradientRule } from './rule.ts';

const RULES: Readonly<Record<string, GradientRule>> = {
  ...arithmetic,
  ...trigonometric,
  ...softmax,
  ...shape,
  ...selection,
  ...reduction,
  ...parts,
  ...matmul,
  ...exponential,
  ...activation,
  ...conv,
  ...convTranspose,
  ...maxPool,
  ...averagePool,
  ...globalPool,
  ...batchNormalization,
  ...instanceNormalization,
  ...layerNormalization,
  ...groupNormalization,
  ...dropout,
  ...gather,
  ...scatter,
  ...einsum,
  ...pad,
  ...resize,
  ...lstm,
  ...gru,
};

/** The rule of an operator of ai.onnx; `undefined` when it has none. */
export function gradientRule(opType: string): GradientRule | undefined {
  return Object.hasOwn(RULES, opType) ? RULES[opType] : undefined;
}
