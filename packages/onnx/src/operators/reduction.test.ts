import fc from 'fast-check';
import { describe, it } from 'vitest';
import type { Attribute } from '../model/attribute.ts';
import {
  checkGradients,
  floats,
  ints,
  shapes,
  type OperatorCase,
  type OperatorInput,
} from './testing/finite-difference.ts';

/** Over all axes or some, negative or not, as an attribute, a constant or an input, keeping them or not. */
function reductions(operator: string, shift: number): fc.Arbitrary<OperatorCase> {
  return shapes(1).chain((shape) =>
    fc
      .record({
        input: floats(shape, { shift }),
        axes: fc.option(fc.subarray([...shape.keys()], { minLength: 1 }), { nil: undefined }),
        negative: fc.boolean(),
        keepdims: fc.constantFrom(undefined, 0, 1),
        opset: fc.constantFrom(9, 12, 13, 18, 21),
        given: fc.boolean(),
      })
      .map(({ input, axes, negative, keepdims, opset, given }) => {
        const named = negative && opset >= 11 ? axes?.map((axis) => axis - shape.length) : axes;
        const asInput = opset >= (operator === 'ReduceSum' ? 13 : 18);
        const attributes: Record<string, Attribute> = {};
        if (keepdims !== undefined) attributes['keepdims'] = keepdims;
        if (named !== undefined && !asInput) attributes['axes'] = named;
        const inputs: OperatorInput[] = [input];
        if (named !== undefined && asInput) {
          inputs.push(given ? { ...ints(...named), role: 'given' } : ints(...named));
        }
        return { operator, inputs, attributes, opset };
      }),
  );
}

describe('reductions', () => {
  for (const name of ['Sum', 'Mean', 'Max', 'Min', 'LogSumExp', 'L1', 'L2', 'SumSquare']) {
    it(`Reduce${name}`, () => checkGradients(reductions(`Reduce${name}`, 0), 30));
  }
  it('ReduceLogSum', () => checkGradients(reductions('ReduceLogSum', 3), 30));
});

describe('softmax', () => {
  it.each(['Softmax', 'LogSoftmax'])('%s', (operator) =>
    checkGradients(
      shapes(1).chain((shape) =>
        fc.record({
          operator: fc.constant(operator),
          inputs: fc.tuple(floats(shape)),
          attributes: fc.oneof(
            fc.record({ axis: fc.integer({ min: 0, max: shape.length - 1 }) }),
            // Without one: the last axis, or in old operator sets the second.
            fc.constant(shape.length < 2 ? { axis: 0 } : {}),
          ),
          opset: fc.constantFrom(9, 11, 13, 21),
        }),
      ),
      20,
    ),
  );
});
