import fc from 'fast-check';
import { describe, it } from 'vitest';
import {
  checkGradients,
  floats,
  shapes,
  type OperatorCase,
  type OperatorInput,
} from '../testing/finite-difference.ts';

type Role = 'given' | 'constant';
const role = fc.constantFrom<Role>('given', 'constant');

/** Indices below a size, some of them counted from the end; repeated ones are likely. */
function indices(shape: readonly number[], size: number, as: Role): fc.Arbitrary<OperatorInput> {
  const count = shape.reduce((product, each) => product * each, 1);
  return fc
    .array(fc.integer({ min: -size, max: size - 1 }), { minLength: count, maxLength: count })
    .map((values) => ({ shape, values, role: as, type: 'int64' as const }));
}

const rowShapes = shapes(1, 3);

describe('Gather', () => {
  const cases = fc
    .tuple(rowShapes, fc.integer({ min: -1, max: 2 }), shapes(0, 2), role)
    .chain(([shape, at, inner, as]): fc.Arbitrary<OperatorCase> => {
      const axis = at < 0 ? -1 : at % shape.length;
      return fc
        .tuple(floats(shape), indices(inner, shape.at(axis)!, as))
        .map((inputs) => ({ operator: 'Gather', inputs, attributes: { axis } }));
    });
  it('any axis, any shape of indices', () => checkGradients(cases, 40));
  it('in float32 before opset 16', () =>
    checkGradients(
      fc.tuple(cases, fc.constantFrom(11, 13, 15)).map(([of, opset]) => ({
        ...of,
        opset,
        precision: 'float32' as const,
        symbolic: false,
      })),
      30,
    ));
  it('a single constant index in an old operator set', () =>
    checkGradients(
      fc
        .tuple(shapes(2, 2), fc.nat(1), fc.constantFrom(9, 11, 13))
        .chain(([shape, axis, opset]) =>
          fc.tuple(floats(shape), indices([], shape[axis]!, 'constant')).map((inputs) => ({
            operator: 'Gather',
            inputs: inputs.map((each, i) =>
              i === 1 && opset < 11 ? { ...each, values: each.values.map(Math.abs) } : each,
            ),
            attributes: { axis },
            opset,
            symbolic: false,
          })),
        )
        .filter(
          ({ inputs, attributes }) => inputs[1]!.values[0]! < inputs[0]!.shape[attributes.axis]!,
        ),
      15,
    ));
});

/** Before opset 16 a scatter cannot add, and the sizes must be known. */
const opsets = fc.constantFrom(12, 13, 15, 17, 21);

describe('GatherElements and ScatterElements', () => {
  it('GatherElements', () =>
    checkGradients(
      fc
        .tuple(shapes(1, 2), fc.integer({ min: 1, max: 4 }), fc.nat(1), role, opsets)
        .chain(([shape, length, at, as, opset]) => {
          const axis = at % shape.length;
          const inner = shape.with(axis, length);
          // The indices may be shorter than the data along other axes.
          const whole = shape.map((size, i) => (i === axis ? size : size + (length % 2)));
          return fc.tuple(floats(whole), indices(inner, shape[axis]!, as)).map((inputs) => ({
            operator: 'GatherElements',
            inputs,
            attributes: { axis },
            opset,
            symbolic: opset >= 16,
          }));
        }),
      40,
    ));
  it('ScatterElements', () =>
    checkGradients(
      fc.tuple(shapes(1, 2), fc.nat(1), fc.boolean()).chain(([shape, at, adds]) => {
        const axis = at % shape.length;
        const size = shape[axis]!;
        // Without addition no place is named twice: one index along the axis.
        const inner = shape.with(axis, adds ? 2 : 1);
        return fc
          .tuple(floats(shape), indices(inner, size, 'given'), floats(inner))
          .map((inputs): OperatorCase => ({
            operator: 'ScatterElements',
            inputs,
            attributes: { axis, ...(adds ? { reduction: 'add' } : {}) },
          }));
      }),
      20,
    ));
});

describe('GatherND and ScatterND', () => {
  it('GatherND', () =>
    checkGradients(
      fc
        .tuple(shapes(2, 3), fc.nat(2), fc.nat(2), shapes(0, 1), role, opsets)
        .chain(([shape, batchAt, depthAt, inner, as, opset]) => {
          const batch = batchAt % shape.length;
          const depth = 1 + (depthAt % (shape.length - batch));
          const tuples = [...shape.slice(0, batch), ...inner, depth];
          const smallest = Math.min(...shape.slice(batch, batch + depth));
          return fc.tuple(floats(shape), indices(tuples, smallest, as)).map((inputs) => ({
            operator: 'GatherND',
            inputs,
            attributes: { batch_dims: batch },
            opset,
            symbolic: opset >= 16,
          }));
        }),
      60,
    ));
  it('ScatterND', () =>
    checkGradients(
      fc.tuple(shapes(1, 3), fc.nat(2), fc.boolean()).chain(([shape, depthAt, adds]) => {
        const depth = 1 + (depthAt % shape.length);
        const count = adds ? 3 : 1;
        const smallest = Math.min(...shape.slice(0, depth));
        const updates = [count, ...shape.slice(depth)];
        return fc
          .tuple(floats(shape), indices([count, depth], smallest, 'given'), floats(updates))
          .map((inputs): OperatorCase => ({
            operator: 'ScatterND',
            inputs,
            attributes: adds ? { reduction: 'add' } : {},
          }));
      }),
      30,
    ));
});
