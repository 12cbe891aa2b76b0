/** Runs with Dropout are repeatable, also after an interruption, for one worker and several. */
import {
  dense,
  dropout,
  sequential,
  values,
  withLoss,
  type LossModel,
  type NumericTensor,
} from '@skein/onnx';
import { describe, expect, it } from 'vitest';
import type { CheckpointStore } from '../checkpoint/checkpoint.ts';
import { dataset } from '../data/dataset.ts';
import { adam } from '../optimisers/adam.ts';
import { sgd } from '../optimisers/sgd.ts';
import { rowsPerRank } from '../parallel/batch-part.ts';
import { gradientStep } from '../parallel/gradient-step.ts';
import type { LocalTraining } from '../parallel/local-training.ts';
import { rankPlan } from '../parallel/rank-plan.ts';
import { openThreads } from '../parallel/threads/threads.ts';
import type { Tensors } from '../run/backend.ts';
import { nativeBackend } from '../run/native-backend.ts';
import { wasmBackend } from '../run/wasm-backend.ts';
import { constant } from '../schedules/schedule.ts';
import { floats, moons } from '../testing/models.ts';
import { train, trainIn, type TrainOptions, type TrainResult } from '../trainer/trainer.ts';
import { dropoutKeys } from './dropout-keys.ts';
import { openStep } from './step-session.ts';
import { trainingStep } from './training-step.ts';

const BATCH = 16;

const plan: TrainOptions = {
  backend: nativeBackend,
  data: dataset(moons(90, 1)),
  batch: BATCH,
  mask: 'mask',
  epochs: 3,
  seed: 9,
  schedule: constant(0.02),
};

function graded(batch: number): LossModel {
  const layers = [
    dense({ units: 16, activation: 'relu' as const }),
    dropout(0.3),
    dense({ units: 16, activation: 'relu' as const }),
    dropout(0.5),
    dense({ units: 2 }),
  ];
  return withLoss(sequential({ input: { shape: [2] }, layers, seed: 5, batch }), {
    loss: { kind: 'cross-entropy' },
    target: 'labels',
    weights: 'sample',
    weightName: 'mask',
  });
}

const bitsOf = (tensors: Tensors) =>
  [...tensors].map(([name, { bytes }]) => [name, Buffer.from(bytes).toString('hex')]);

const batch = new Map<string, NumericTensor>([
  ...Object.entries(moons(BATCH, 4)),
  [
    'mask',
    floats(
      [BATCH],
      Array.from({ length: BATCH }, () => 1),
    ),
  ],
]);

function trainHere(options: TrainOptions): Promise<TrainResult> {
  const { model, ...loss } = graded(BATCH);
  return train(trainingStep(model, { ...loss, optimiser: adam() }), options);
}

function trainOnThreads(options: TrainOptions, local?: LocalTraining): Promise<TrainResult> {
  const { model, ...loss } = graded(rowsPerRank(BATCH, 2));
  const step = gradientStep(model, { ...loss, optimiser: adam() });
  const { data, batch, mask, seed, checkpointEvery } = options;
  const open = () =>
    openThreads(step, { workers: 2, data, batch, mask, seed, local, checkpointEvery });
  return trainIn(step, open, options);
}

/** A store that ends the run after a number of saves, as a kill would. */
function killed(saves: number): CheckpointStore & { revive(): void } {
  let saved: Uint8Array | undefined;
  let left = saves;
  return {
    load: async () => saved,
    async save(bytes) {
      saved = bytes.slice();
      if (--left === 0) throw new Error('killed');
    },
    revive: () => (left = Infinity),
  };
}

const ways = {
  'one worker': trainHere,
  'two workers': (options: TrainOptions) => trainOnThreads(options),
} satisfies Record<string, (options: TrainOptions) => Promise<TrainResult>>;

describe.each(Object.entries(ways))('%s', (_, trained) => {
  it('gives the same bits for the same seed, and other bits for another seed', async () => {
    const first = await trained(plan);
    const again = await trained(plan);
    const other = await trained({ ...plan, seed: 10 });
    expect(bitsOf(again.tensors)).toEqual(bitsOf(first.tensors));
    expect(again.epochs).toEqual(first.epochs);
    expect(bitsOf(other.tensors)).not.toEqual(bitsOf(first.tensors));
  });

  it('resumes from a checkpoint with the bits of an uninterrupted run', async () => {
    const often = { ...plan, checkpointEvery: 4 };
    const wanted = await trained(often);
    for (const saves of [1, 3]) {
      const checkpoints = killed(saves);
      await expect(trained({ ...often, checkpoints })).rejects.toThrow('killed');
      checkpoints.revive();
      const resumed = await trained({ ...often, checkpoints });
      expect(bitsOf(resumed.tensors)).toEqual(bitsOf(wanted.tensors));
      expect(resumed.epochs).toEqual(wanted.epochs);
    }
  });
});

it('two workers on their own give the same bits again', async () => {
  const local = { steps: 3 };
  const first = await trainOnThreads(plan, local);
  expect(bitsOf((await trainOnThreads(plan, local)).tensors)).toEqual(bitsOf(first.tensors));
});

it('two workers have different keys in the same step', () => {
  const rank = (position: number) => {
    const { model, ...loss } = graded(1);
    const step = gradientStep(model, { ...loss, optimiser: sgd() });
    return rankPlan(step, { part: 1, rank: position, seed: 3, stages: [] }).seed;
  };
  const keys = [0, 1].map((each) => values([...dropoutKeys(2, rank(each))(0).values()][0]!));
  expect(keys[0]).not.toEqual(keys[1]);
});

it('batches that are gathered for one step drop different elements', async () => {
  const { model, ...loss } = graded(BATCH);
  const step = trainingStep(model, { ...loss, optimiser: sgd(), accumulate: 3 });
  const session = await openStep(step, nativeBackend, { seed: 3 });
  const round = async (at: number) => [
    await session.accumulate(batch, at),
    await session.accumulate(batch, at),
    await session.step(batch, 0, at),
  ];
  const first = await round(0);
  expect(new Set(first).size).toBe(3);
  expect(new Set([...first, ...(await round(1))]).size).toBe(6);
  expect(await round(0)).toEqual(first);
  await session.close();
});

it('drops the same elements natively and in WebAssembly', async () => {
  const { model, ...loss } = graded(BATCH);
  const step = trainingStep(model, { ...loss, optimiser: sgd() });
  const losses = await Promise.all(
    [nativeBackend, wasmBackend].map(async (backend) => {
      const session = await openStep(step, backend, { seed: 3 });
      const found: number[] = [];
      for (let at = 0; at < 5; at++) found.push(await session.step(batch, 0.1, at));
      await session.close();
      return found;
    }),
  );
  losses[0]!.forEach((loss, i) => expect(losses[1]![i]).toBeCloseTo(loss, 5));
});
