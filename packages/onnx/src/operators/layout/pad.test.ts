import fc from 'fast-check';
import { describe, it } from 'vitest';
import { checkGradients, floats, ints, type OperatorCase } from '../testing/finite-difference.ts';

function pad(mode: string, opset: number): fc.Arbitrary<OperatorCase> {
  const rank =
    mode === 'constant' ? fc.integer({ min: 1, max: 3 }) : fc.integer({ min: 1, max: 4 });
  return rank
    .chain((axes) =>
      fc.array(
        fc
          .record({
            size: fc.integer({ min: 1, max: 4 }),
            begin: fc.integer({ min: -1, max: 3 }),
            end: fc.integer({ min: -1, max: 3 }),
          })
          .filter(({ size, begin, end }) => {
            const kept = size + Math.min(0, begin) + Math.min(0, end);
            // ONNX Runtime takes borders only from the elements that are left, and reflects without the ends.
            const most = mode === 'reflect' ? kept - 1 : mode === 'wrap' ? kept : 9;
            return kept > 0 && begin <= most && end <= most;
          }),
        { minLength: axes, maxLength: axes },
      ),
    )
    .chain((axes) => {
      const pads = [...axes.map(({ begin }) => begin), ...axes.map(({ end }) => end)];
      return floats(axes.map(({ size }) => size)).map((x) => ({
        operator: 'Pad',
        inputs: opset < 11 ? [x] : [x, ints(...pads)],
        attributes: { mode, ...(opset < 11 ? { pads } : {}) },
        opset,
        symbolic: mode === 'constant',
      }));
    });
}

describe('Pad', () => {
  for (const opset of [9, 11, 13, 18, 21]) {
    it(`constant, opset ${opset}`, () => checkGradients(pad('constant', opset), 15));
  }
  for (const [mode, opset] of [
    ['edge', 17],
    ['reflect', 17],
    ['wrap', 19],
  ] as const) {
    it(`${mode} border`, () => checkGradients(pad(mode, opset), 30));
  }
  it('named axes', () =>
    checkGradients(
      fc.tuple(floats([2, 3, 2]), fc.constantFrom('constant', 'edge')).map(([x, mode]) => ({
        operator: 'Pad',
        inputs: [x, ints(1, 0, 2, 1), undefined, ints(-1, 1)],
        attributes: { mode },
        opset: 18,
        symbolic: false,
      })),
      4,
    ));
});
