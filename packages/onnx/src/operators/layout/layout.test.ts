import fc from 'fast-check';
import { describe, it } from 'vitest';
import { elementCount } from '../../tensor/tensor.ts';
import {
  checkGradients,
  expectGradient,
  floats,
  ints,
  shapes,
  type OperatorInput,
} from '../testing/finite-difference.ts';

const given = (...list: number[]): OperatorInput => ({ ...ints(...list), role: 'given' });

describe('shape operators', () => {
  it('Reshape', () =>
    checkGradients(
      shapes().chain((shape) =>
        fc.record({
          operator: fc.constant('Reshape'),
          inputs: fc.tuple(
            floats(shape),
            fc.constantFrom(
              ints(-1),
              given(-1),
              ints(1, elementCount(shape)),
              ints(...shape.toReversed()),
            ),
          ),
          opset: fc.constantFrom(9, 13, 21),
        }),
      ),
    ));

  it('Flatten', () =>
    checkGradients(
      shapes(1).chain((shape) =>
        fc.record({
          operator: fc.constant('Flatten'),
          inputs: fc.tuple(floats(shape)),
          attributes: fc.record({ axis: fc.integer({ min: 0, max: shape.length }) }),
          opset: fc.constantFrom(9, 13, 21),
        }),
      ),
    ));

  it('Transpose', () =>
    checkGradients(
      shapes(1).chain((shape) =>
        fc.record({
          operator: fc.constant('Transpose'),
          inputs: fc.tuple(floats(shape)),
          attributes: fc.oneof(
            fc.constant({}),
            fc
              .shuffledSubarray([...shape.keys()], { minLength: shape.length })
              .map((perm) => ({ perm })),
          ),
        }),
      ),
    ));

  it('Unsqueeze and Squeeze', () =>
    checkGradients(
      fc
        .tuple(shapes(1, 2), fc.constantFrom(9, 13, 21), fc.boolean())
        .chain(([shape, opset, adds]) => {
          const axes = adds ? [0, 2] : [1];
          const padded = [shape[0]!, 1, ...shape.slice(1)];
          const asInput = opset >= 13;
          return fc.record({
            operator: fc.constant(adds ? 'Unsqueeze' : 'Squeeze'),
            inputs: floats(adds ? shape : padded).map((input) =>
              asInput ? [input, ints(...axes)] : [input],
            ),
            attributes: fc.constant(asInput ? {} : { axes }),
            opset: fc.constant(opset),
          });
        }),
    ));

  it('Expand', () =>
    checkGradients(
      shapes(1).chain((shape) =>
        fc.record({
          operator: fc.constant('Expand'),
          inputs: fc.tuple(
            floats(shape.map((size, axis) => (axis % 2 === 0 ? 1 : size))),
            fc.constantFrom(ints(...shape), given(...shape), ints(2, ...shape)),
          ),
          opset: fc.constantFrom(13, 21),
        }),
      ),
    ));

  it('Tile', () =>
    checkGradients(
      fc
        .tuple(
          shapes(1),
          fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 3, maxLength: 3 }),
          fc.boolean(),
        )
        .chain(([shape, counts, atRun]) => {
          const repeats = counts.slice(0, shape.length);
          return fc.record({
            operator: fc.constant('Tile'),
            inputs: fc.tuple(
              floats(shape),
              fc.constant(atRun ? given(...repeats) : ints(...repeats)),
            ),
          });
        }),
    ));
});

describe('Concat', () => {
  it('gives each part its stretch', () =>
    checkGradients(
      fc
        .tuple(
          shapes(1),
          fc.nat(2),
          fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 3 }),
        )
        .chain(([shape, at, sizes]) => {
          const axis = at % shape.length;
          return fc.record({
            operator: fc.constant('Concat'),
            inputs: fc.tuple(...sizes.map((size) => floats(shape.with(axis, size)))),
            attributes: fc.constantFrom({ axis }, { axis: axis - shape.length }),
            opset: fc.constantFrom(11, 13, 18, 21),
          });
        })
        .map((of) => ({ ...of, symbolic: of.opset >= 13 })),
      20,
    ));
});

describe('Split', () => {
  it('joins the gradients of its parts', () =>
    checkGradients(
      fc
        .tuple(
          shapes(1),
          fc.nat(2),
          fc.constantFrom([1, 2], [2, 2], [1, 1, 3]),
          fc.constantFrom(9, 13, 17),
        )
        .chain(([shape, at, sizes, opset]) => {
          const axis = at % shape.length;
          const total = sizes.reduce((sum, size) => sum + size, 0);
          return fc.record({
            operator: fc.constant('Split'),
            inputs: floats(shape.with(axis, total)).map((input) =>
              opset >= 13 ? [input, ints(...sizes)] : [input],
            ),
            attributes: fc.constant(opset >= 13 ? { axis } : { axis, split: sizes }),
            outputs: fc.constant(sizes.length),
            opset: fc.constant(opset),
          });
        }),
      20,
    ));

  it('counts a part that nothing reads as zeros', () =>
    expectGradient({
      operator: 'Split',
      inputs: [{ shape: [4], values: [1, 2, 3, 4] }, ints(1, 3)],
      outputs: 2,
      seeded: [1],
    }));

  it('splits evenly without sizes', () =>
    expectGradient({
      operator: 'Split',
      inputs: [{ shape: [5], values: [1, 2, 3, 4, 5] }],
      attributes: { num_outputs: 2 },
      outputs: 2,
      opset: 18,
    }));
});

describe('Slice', () => {
  const ranges = fc.constantFrom(
    [0, 2, 1],
    [1, 3, 1],
    [1, 1000, 1],
    [-2, 2 ** 31 - 1, 1],
    [0, -1, 1],
    [-3, -1, 1],
    [0, 4, 2],
    [1, 1000, 3],
    [-1, -1000, -1],
    [3, 0, -2],
  );

  it('puts the gradient where the slice was, whatever the range', () =>
    checkGradients(
      fc
        .tuple(fc.integer({ min: 4, max: 5 }), ranges, ranges, fc.boolean(), fc.boolean())
        .chain(([size, first, second, two, atRun]) => {
          const chosen = two ? [first, second] : [first];
          const list = (at: number) => {
            const numbers = chosen.map((range) => range[at]!);
            return atRun ? given(...numbers) : ints(...numbers);
          };
          const axes = two ? [-1, 0] : [1];
          return fc.record({
            operator: fc.constant('Slice'),
            inputs: floats([size, 4]).map((input) => [
              input,
              list(0),
              list(1),
              ints(...axes),
              list(2),
            ]),
            opset: fc.constantFrom(11, 13, 21),
          });
        }),
      40,
    ));

  it('in old operator sets', async () => {
    const input = { shape: [3, 2], values: [1, 2, 3, 4, 5, 6] };
    await expectGradient({
      operator: 'Slice',
      inputs: [input, ints(1), ints(3)],
      opset: 11,
      symbolic: false,
    });
    await expectGradient({
      operator: 'Slice',
      inputs: [input],
      attributes: { starts: [0, -1], ends: [-1, 1000] },
      opset: 9,
      symbolic: false,
    });
  });
});
