import fc from 'fast-check';
import { describe, it } from 'vitest';
import { checkGradients, floats, type OperatorCase } from '../testing/finite-difference.ts';

const axis = fc
  .record({
    size: fc.integer({ min: 1, max: 3 }),
    taps: fc.integer({ min: 1, max: 3 }),
    stride: fc.integer({ min: 1, max: 3 }),
    dilation: fc.integer({ min: 1, max: 2 }),
    begin: fc.integer({ min: 0, max: 1 }),
    end: fc.integer({ min: 0, max: 1 }),
    added: fc.integer({ min: 0, max: 2 }),
  })
  // ONNX Runtime adds cells inside a stride only; and something is left of the output.
  .filter(({ stride, added }) => added < stride)
  .filter(({ size, taps, stride, begin, end }) => (size - 1) * stride + taps > begin + end);

const form = fc.record({
  batch: fc.integer({ min: 1, max: 2 }),
  group: fc.integer({ min: 1, max: 2 }),
  inputs: fc.integer({ min: 1, max: 2 }),
  outputs: fc.integer({ min: 1, max: 2 }),
  axes: fc.array(axis, { minLength: 1, maxLength: 2 }),
  bias: fc.boolean(),
  opset: fc.constantFrom(11, 17, 22),
  sizing: fc.constantFrom('pads', 'output_shape', 'SAME_UPPER', 'SAME_LOWER', 'VALID'),
});

const cases = form.chain(
  ({ batch, group, inputs, outputs, axes, bias, opset, sizing }): fc.Arbitrary<OperatorCase> => {
    const ints = (of: (each: (typeof axes)[number]) => number) => axes.map(of);
    const same = sizing.startsWith('SAME');
    const dilations = ints(({ dilation }) => (same ? 1 : dilation));
    const taps = ints(({ taps: count }) => count);
    const padding = () => {
      if (sizing === 'pads') {
        return {
          pads: [...ints(({ begin }) => begin), ...ints(({ end }) => end)],
          output_padding: ints(({ added }) => added),
        };
      }
      if (sizing !== 'output_shape') return { auto_pad: sizing };
      const shape = axes.map(({ size, stride, begin, end }, i) =>
        Math.max(1, (size - 1) * stride + (taps[i]! - 1) * dilations[i]! + 1 - begin - end),
      );
      return { output_shape: shape };
    };
    return fc
      .tuple(
        floats([batch, group * inputs, ...ints(({ size }) => size)]),
        floats([group * inputs, outputs, ...taps]),
        ...(bias ? [floats([group * outputs])] : []),
      )
      .map((operands) => ({
        operator: 'ConvTranspose',
        inputs: operands,
        attributes: { group, strides: ints(({ stride }) => stride), dilations, ...padding() },
        opset,
        step: 1,
        symbolic: sizing === 'pads' || sizing === 'VALID' ? [0] : false,
      }));
  },
);

describe('ConvTranspose', () => {
  it('strides, dilations, groups and every way to size the output', () =>
    checkGradients(cases, 80));
});
