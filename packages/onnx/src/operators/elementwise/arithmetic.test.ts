import fc from 'fast-check';
import { describe, it } from 'vitest';
import {
  broadcastShapes,
  checkGradients,
  floats,
  shapes,
  type OperatorCase,
} from '../testing/finite-difference.ts';

const opsets = fc.constantFrom(9, 12, 13, 17, 21);

function variadic(operator: string, count: number, shift = 0): fc.Arbitrary<OperatorCase> {
  return broadcastShapes(count)
    .chain((all) =>
      fc.record({
        operator: fc.constant(operator),
        // Apart, so that no two operands meet in a maximum.
        inputs: fc.tuple(...all.map((shape, i) => floats(shape, { shift: shift + i * 0.022 }))),
        opset: opsets,
        symbolic: fc.constant(true),
      }),
    )
    .map((of) => ({ ...of, symbolic: of.opset >= 13 }));
}

describe('arithmetic', () => {
  it.each(['Add', 'Sub', 'Mul'])('%s', (operator) => checkGradients(variadic(operator, 2)));
  it('Div', () => checkGradients(variadic('Div', 2, 3)));
  it.each(['Sum', 'Mean', 'Max', 'Min'])('%s', (operator) => checkGradients(variadic(operator, 3)));
  it.each(['Neg', 'Abs', 'Reciprocal'])('%s', (operator) =>
    checkGradients(
      shapes().chain((shape) =>
        fc.record({
          operator: fc.constant(operator),
          inputs: fc.tuple(floats(shape, { shift: operator === 'Abs' ? 0 : 3 })),
          opset: opsets,
        }),
      ),
    ),
  );
  it('Pow', () => checkGradients(variadic('Pow', 2, 3).filter(({ opset }) => opset! >= 12)));
  it('Pow with constant exponents', () =>
    checkGradients(
      fc.tuple(shapes(), fc.constantFrom(0, 0.5, 1, 2, 3, -1.5)).chain(([shape, exponent]) =>
        fc.record({
          operator: fc.constant('Pow'),
          inputs: fc.tuple(
            floats(shape, { shift: 3 }),
            fc.constant({ shape: [], values: [exponent], role: 'constant' as const }),
          ),
        }),
      ),
    ));
});
