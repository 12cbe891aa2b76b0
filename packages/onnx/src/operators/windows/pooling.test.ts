import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../model/builder.ts';
import { ortRun, OrtTensor } from '../../testing/ort.ts';
import { gradient } from '../../gradient/gradient.ts';
import { checkGradients, floats, type OperatorCase } from '../testing/finite-difference.ts';

const axis = fc
  .record({
    size: fc.integer({ min: 2, max: 6 }),
    taps: fc.integer({ min: 1, max: 3 }),
    stride: fc.integer({ min: 1, max: 3 }),
    dilation: fc.integer({ min: 1, max: 2 }),
    begin: fc.integer({ min: 0, max: 1 }),
    end: fc.integer({ min: 0, max: 1 }),
  })
  // Padding is smaller than the window, which fits.
  .filter(({ taps, begin, end }) => begin < taps && end < taps)
  .filter(({ size, taps, dilation, begin, end }) => size + begin + end > (taps - 1) * dilation);

const forms = fc.record({
  batch: fc.integer({ min: 1, max: 2 }),
  channels: fc.integer({ min: 1, max: 2 }),
  axes: fc.array(axis, { minLength: 1, maxLength: 2 }),
  ceil: fc.boolean(),
  whole: fc.boolean(),
  mode: fc.constantFrom('NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID'),
});

function pool(
  operator: string,
  opset: number,
  dilated: boolean,
  more: Record<string, number> = {},
): fc.Arbitrary<OperatorCase> {
  return forms
    .chain(({ batch, channels, axes, ceil, whole, mode }) => {
      const ints = (of: (each: (typeof axes)[number]) => number) => axes.map(of);
      // Half of the cases tile their input.
      const strides = ints(({ stride, taps }) => (whole ? taps : stride));
      const explicit = mode === 'NOTSET' && !whole;
      return floats([batch, channels, ...ints(({ size }) => size)]).map((x) => ({
        operator,
        inputs: [x],
        attributes: {
          kernel_shape: ints(({ taps }) => taps),
          strides,
          ...(explicit
            ? { pads: [...ints(({ begin }) => begin), ...ints(({ end }) => end)] }
            : { auto_pad: mode }),
          ...(dilated && explicit ? { dilations: ints(({ dilation }) => dilation) } : {}),
          // ONNX Runtime rounds up explicit padding alone.
          ...(opset >= 10 && mode === 'NOTSET' ? { ceil_mode: ceil ? 1 : 0 } : {}),
          ...more,
        },
        opset,
        symbolic: false,
      }));
    })
    .filter(fits);
}

function isSame(attributes: NonNullable<OperatorCase['attributes']>): boolean {
  const mode = attributes['auto_pad'];
  return typeof mode === 'string' && mode.startsWith('SAME');
}

/** Without padding a window must fit into the input; `SAME` with gaps between windows is not defined. */
function fits({ inputs, attributes = {} }: OperatorCase): boolean {
  const sizes = inputs[0]!.shape.slice(2);
  const taps = attributes['kernel_shape'] as number[];
  const strides = attributes['strides'] as number[];
  if (isSame(attributes)) {
    return taps.every((count, i) => count >= strides[i]!);
  }
  return 'pads' in attributes || taps.every((count, i) => count <= sizes[i]!);
}

describe('MaxPool', () => {
  it('windows that overlap, tile or leave gaps', () =>
    checkGradients(pool('MaxPool', 17, true), 60));
  for (const opset of [10, 13, 15]) {
    it(`windows that overlap, in opset ${opset}`, () =>
      checkGradients(
        pool('MaxPool', opset, true).map((of) => ({
          ...of,
          attributes: { ...of.attributes, ceil_mode: 0 },
          precision: 'float32',
        })),
        30,
      ));
  }
  for (const [precision, opset] of [
    ['float64', 9],
    ['float64', 13],
    ['float32', 11],
    ['float32', 13],
    ['float32', 22],
  ] as const) {
    it(`tiles, in ${precision} and opset ${opset}`, () =>
      checkGradients(
        pool('MaxPool', opset, false).map((of) => ({
          ...of,
          attributes: { ...of.attributes, strides: of.attributes!['kernel_shape']! },
          precision,
        })),
        20,
      ));
  }
  it('with shapes that are not known', () =>
    checkGradients(
      pool('MaxPool', 18, true)
        .filter(({ attributes }) => !isSame(attributes!))
        .map((of) => ({ ...of, symbolic: true })),
      20,
    ));

  it('shares the gradient among cells that tie', async () => {
    const graph = new GraphBuilder('ties');
    graph.input('x', 'float32', [1, 1, 2, 4]);
    graph.node('MaxPool', ['x'], { kernel_shape: [2, 2], strides: [2, 2] }, { outputs: ['y'] });
    graph.output('y', 'float32', [1, 1, 1, 2]);
    graph.input('seed', 'float32', [1, 1, 1, 2]);
    const x = new OrtTensor('float32', Float32Array.of(1, 1, 3, 2, 1, 0, 1, 3), [1, 1, 2, 4]);
    const seed = new OrtTensor('float32', Float32Array.of(1, 1), [1, 1, 1, 2]);
    const seeded = gradient(graph.model(), { loss: 'y', inputs: ['x'], seeds: { y: 'seed' } });
    const third = Math.fround(1 / 3);
    expect((await ortRun(seeded, { x, seed }))['grad:x']).toEqual([
      third,
      third,
      0.5,
      0,
      third,
      0,
      0,
      0.5,
    ]);
  });
});

describe('AveragePool', () => {
  it('leaves padding out', () => checkGradients(pool('AveragePool', 17, false), 60));
  it('counts padding', () =>
    checkGradients(pool('AveragePool', 17, false, { count_include_pad: 1 }), 60));
  it('dilated', () => checkGradients(pool('AveragePool', 19, true), 40));
  it('with shapes that are not known', () =>
    checkGradients(
      pool('AveragePool', 17, false, { count_include_pad: 1 })
        .filter(({ attributes }) => !isSame(attributes!))
        .map((of) => ({ ...of, attributes: { ...of.attributes, ceil_mode: 0 }, symbolic: true })),
      20,
    ));
});

describe('pooling over everything', () => {
  for (const operator of ['GlobalAveragePool', 'GlobalMaxPool']) {
    it(`by ${operator}`, () =>
      checkGradients(
        fc
          .array(fc.integer({ min: 1, max: 3 }), { minLength: 3, maxLength: 5 })
          .chain((shape) => floats(shape))
          .map((x) => ({ operator, inputs: [x] })),
        20,
      ));
  }
});
