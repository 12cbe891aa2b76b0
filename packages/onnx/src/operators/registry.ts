/**
 * The operators of ai.onnx that are known, by their ONNX names: a table for each family. An operator
 * is added in the table of its family.
 */
import type { GradientRule } from '../gradient/rule.ts';
import type { InferenceRule } from '../infer/rule.ts';
import { arithmetic } from './elementwise/arithmetic.ts';
import { functions } from './elementwise/functions.ts';
import { selection } from './elementwise/selection.ts';
import { generation } from './generation.ts';
import { indexing } from './indexing/indexing.ts';
import { pad } from './layout/pad.ts';
import { rearranging } from './layout/rearranging.ts';
import { resize } from './layout/resize.ts';
import { slice } from './layout/slice.ts';
import { spaceDepth } from './layout/space-depth.ts';
import { joining } from './layout/joining.ts';
import { batchNormalization } from './normalisation/batch-normalization.ts';
import { normalisation } from './normalisation/normalisation.ts';
import type { Operators } from './operator.ts';
import { einsum } from './products/einsum.ts';
import { matmul } from './products/matmul.ts';
import { quantized } from './products/quantized.ts';
import { gru } from './recurrent/gru.ts';
import { lstm } from './recurrent/lstm.ts';
import { reduction } from './reduction.ts';
import { averagePool } from './windows/average-pool.ts';
import { conv } from './windows/conv.ts';
import { maxPool } from './windows/max-pool.ts';

const OPERATORS: Operators = {
  ...functions,
  ...arithmetic,
  ...selection,
  ...reduction,
  ...generation,
  ...rearranging,
  ...joining,
  ...slice,
  ...spaceDepth,
  ...pad,
  ...resize,
  ...indexing,
  ...matmul,
  ...einsum,
  ...quantized,
  ...conv,
  ...maxPool,
  ...averagePool,
  ...normalisation,
  ...batchNormalization,
  ...lstm,
  ...gru,
};

export const differentiableOperators: readonly string[] = Object.keys(OPERATORS)
  .filter((name) => OPERATORS[name]!.gradient !== undefined)
  .sort();

/** `undefined` for an operator that is not known. */
export function inferenceRule(opType: string): InferenceRule | undefined {
  return operatorOf(opType)?.infer;
}

/** `undefined` for an operator without a gradient. */
export function gradientRule(opType: string): GradientRule | undefined {
  return operatorOf(opType)?.gradient;
}

function operatorOf(opType: string) {
  return Object.hasOwn(OPERATORS, opType) ? OPERATORS[opType] : undefined;
}
