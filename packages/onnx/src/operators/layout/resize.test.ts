import fc from 'fast-check';
import { describe, it } from 'vitest';
import { float } from '../../model/attribute.ts';
import {
  checkGradients,
  expectGradient,
  floats,
  ints,
  type OperatorCase,
  type OperatorInput,
} from '../testing/finite-difference.ts';

const TRANSFORMATIONS = ['half_pixel', 'pytorch_half_pixel', 'align_corners', 'asymmetric'];

function scales(...values: number[]): OperatorInput {
  return { shape: [values.length], values, role: 'constant' };
}

/** The region of interest could be left out since opset 13. */
function inputsOf(x: OperatorInput, opset: number): (OperatorInput | undefined)[] {
  if (opset === 10) return [x, scales(1, 1, 2, 3)];
  return [x, opset < 13 ? scales() : undefined, scales(1, 1, 2, 3)];
}

const axis = fc.record({
  size: fc.integer({ min: 1, max: 4 }),
  scale: fc.constantFrom(0.5, 0.6, 1, 1.5, 2, 2.4, 3),
});

interface Options {
  readonly mode: string;
  readonly spatial: number;
  readonly coordinates: readonly string[];
  readonly rounding?: readonly string[];
  readonly more?: Record<string, number | { readonly float: number }>;
  readonly opset?: number;
}

function resize({ mode, spatial, coordinates, rounding, more = {}, opset = 18 }: Options) {
  return fc
    .record({
      axes: fc
        .array(axis, { minLength: spatial, maxLength: spatial })
        .filter((axes) => axes.every(({ size, scale }) => Math.floor(size * scale) >= 1)),
      coordinates: fc.constantFrom(...coordinates),
      rounding: fc.constantFrom(...(rounding ?? ['round_prefer_floor'])),
      bySize: fc.boolean(),
    })
    .chain(({ axes, coordinates: chosen, rounding: rounded, bySize }) =>
      floats([1, 2, ...axes.map(({ size }) => size)]).map((x): OperatorCase => {
        const sizes = axes.map(({ size, scale }) => Math.floor(size * scale));
        return {
          operator: 'Resize',
          inputs: bySize
            ? [x, undefined, undefined, ints(1, 2, ...sizes)]
            : [x, undefined, { ...scales(1, 1, ...axes.map(({ scale }) => scale)) }],
          attributes: {
            mode,
            coordinate_transformation_mode: chosen,
            ...(mode === 'nearest' ? { nearest_mode: rounded } : {}),
            ...more,
          },
          opset,
          precision: 'float32',
          step: 1,
          symbolic: false,
        };
      }),
    );
}

describe('Resize', () => {
  for (const spatial of [1, 2, 3]) {
    it(`nearest, ${spatial}-D`, () =>
      checkGradients(
        resize({
          mode: 'nearest',
          spatial,
          coordinates: [...TRANSFORMATIONS, 'half_pixel_symmetric'],
          rounding: ['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'],
          opset: 19,
        }),
        spatial === 2 ? 60 : 25,
      ));
    it(`linear, ${spatial}-D`, () =>
      checkGradients(
        resize({
          mode: 'linear',
          spatial,
          coordinates: [...TRANSFORMATIONS, 'half_pixel_symmetric'],
          opset: 19,
        }),
        spatial === 2 ? 60 : 25,
      ));
  }
  it('cubic', () =>
    checkGradients(resize({ mode: 'cubic', spatial: 2, coordinates: TRANSFORMATIONS }), 30));
  it('cubic within the borders', () =>
    checkGradients(
      resize({
        mode: 'cubic',
        spatial: 2,
        coordinates: TRANSFORMATIONS,
        more: { exclude_outside: 1, cubic_coeff_a: float(-0.5) },
      }),
      20,
    ));
  it('whole factors, in every operator set', () =>
    checkGradients(
      fc
        .tuple(
          floats([2, 2, 2, 3]),
          fc.constantFrom(10, 11, 13, 18),
          fc.constantFrom('nearest', 'linear'),
        )
        .map(([x, opset, mode]) => ({
          operator: 'Resize',
          inputs: inputsOf(x, opset),
          attributes:
            opset === 10
              ? { mode }
              : { mode, coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
          opset,
          precision: 'float32' as const,
          step: 1,
          symbolic: false,
        })),
      12,
    ));
  it.each([
    // The size 10 · 1.3 is 13 in float32, and below it in float64.
    [[6, 10], [0.6, 1.3], 'linear', 'half_pixel'],
    // ONNX Runtime copies an input that keeps its sizes, whatever the scales.
    [[3, 3], [1.1, 1.3], 'linear', 'half_pixel'],
    // The order of the sum decides on which side of a border the neighbour is.
    [[3, 4], [1.5, 2.5], 'nearest', 'half_pixel_symmetric'],
  ] as const)('%j by %j', async (sizes, [high, wide], mode, coordinates) => {
    const [x] = fc.sample(floats([1, 2, ...sizes]), { numRuns: 1, seed: 1 });
    await expectGradient({
      operator: 'Resize',
      inputs: [x, undefined, scales(1, 1, high, wide)],
      attributes: {
        mode,
        coordinate_transformation_mode: coordinates,
        nearest_mode: 'floor',
      },
      opset: 19,
      precision: 'float32',
      step: 1,
      symbolic: false,
    });
  });
  it('named axes', () =>
    checkGradients(
      floats([1, 2, 2, 3]).map((x) => ({
        operator: 'Resize',
        inputs: [x, undefined, scales(2, 1.5)],
        attributes: { mode: 'linear', axes: [2, -1] },
        opset: 18,
        precision: 'float32' as const,
        step: 1,
        symbolic: false,
      })),
      2,
    ));
  it('Upsample', () =>
    checkGradients(
      fc.tuple(floats([1, 2, 2, 3]), fc.constantFrom('nearest', 'linear')).map(([x, mode]) => ({
        operator: 'Upsample',
        inputs: [x, scales(1, 1, 2, 2)],
        attributes: { mode },
        opset: 9,
        precision: 'float32' as const,
        step: 1,
        symbolic: false,
      })),
      4,
    ));
});
