/**
 * Every operator that has a gradient, in every operator set from 9 to 22 that has the operator:
 * between the sets, axes, bounds and sizes moved from attributes to inputs, defaults changed, and
 * operators that gradients use were added and removed.
 */
import { describe, expect, it } from 'vitest';
import { whyAbsent } from '../opsets.ts';
import { differentiableOperators } from './registry.ts';
import { expectGradient } from './testing/finite-difference.ts';
import { smallCases } from './testing/small-cases.ts';

const OPSETS = Array.from({ length: 22 - 9 + 1 }, (_, i) => 9 + i);

/** Their gradient is an estimate, which finite differences do not show; see quantized.test.ts. */
const ESTIMATED = ['DequantizeLinear', 'QuantizeLinear'];

it('has a case for every operator', () => {
  const cases = [...Object.keys(smallCases), ...ESTIMATED];
  expect(cases.sort()).toEqual([...differentiableOperators].sort());
});

describe.each(Object.entries(smallCases))('%s', (operator, of) => {
  it.each(OPSETS.filter((opset) => whyAbsent('', operator, opset) === undefined))(
    'opset %i',
    (opset) => expectGradient({ symbolic: false, ...of(opset), operator, opset }),
  );
});
