/** The inference rules by operator. */
import { elementwise } from './elementwise.ts';
import { matmul } from './matmul.ts';
import { reduction } from './reduction.ts';
import type { InferenceRule } from './rule.ts';
import { shapeOperators } from './shape.ts';

const RULES: Readonly<Record<string, InferenceRule>> = {
  ...elementwise,
  ...matmul,
  ...reduction,
  ...shapeOperators,
};

/** The rule of an operator of ai.onnx; `undefined` when it has none. */
export function inferenceRule(opType: string): InferenceRule | undefined {
  return Object.hasOwn(RULES, opType) ? RULES[opType] : undefined;
}
