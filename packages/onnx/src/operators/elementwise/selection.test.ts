import fc from 'fast-check';
import { describe, it } from 'vitest';
import { float } from '../../model/attribute.ts';
import {
  broadcastShapes,
  checkGradients,
  expectGradient,
  floats,
  shapes,
  type OperatorInput,
} from '../testing/finite-difference.ts';

const bound = (value: number): OperatorInput => ({ shape: [], values: [value] });

describe('Clip', () => {
  it('with bounds as inputs, one or both left out', () =>
    checkGradients(
      shapes().chain((shape) =>
        fc.record({
          operator: fc.constant('Clip'),
          inputs: fc.tuple(
            floats(shape),
            fc.constantFrom(undefined, bound(-0.33), bound(0)),
            fc.constantFrom(undefined, bound(0.44), bound(0.22)),
          ),
          opset: fc.constantFrom(12, 13, 17, 21),
        }),
      ),
    ));
  it('with bounds as attributes', () =>
    checkGradients(
      shapes().chain((shape) =>
        fc.record({
          operator: fc.constant('Clip'),
          inputs: fc.tuple(floats(shape)),
          attributes: fc.constantFrom(
            {},
            { min: float(0) },
            { min: float(-0.22), max: float(0.22) },
          ),
          opset: fc.constantFrom(9, 10),
        }),
      ),
    ));
});

describe('Where', () => {
  it('sends the gradient to the side that was chosen, through broadcasting', () =>
    checkGradients(
      broadcastShapes(3).chain(([condition, yes, no]) =>
        fc.record({
          operator: fc.constant('Where'),
          inputs: fc.tuple(
            floats(condition!).map(({ shape, values }): OperatorInput => ({
              shape,
              values: values.map((value) => (value > 0 ? 1 : 0)),
              role: 'given',
              type: 'bool',
            })),
            floats(yes!),
            floats(no!),
          ),
        }),
      ),
    ));
});

describe('Identity', () => {
  it('passes the gradient on', () =>
    expectGradient({ operator: 'Identity', inputs: [{ shape: [2], values: [1, -2] }] }));
});
