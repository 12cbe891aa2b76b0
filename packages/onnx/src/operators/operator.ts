/** The contract of an operator: its shape inference, and its gradient. */
import type { GradientRule } from '../gradient/rule.ts';
import type { InferenceRule } from '../infer/rule.ts';

export interface Operator {
  readonly infer: InferenceRule;
  /** Absent where a gradient does not exist, or is not written yet. */
  readonly gradient?: GradientRule;
}

/** Operators of one family, by their ONNX names. */
export type Operators = Readonly<Record<string, Operator>>;

/** Operators by the names of a table of gradients. */
export function differentiable<G>(
  gradients: Readonly<Record<string, G>>,
  operator: (gradient: G, name: string) => Operator,
): Operators {
  return Object.fromEntries(
    Object.entries(gradients).map(([name, gradient]) => [name, operator(gradient, name)]),
  );
}

/** Operators without a gradient that share one inference rule, by names with spaces between. */
export function inferred(names: string, infer: InferenceRule): Operators {
  return Object.fromEntries(names.split(' ').map((name) => [name, { infer }]));
}
