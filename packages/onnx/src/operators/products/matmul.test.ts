import fc from 'fast-check';
import { describe, it } from 'vitest';
import { float } from '../../model/attribute.ts';
import { checkGradients, floats, type OperatorInput } from '../testing/finite-difference.ts';

const size = fc.integer({ min: 1, max: 3 });
const flag = fc.constantFrom(0, 1);

/** Leading axes of two factors that broadcast together. */
const leading = fc
  .tuple(fc.array(size, { maxLength: 2 }), fc.boolean(), fc.boolean(), fc.boolean())
  .map(([axes, dropped, onesLeft, onesRight]) => {
    const right = dropped ? axes.slice(1) : axes;
    const left = onesLeft ? axes.map((axis, i) => (i === 0 ? 1 : axis)) : axes;
    return [left, onesRight ? right.map(() => 1) : right] as const;
  });

describe('MatMul', () => {
  it('of matrices, vectors and stacks of matrices', () =>
    checkGradients(
      fc
        .tuple(leading, size, size, size, fc.boolean(), fc.boolean())
        .chain(([[left, right], n, k, m, vectorLeft, vectorRight]) =>
          fc.record({
            operator: fc.constant('MatMul'),
            inputs: fc.tuple(
              floats(vectorLeft ? [k] : [...left, n, k]),
              floats(vectorRight ? [k] : [...right, k, m]),
            ),
            opset: fc.constantFrom(13, 17, 21),
          }),
        ),
      30,
    ));

  it('of a stack of rows and a matrix, in old operator sets', () =>
    checkGradients(
      fc.tuple(size, size, size, size).chain(([batch, n, k, m]) =>
        fc.record({
          operator: fc.constant('MatMul'),
          inputs: fc.tuple(floats([batch, n, k]), floats([k, m])),
          opset: fc.constantFrom(9, 11),
        }),
      ),
    ));
});

describe('Gemm', () => {
  it('transposed or not, scaled, with a bias of any shape', () =>
    checkGradients(
      fc
        .tuple(size, size, size, flag, flag, fc.constantFrom(9, 11, 13, 17, 21))
        .chain(([n, k, m, transA, transB, opset]) => {
          const biases = fc
            .constantFrom([], [m], [1, m], [n, 1], [n, m])
            .chain((shape) => floats(shape));
          const bias: fc.Arbitrary<OperatorInput | undefined> =
            opset < 11 ? biases : fc.option(biases, { nil: undefined });
          return fc.record({
            operator: fc.constant('Gemm'),
            inputs: fc
              .tuple(floats(transA ? [k, n] : [n, k]), floats(transB ? [m, k] : [k, m]), bias)
              .map((all) => (all[2] === undefined ? all.slice(0, 2) : all)),
            attributes: fc.record({
              transA: fc.constant(transA),
              transB: fc.constant(transB),
              alpha: fc.constantFrom(1, 0.5).map(float),
              beta: fc.constantFrom(1, 2).map(float),
            }),
            opset: fc.constant(opset),
            symbolic: fc.constant(opset >= 13),
          });
        }),
      30,
    ));
});
