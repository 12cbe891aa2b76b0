import {
  batchNorm,
  conv,
  dense,
  dropout,
  flatten,
  maxPool,
  sequential,
  tensor,
  withLoss,
  type Model,
} from '@skein/onnx';
import { describe, expect, it } from 'vitest';
import { dataset } from '../../data/dataset.ts';
import { adam } from '../../optimisers/adam.ts';
import { nativeBackend } from '../../run/native-backend.ts';
import { floats } from '../../testing/models.ts';
import { constant } from '../../schedules/schedule.ts';
import { trainIn, type TrainOptions } from '../../trainer/trainer.ts';
import { rowsPerRank } from '../batch-part.ts';
import type { Collective } from '../collective.ts';
import { gradientStep, type GradientStep } from '../gradient-step.ts';
import { followRanks, leadRanks, planFor } from '../ranks.ts';
import { openReplica } from '../replica.ts';
import { moonsPlan, moonsStep } from '../testing/moons.ts';
import { ringOf } from '../testing/ring.ts';
import { overlappedExchange } from './overlapped-exchange.ts';
import { BUCKET_BYTES, stagesOf } from './stage-plan.ts';

/** With running statistics, which come about in the forward pass, and dropout. */
function convolutional(batch: number): GradientStep {
  const model: Model = sequential({
    input: { shape: [1, 6, 6] },
    layers: [
      conv({ filters: 4, kernel: 3, activation: 'relu' }),
      batchNorm(),
      maxPool(),
      flatten(),
      dense({ units: 8, activation: 'relu' }),
      dropout(0.2),
      dense({ units: 4 }),
    ],
    seed: 4,
    batch,
  });
  const { model: graded, ...loss } = withLoss(model, {
    loss: { kind: 'cross-entropy' },
    target: 'labels',
    weights: 'sample',
    weightName: 'mask',
  });
  return gradientStep(graded, { ...loss, optimiser: adam() });
}

const pictures: TrainOptions = {
  backend: nativeBackend,
  data: dataset({
    x: floats(
      [30, 1, 6, 6],
      Array.from({ length: 30 * 36 }, (_, i) => Math.sin(i * i)),
    ),
    labels: tensor(
      'int64',
      [30],
      BigInt64Array.from({ length: 30 }, (_, i) => BigInt(i % 4)),
    ),
  }),
  batch: 8,
  mask: 'mask',
  epochs: 3,
  seed: 2,
  schedule: constant(0.01),
};

/** Trains on a ring of two; all that training changes, as the leader has it. */
async function trained(
  stepFor: (rows: number) => GradientStep,
  plan: TrainOptions,
  options: { readonly bucketBytes: number; readonly accumulate?: number },
): Promise<ReadonlyMap<string, unknown>> {
  const [first, second] = await ringOf(2);
  const step = () => stepFor(rowsPerRank(plan.batch, 2, options.accumulate));
  const following = followRanks(second!, step(), { ...plan, ...options });
  const { tensors } = await trainIn(
    step(),
    () => leadRanks(first!, step(), { ...plan, ...options }),
    plan,
  );
  await following;
  return new Map(
    [...tensors].map(([name, { bytes }]) => [
      name,
      Float32Array.from(new Float32Array(bytes.slice().buffer)),
    ]),
  );
}

describe('stages', () => {
  it('hold all numbers once, from the last to the first', () => {
    const stages = stagesOf(moonsStep(2), 64);
    expect(stages.length).toBeGreaterThan(2);
    for (const [i, { from, to }] of stages.entries()) {
      expect(from).toBeLessThan(to);
      if (i > 0) expect(to).toBe(stages[i - 1]!.from);
    }
    expect(stages.at(-1)!.from).toBe(0);
    const whole = { from: 0, to: stages[0]!.to };
    expect(stagesOf(moonsStep(2), BUCKET_BYTES)).toMatchObject([whole]);
  });
});

describe('training in stages', () => {
  it.each([
    ['a perceptron', () => moonsStep(2), { ...moonsPlan, epochs: 3 }, {}],
    ['convolutions with statistics and dropout', convolutional, pictures, {}],
    ['gradients of several runs', convolutional, pictures, { accumulate: 2 }],
  ] as const)('gives what training in one does: %s', async (_, stepFor, plan, options) => {
    const whole = await trained(stepFor, plan, { ...options, bucketBytes: Infinity });
    const staged = await trained(stepFor, plan, { ...options, bucketBytes: 64 });
    expect([...staged.keys()]).toEqual([...whole.keys()]);
    for (const [name, numbers] of whole) {
      const found = staged.get(name) as Float32Array;
      (numbers as Float32Array).forEach((each, i) => expect(found[i]).toBeCloseTo(each, 4));
    }
  });

  it('sends what is final before the rest is computed', async () => {
    const ranks = await ringOf(2);
    const events: string[][] = [[], []];
    await Promise.all(
      ranks.map(async (ring, rank) => {
        const step = moonsStep(2);
        const stages = stagesOf(step, 256);
        const dealing = { ...moonsPlan, bucketBytes: 256 };
        const plan = planFor(ring, step, dealing, dealing);
        const watched: Collective = {
          ...ring,
          async sum(own, into) {
            events[rank]!.push(`sum of ${into.length}`);
            await ring.sum(own, into);
          },
        };
        const replica = await openReplica(plan, watched, { backend: nativeBackend, alone: false });
        const exchange = overlappedExchange(watched, replica, stages);
        const rows = {
          x: floats([8, 2], Array.from({ length: 16 }, Math.sin)),
          labels: tensor('int64', [8], new BigInt64Array(8)),
          mask: floats(
            [8],
            Array.from({ length: 8 }, () => 1),
          ),
        };
        await replica.gradient([new Map(Object.entries(rows))], 0, exchange.begin);
        events[rank]!.push('the gradient is whole');
        await exchange.finish(replica.own);
        await replica.close();
        await ring.close();
        const lengths = stages.map(({ from, to }) => `sum of ${to - from}`);
        const whole = events[rank]!.indexOf('the gradient is whole');
        expect(whole).toBeGreaterThan(0);
        expect(events[rank]!.filter((each) => each.startsWith('sum'))).toEqual(lengths);
      }),
    );
  });

  it('names what a graph rejects, and ends its thread', async () => {
    const [ring, other] = await ringOf(2);
    const plan = planFor(ring!, moonsStep(2), moonsPlan, { ...moonsPlan, bucketBytes: 256 });
    const replica = await openReplica(plan, ring!, { backend: nativeBackend, alone: false });
    const wrong = new Map([['x', floats([3], [1, 2, 3])]]);
    await expect(replica.gradient([wrong], 0)).rejects.toMatchObject({
      name: 'RuntimeFailure',
      kind: 'run',
    });
    await replica.close();
    await Promise.all([ring!.close(), other!.close()]);
  });
});
