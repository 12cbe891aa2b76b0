/**
 * The gradient rules by the ONNX name of the operator: tables of families of small rules, and files
 * of their own for large ones.
 */
import type { GradientRule, GradientRules } from './rule.ts';
import { arithmetic } from './rules/arithmetic.ts';
import { AveragePool } from './rules/average-pool.ts';
import { BatchNormalization } from './rules/batch-normalization.ts';
import { conv } from './rules/conv.ts';
import { Einsum } from './rules/einsum.ts';
import { elementwise } from './rules/elementwise.ts';
import { GRU } from './rules/gru.ts';
import { indexing } from './rules/indexing.ts';
import { LSTM } from './rules/lstm.ts';
import { matmul } from './rules/matmul.ts';
import { MaxPool } from './rules/max-pool.ts';
import { normalisation } from './rules/normalisation.ts';
import { Pad } from './rules/pad.ts';
import { reduction } from './rules/reduction.ts';
import { resize } from './rules/resize.ts';
import { selection } from './rules/selection.ts';
import { shape } from './rules/shape.ts';
import { Slice } from './rules/slice.ts';

const RULES: GradientRules = {
  ...elementwise,
  ...arithmetic,
  ...selection,
  ...reduction,
  ...shape,
  ...indexing,
  ...matmul,
  ...conv,
  ...normalisation,
  ...resize,
  AveragePool,
  BatchNormalization,
  Einsum,
  GRU,
  LSTM,
  MaxPool,
  Pad,
  Slice,
};

/** The operators of ai.onnx that have a rule, by name. */
export const differentiableOperators: readonly string[] = Object.keys(RULES).sort();

/** The rule of an operator of ai.onnx; `undefined` when it has none. */
export function gradientRule(opType: string): GradientRule | undefined {
  return Object.hasOwn(RULES, opType) ? RULES[opType] : undefined;
}
