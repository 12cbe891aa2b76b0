import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../model/builder.ts';
import { checkModel } from '../model/check.ts';
import { gradient } from '../gradient/gradient.ts';
import { mlp } from '../layers/mlp.ts';
import { withLoss } from '../loss/loss.ts';
import { writeModel, type Model } from '../model/model.ts';
import { tensor } from '../tensor/tensor.ts';
import { ortRun, OrtTensor } from '../testing/ort.ts';
import { inStages } from './stages.ts';

type Feeds = Record<string, OrtTensor>;

/** Runs the stages in order, each with the values of earlier ones. */
async function runStages(stages: readonly Model[], feeds: Feeds): Promise<Record<string, unknown>> {
  const values: Feeds = { ...feeds };
  const found: Record<string, unknown> = {};
  for (const stage of stages) {
    const { input, output } = stage.graph!;
    const given = Object.fromEntries(input.map(({ name }) => [name, values[name]!]));
    const results = await ortRun(stage, given);
    for (const { name, type } of output) {
      const numbers = results[name] as number[];
      found[name] = numbers;
      const value = type?.value;
      if (value?.case !== 'tensorType') throw new Error(`Output ${name} is no tensor.`);
      const dims = value.value.shape!.dim.map(({ value: size }) => Number(size.value));
      values[name] = new OrtTensor('float32', Float32Array.from(numbers), dims);
    }
  }
  return found;
}

/** A perceptron with the gradients of its loss as outputs. */
function perceptron(): { model: Model; outputs: readonly string[]; feeds: Feeds } {
  const { model, loss } = withLoss(mlp({ sizes: [3, 5, 4, 2], seed: 1, batch: 4 }), {
    loss: { kind: 'mean-squared' },
  });
  const backward = gradient(model, { loss });
  const random = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i * 7));
  return {
    model: backward,
    outputs: backward.graph!.output.map(({ name }) => name),
    feeds: Object.fromEntries(
      backward.graph!.input.map(({ name }) => {
        const columns = name === 'target' ? 2 : 3;
        return [name, new OrtTensor('float32', random(4 * columns), [4, columns])];
      }),
    ),
  };
}

describe('inStages', () => {
  it('makes the same values, however the outputs are grouped', async () => {
    const { model, outputs, feeds } = perceptron();
    const before = writeModel(model);
    const whole = await ortRun(model, feeds);
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray([...outputs], { minLength: outputs.length }),
        fc.integer({ min: 1, max: outputs.length }),
        async (order, count) => {
          const groups = Array.from({ length: count }, (_, i) =>
            order.slice(
              Math.floor((i * order.length) / count),
              Math.floor(((i + 1) * order.length) / count),
            ),
          );
          const stages = inStages(model, groups);
          expect(stages).toHaveLength(count);
          for (const stage of stages) if (stage.graph!.node.length > 0) checkModel(stage);
          const nodes = stages.flatMap(({ graph }) => graph!.node);
          expect(new Set(nodes).size).toBe(nodes.length);
          const found = await runStages(
            stages.filter(({ graph }) => graph!.node.length > 0),
            feeds,
          );
          for (const name of outputs) {
            const wanted = whole[name] as number[];
            (found[name] as number[]).forEach((each, i) => expect(each).toBeCloseTo(wanted[i]!, 5));
          }
        },
      ),
      { seed: 5, numRuns: 20 },
    );
    expect(writeModel(model)).toEqual(before);
  });

  it('leaves to a later stage only nodes that earlier ones do not need', () => {
    const graph = new GraphBuilder('two');
    const x = graph.input('x', 'float32', [2]);
    const two = graph.initializer('two', tensor('float32', [], Float32Array.of(2)));
    const [shared] = graph.node('Mul', [x, two], {}, { outputs: ['shared'] });
    graph.node('Exp', [shared], {}, { outputs: ['early'] });
    graph.node('Neg', [shared], {}, { outputs: ['late'] });
    graph.output('early', 'float32', [2]);
    graph.output('late', 'float32', [2]);
    const [first, second] = inStages(graph.model(), [['early'], ['late']]);
    expect(first!.graph!.node.map(({ opType }) => opType)).toEqual(['Mul', 'Exp']);
    expect(first!.graph!.output.map(({ name }) => name)).toEqual(['early', 'shared']);
    expect(second!.graph!.input.map(({ name }) => name)).toEqual(['shared']);
    expect(second!.graph!.initializer).toEqual([]);
  });

  it('names the value at which it cannot cut', () => {
    const graph = new GraphBuilder('strange');
    const x = graph.input('x', 'float32', [2]);
    const [odd] = graph.node('Odd', [x], {}, { outputs: ['odd'], domain: 'elsewhere' });
    graph.node('Neg', [odd], {}, { outputs: ['a'] });
    graph.node('Exp', [odd], {}, { outputs: ['b'] });
    graph.output('a', 'float32', [2]);
    graph.output('b', 'float32', [2]);
    expect(() => inStages(graph.model(), [['a'], ['b']])).toThrow(/type of 'odd'/u);
  });
});
