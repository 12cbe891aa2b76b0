import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { speechProbabilities, WINDOW } from './model.ts';

const CONTEXT = 64;

/** The network's inputs, call by call. */
async function calls(samples: Float32Array): Promise<{ inputs: number[][]; states: number[] }> {
  const [inputs, states]: [number[][], number[]] = [[], []];
  const stream = speechProbabilities(samples, async (input, state) => {
    inputs.push([...input]);
    states.push(state[0]!);
    return { probability: 0.5, state: new Float32Array(256).fill(inputs.length) };
  });
  for await (const probability of stream) expect(probability).toBe(0.5);
  return { inputs, states };
}

describe('speechProbabilities', () => {
  it('gives every sample once as part of a window, and the last 64 again as context', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(4 * WINDOW), async (length) => {
        const samples = Float32Array.from({ length }, (_, index) => index + 1);
        const { inputs } = await calls(samples);
        expect(inputs.length).toBe(Math.ceil(length / WINDOW));
        const at = (index: number): number => samples[index] ?? 0;
        for (const [window, input] of inputs.entries()) {
          const first = window * WINDOW - CONTEXT;
          expect(input).toEqual(
            Array.from({ length: CONTEXT + WINDOW }, (_, index) => at(first + index)),
          );
        }
      }),
      { numRuns: 25 },
    );
  });

  it('begins with an empty state and passes on the returned one', async () => {
    const { states } = await calls(new Float32Array(4 * WINDOW));
    expect(states).toEqual([0, 1, 2, 3]);
  });
});
