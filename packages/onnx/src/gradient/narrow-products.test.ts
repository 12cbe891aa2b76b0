import { describe, expect, it } from 'vitest';
import { checkModel } from '../model/check.ts';
import { mlp } from '../layers/mlp.ts';
import { withLoss } from '../loss/loss.ts';
import type { Model } from '../model/model.ts';
import { seededRandom } from '../tensor/random.ts';
import { ortRun, OrtTensor } from '../testing/ort.ts';
import { gradient } from './gradient.ts';

const perceptron = (batch: number, hidden: number) =>
  withLoss(mlp({ sizes: [6, hidden, 3], seed: 1, batch }), { loss: { kind: 'mean-squared' } });

/** Whether the first layer has its weight on the left. */
const isTurned = (model: Model) =>
  model.graph!.node.some(
    ({ opType, input }) => opType === 'Gemm' && input[0] === 'layer0.weight' && input.length === 3,
  );

function noise(shape: number[], seed: number): OrtTensor {
  const random = seededRandom(seed);
  const count = shape.reduce((all, size) => all * size, 1);
  return new OrtTensor(
    'float32',
    Float32Array.from({ length: count }, () => random.next() * 2 - 1),
    shape,
  );
}

describe('narrowProducts', () => {
  it('changes results only by rounding', async () => {
    const { model, loss, seeds } = perceptron(5, 64);
    const turned = gradient(model, { loss, seeds });
    checkModel(turned);
    expect(isTurned(turned)).toBe(true);
    expect(turned.graph!.node.filter(({ opType }) => opType === 'Transpose')).toHaveLength(1);
    const feeds = { x: noise([5, 6], 2), target: noise([5, 3], 3) };
    const [found, before] = [await ortRun(turned, feeds), await ortRun(model, feeds)];
    for (const name of ['y', loss]) {
      found[name]!.forEach((each, i) => expect(each).toBeCloseTo(before[name]![i]!, 5));
    }
    expect(found['grad:layer0.weight']!.some((each) => each !== 0)).toBe(true);
  });

  it('leaves products with many rows, few outputs or a weight that is not trained', () => {
    const cases: [batch: number, hidden: number, parameters: string[] | undefined][] = [
      [33, 64, undefined],
      [1, 64, undefined],
      [5, 63, undefined],
      [5, 64, ['layer1.weight']],
    ];
    for (const [batch, hidden, parameters] of cases) {
      const { model, loss, seeds } = perceptron(batch, hidden);
      const of = { loss, seeds, ...(parameters === undefined ? {} : { parameters }) };
      expect(isTurned(gradient(model, of))).toBe(false);
    }
  });
});
