import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkGradients,
  expectGradient,
  floats,
  type OperatorCase,
  type OperatorInput,
} from '../testing/finite-difference.ts';

const form = fc.record({
  steps: fc.integer({ min: 1, max: 3 }),
  batch: fc.integer({ min: 1, max: 2 }),
  inputs: fc.integer({ min: 1, max: 2 }),
  hidden: fc.integer({ min: 1, max: 2 }),
  direction: fc.constantFrom('forward', 'reverse', 'bidirectional'),
  biased: fc.boolean(),
  started: fc.boolean(),
  /** Which of the outputs the loss depends on. */
  seeded: fc.constantFrom<number[]>([0], [1], [0, 1]),
  opset: fc.constantFrom(9, 12, 14, 17, 22),
});

/** Small values, so that no gate saturates. */
function small(shape: readonly number[]): fc.Arbitrary<OperatorInput> {
  return floats(shape).map((input) => ({
    ...input,
    values: input.values.map((value) => Math.sin(value * 7) / 2),
  }));
}

function cases(operator: 'LSTM' | 'GRU', more: Record<string, number> = {}) {
  const gates = operator === 'LSTM' ? 4 : 3;
  const states = operator === 'LSTM' ? 2 : 1;
  return form.chain(
    ({ steps, batch, inputs, hidden, direction, biased, started, seeded, opset }) => {
      const count = direction === 'bidirectional' ? 2 : 1;
      const state = [count, batch, hidden];
      const none = fc.constant(undefined);
      return fc
        .tuple(
          small([steps, batch, inputs]),
          small([count, gates * hidden, inputs]),
          small([count, gates * hidden, hidden]),
          biased ? small([count, 2 * gates * hidden]) : none,
          none,
          ...Array.from({ length: states }, () => (started ? small(state) : none)),
        )
        .map((all): OperatorCase => ({
          operator,
          inputs: all,
          attributes: { hidden_size: hidden, direction, ...more },
          outputs: states + 1,
          // The cell of an LSTM is an output too.
          seeded: states === 2 && seeded.includes(1) ? [...seeded, 2] : seeded,
          opset,
          precision: 'float32', // ONNX Runtime has no other
          symbolic: false,
        }));
    },
  );
}

describe('recurrent networks of fixed length', () => {
  it('LSTM', () => checkGradients(cases('LSTM'), 25));
  it('GRU that resets before the product', () => checkGradients(cases('GRU'), 25));
  it('GRU that resets after the product', () =>
    checkGradients(cases('GRU', { linear_before_reset: 1 }), 25));

  it.each([
    ['LSTM', 4, 2],
    ['GRU', 3, 1],
  ] as const)('%s of one step in both directions', async (operator, gates, states) => {
    const shapes = [
      [1, 2, 1],
      [2, gates, 1],
      [2, gates, 1],
    ];
    const [inputs] = fc.sample(fc.tuple(...shapes.map(small)), { numRuns: 1, seed: 1 });
    const attributes = { hidden_size: 1, direction: 'bidirectional' };
    await expectGradient({
      operator,
      inputs: inputs!,
      attributes,
      outputs: states + 1,
      precision: 'float32',
      symbolic: false,
    });
  });

  it('refuses sequences with lengths of their own', async () => {
    const one = (shape: readonly number[], numbers: readonly number[]) => ({
      shape,
      values: numbers,
    });
    await expect(
      expectGradient({
        operator: 'LSTM',
        inputs: [
          one([1, 1, 1], [0.1]),
          one([1, 4, 1], [0.1, 0.2, 0.3, 0.4]),
          one([1, 4, 1], [0.1, 0.2, 0.3, 0.4]),
          undefined,
          { shape: [1], values: [1], role: 'given', type: 'int32' },
        ],
        attributes: { hidden_size: 1 },
        precision: 'float32',
      }),
    ).rejects.toThrow(/lengths of their own/);
  });
});
