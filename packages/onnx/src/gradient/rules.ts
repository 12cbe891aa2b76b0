/** The gradient rules by operator: an export's name is the operator's ONNX name. */
import * as arithmetic from './rules/arithmetic.ts';
import * as conv from './rules/conv.ts';
import type { GradientRule } from './rule.ts';

const RULES: Readonly<Record<string, GradientRule>> = {
  ...arithmetic,
  ...conv,
};

/** The rule of an operator of ai.onnx; `undefined` when it has none. */
export function gradientRule(opType: string): GradientRule | undefined {
  return Object.hasOwn(RULES, opType) ? RULES[opType] : undefined;
}
