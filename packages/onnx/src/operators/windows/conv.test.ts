import fc from 'fast-check';
import { describe, it } from 'vitest';
import { checkGradients, floats, type OperatorCase } from '../testing/finite-difference.ts';

interface Form {
  readonly batch: number;
  readonly group: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly axes: readonly Axis[];
  readonly bias: boolean;
  readonly opset: number;
}

interface Axis {
  readonly size: number;
  readonly taps: number;
  readonly stride: number;
  readonly dilation: number;
  readonly begin: number;
  readonly end: number;
}

const axis = fc
  .record({
    size: fc.integer({ min: 1, max: 6 }),
    taps: fc.integer({ min: 1, max: 3 }),
    stride: fc.integer({ min: 1, max: 3 }),
    dilation: fc.integer({ min: 1, max: 2 }),
    begin: fc.integer({ min: 0, max: 2 }),
    end: fc.integer({ min: 0, max: 2 }),
  })
  .filter(({ size, taps, dilation, begin, end }) => size + begin + end > (taps - 1) * dilation);

function forms(rank: number): fc.Arbitrary<Form> {
  return fc.record({
    batch: fc.integer({ min: 1, max: 2 }),
    group: fc.integer({ min: 1, max: 2 }),
    inputs: fc.integer({ min: 1, max: 2 }),
    outputs: fc.integer({ min: 1, max: 2 }),
    axes: fc.array(axis, { minLength: rank, maxLength: rank }),
    bias: fc.boolean(),
    opset: fc.constantFrom(9, 11, 13, 17, 22),
  });
}

/** `mode` is an `auto_pad`. The shape of the weights must be known, the shape of the image need not be. */
function conv(
  { batch, group, inputs, outputs, axes, bias, opset }: Form,
  mode: string,
): fc.Arbitrary<OperatorCase> {
  const ints = (of: (each: Axis) => number) => axes.map(of);
  const padding =
    mode === 'NOTSET'
      ? { pads: [...ints(({ begin }) => begin), ...ints(({ end }) => end)] }
      : { auto_pad: mode };
  const needsSizes = mode.startsWith('SAME') && axes.some(({ stride }) => stride > 1);
  return fc
    .tuple(
      floats([batch, group * inputs, ...ints(({ size }) => size)]),
      floats([group * outputs, inputs, ...ints(({ taps }) => taps)]),
      ...(bias ? [floats([group * outputs])] : []),
    )
    .map((operands) => ({
      operator: 'Conv',
      inputs: operands,
      attributes: {
        group,
        strides: ints(({ stride }) => stride),
        dilations: ints(({ dilation }) => dilation),
        ...padding,
      },
      opset,
      step: 1,
      symbolic: opset >= 11 && !needsSizes ? [0] : false,
    }));
}

describe('Conv', () => {
  for (const rank of [1, 2, 3]) {
    it(`${rank}-D with strides, dilations, groups and pads`, () =>
      checkGradients(
        forms(rank).chain((form) => conv(form, 'NOTSET')),
        rank === 3 ? 6 : 40,
      ));
  }
  for (const mode of ['SAME_UPPER', 'SAME_LOWER', 'VALID']) {
    it(`auto_pad ${mode}`, () =>
      checkGradients(
        forms(2)
          .filter(
            ({ axes }) =>
              mode === 'VALID'
                ? axes.every(({ size, taps, dilation }) => size > (taps - 1) * dilation)
                : axes.every(({ dilation }) => dilation === 1), // ONNX Runtime has no other
          )
          .chain((form) => conv(form, mode)),
        25,
      ));
  }
  it('with enough channels for a matrix product per tap', () =>
    checkGradients(
      conv(
        {
          batch: 2,
          group: 1,
          inputs: 9,
          outputs: 2,
          axes: [
            { size: 5, taps: 3, stride: 2, dilation: 1, begin: 1, end: 1 },
            { size: 4, taps: 2, stride: 1, dilation: 2, begin: 0, end: 1 },
          ],
          bias: true,
          opset: 17,
        },
        'NOTSET',
      ),
      1,
    ));
});
