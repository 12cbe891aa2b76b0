import fc from 'fast-check';
import { describe, it } from 'vitest';
import { float } from '../../model/attribute.ts';
import {
  broadcastShapes,
  checkGradients,
  floats,
  shapes,
  type OperatorCase,
} from '../testing/finite-difference.ts';

type Attributes = NonNullable<OperatorCase['attributes']>;

const unary = (
  operator: string,
  attributes: fc.Arbitrary<Attributes> = fc.constant({}),
  opsets = [9, 13, 17, 21],
  shift = 0,
) =>
  shapes().chain((shape) =>
    fc.record({
      operator: fc.constant(operator),
      inputs: fc.tuple(floats(shape, { shift })),
      attributes,
      opset: fc.constantFrom(...opsets),
    }),
  );

const some = (...names: string[]): fc.Arbitrary<Attributes> =>
  fc.record(
    Object.fromEntries(names.map((name) => [name, fc.constantFrom(0.5, 1.5, 0.25).map(float)])),
    { requiredKeys: [] },
  ) as fc.Arbitrary<Attributes>;

describe('activations', () => {
  it.each(['Sigmoid', 'Tanh', 'Relu', 'Softplus', 'Softsign'])('%s', (operator) =>
    checkGradients(unary(operator)),
  );
  it('LeakyRelu', () => checkGradients(unary('LeakyRelu', some('alpha'))));
  it('Elu', () => checkGradients(unary('Elu', some('alpha'))));
  it('Selu', () => checkGradients(unary('Selu', some('alpha', 'gamma'))));
  it('Celu', () => checkGradients(unary('Celu', some('alpha'), [13, 17])));
  it('ThresholdedRelu', () =>
    checkGradients(
      unary(
        'ThresholdedRelu',
        fc.constantFrom({ alpha: float(0.11) }, { alpha: float(0.44) }),
        [11, 17],
      ),
    ));
  it('HardSigmoid', () =>
    checkGradients(
      // Bends at −1.1 and 1.1.
      unary('HardSigmoid', fc.constant({ alpha: float(1 / 2.2), beta: float(0.5) })),
    ));
  it('HardSwish', () =>
    checkGradients(
      fc
        .constantFrom(-3.3, 0, 3.3)
        .chain((shift) => unary('HardSwish', fc.constant({}), [14, 21], shift)),
    ));
  it('Gelu', () =>
    checkGradients(
      unary(
        'Gelu',
        fc.constantFrom({}, { approximate: 'none' }, { approximate: 'tanh' }),
        [20, 21],
      ),
    ));
  it('Mish', () => checkGradients(unary('Mish', fc.constant({}), [18, 21])));
  it('PRelu', () =>
    checkGradients(
      broadcastShapes(2)
        // The slope is broadcast to the input, not the other way round.
        .filter(([x, slope]) => slope!.length <= x!.length && x!.every((size) => size > 1))
        .chain(([x, slope]) =>
          fc.record({
            operator: fc.constant('PRelu'),
            inputs: fc.tuple(floats(x!), floats(slope!)),
          }),
        ),
    ));
});

describe('exponentials', () => {
  it.each(['Exp', 'Erf'])('%s', (operator) => checkGradients(unary(operator)));
  it.each(['Log', 'Sqrt'])('%s', (operator) =>
    checkGradients(unary(operator, fc.constant({}), [9, 13, 21], 3)),
  );
});

describe('trigonometric', () => {
  it.each(['Sin', 'Cos', 'Atan', 'Sinh', 'Cosh', 'Asinh'])('%s', (operator) =>
    checkGradients(unary(operator)),
  );
  // Within the domain, away from its ends.
  const few = (operator: string, shift: number) =>
    fc.integer({ min: 1, max: 4 }).chain((size) =>
      fc.record({
        operator: fc.constant(operator),
        inputs: fc.tuple(floats([size], { shift })),
      }),
    );
  it.each(['Tan', 'Asin', 'Acos', 'Atanh'])('%s', (operator) => checkGradients(few(operator, 0.2)));
  it('Acosh', () => checkGradients(few('Acosh', 3)));
});
