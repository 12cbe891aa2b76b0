/** The inference rules by operator. */
import { elementwise } from './elementwise.ts';
import { generation } from './generation.ts';
import { indexing } from './indexing.ts';
import { losses } from './losses.ts';
import { matmul } from './matmul.ts';
import { quantization } from './quantization.ts';
import { recurrent } from './recurrent.ts';
import { reduction } from './reduction.ts';
import { normalization } from './normalization.ts';
import { resizing } from './resize.ts';
import { windowOperators } from './window.ts';
import type { InferenceRule } from './rule.ts';
import { shapeOperators } from './shape.ts';

const RULES: Readonly<Record<string, InferenceRule>> = {
  ...elementwise,
  ...matmul,
  ...reduction,
  ...shapeOperators,
  ...indexing,
  ...generation,
  ...recurrent,
  ...normalization,
  ...resizing,
  ...windowOperators,
  ...quantization,
  ...losses,
};

/** The rule of an operator of ai.onnx; `undefined` when it has none. */
export function inferenceRule(opType: string): InferenceRule | undefined {
  return Object.hasOwn(RULES, opType) ? RULES[opType] : undefined;
}
