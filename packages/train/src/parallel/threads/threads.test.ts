import {
  batchNorm,
  conv,
  dense,
  flatten,
  maxPool,
  mlp,
  seededRandom,
  sequential,
  tensor,
  values,
  withLoss,
  type LossModel,
  type Model,
} from '@skein/onnx';
import { expect, it } from 'vitest';
import { batcher } from '../../data/batcher.ts';
import { dataset, type Dataset } from '../../data/dataset.ts';
import { adam } from '../../optimisers/adam.ts';
import type { Clipping } from '../../optimisers/clip.ts';
import type { Optimiser } from '../../optimisers/optimiser.ts';
import { sgd } from '../../optimisers/sgd.ts';
import { nativeBackend } from '../../run/native-backend.ts';
import { openStep, type StepSession } from '../../step/step-session.ts';
import { trainingStep } from '../../step/training-step.ts';
import { floats } from '../../testing/models.ts';
import { orderOfEpoch } from '../../data/dataset.ts';
import { batchPart, rowsPerRank } from '../batch-part.ts';
import { gradientStep } from '../gradient-step.ts';
import { openThreads } from './threads.ts';

const BATCH = 12;
const STEPS = 6;
const SEED = 1;

function graded(model: Model): LossModel {
  return withLoss(model, {
    loss: { kind: 'cross-entropy' },
    target: 'labels',
    weights: 'sample',
    weightName: 'mask',
  });
}

const perceptron = (batch: number) => mlp({ sizes: [8, 16, 4], seed: 3, batch });

function normalised(batch: number): Model {
  return sequential({
    input: { shape: [1, 6, 6] },
    layers: [
      conv({ filters: 4, kernel: 3, activation: 'relu' }),
      batchNorm(),
      maxPool(),
      flatten(),
      dense({ units: 4 }),
    ],
    seed: 4,
    batch,
  });
}

/** Rows whose labels can be learnt, of a shape. */
function rows(count: number, shape: readonly number[], seed: number): Dataset {
  const random = seededRandom(seed);
  const width = shape.reduce((all, each) => all * each, 1);
  const x = Array.from({ length: count * width }, () => 2 * random.next() - 1);
  const labels = BigInt64Array.from({ length: count }, (_, row) =>
    BigInt(Math.floor(2 + 2 * x[row * width]!)),
  );
  return dataset({ x: floats([count, ...shape], x), labels: tensor('int64', [count], labels) });
}

interface Training {
  readonly of: (batch: number) => Model;
  readonly optimiser: Optimiser;
  readonly clip?: Clipping;
}

async function openParallel(
  { of, ...options }: Training,
  workers: number,
  data: Dataset,
): Promise<StepSession> {
  const { model, ...loss } = graded(of(rowsPerRank(BATCH, workers)));
  const step = gradientStep(model, { ...loss, ...options });
  return openThreads(step, { workers, data, batch: BATCH, mask: 'mask', seed: SEED });
}

interface Trained {
  readonly losses: readonly number[];
  readonly tensors: ReadonlyMap<string, readonly number[]>;
}

/**
 * Results of a few steps over rows that do not fill the batches: the last batch of an epoch is
 * padded.
 */
async function trained(session: StepSession, data: Dataset): Promise<Trained> {
  const batches = batcher(data, { size: BATCH, inputs: ['x', 'labels'], mask: 'mask' });
  const losses: number[] = [];
  for (let at = 0; at < STEPS; at++) {
    const order = orderOfEpoch(data, SEED, Math.floor(at / batches.count));
    const { tensors } = batches.fill(order, at % batches.count);
    losses.push(await session.step(tensors, 0.05, at));
  }
  const tensors = new Map(
    [...session.tensors()].map(([name, each]) => [
      name,
      Array.from(values(each) as Float32Array, Number),
    ]),
  );
  await session.close();
  return { losses, tensors };
}

/** Relative to the largest number of the tensor. */
function expectClose(found: Trained, wanted: Trained, names?: (name: string) => boolean) {
  wanted.losses.forEach((loss, i) =>
    expect(Math.abs(found.losses[i]! - loss) / loss).toBeLessThan(1e-5),
  );
  for (const [name, numbers] of wanted.tensors) {
    if (names?.(name) === false) continue;
    const other = found.tensors.get(name)!;
    const scale = Math.max(...numbers.map(Math.abs), 1e-3);
    const error = Math.max(...numbers.map((each, i) => Math.abs(each - other[i]!))) / scale;
    expect(error, name).toBeLessThan(1e-5);
  }
}

const trainings: Record<string, Training> = {
  SGD: { of: perceptron, optimiser: sgd() },
  'SGD with momentum and a clipped norm': {
    of: perceptron,
    optimiser: sgd({ momentum: 0.9 }),
    clip: { norm: 0.2 },
  },
  'Adam with clipped values': { of: perceptron, optimiser: adam(), clip: { value: 0.05 } },
};

it.each(Object.entries(trainings))(
  '%s: three threads take the steps of one',
  async (_, training) => {
    // Batches of 12, 12 and 7: in the last, the second thread has some padding, and the third only
    // padding.
    const data = rows(31, [8], 1);
    const { model, ...loss } = graded(training.of(BATCH));
    const one = await openStep(trainingStep(model, { ...loss, ...training }), nativeBackend);
    const wanted = await trained(one, data);
    const found = await trained(await openParallel(training, 3, data), data);
    expect([...found.tensors.keys()].sort()).toEqual([...wanted.tensors.keys()].sort());
    expectClose(found, wanted);
  },
);

it('normalises each part alone: the gradients of accumulated batches, averaged', async () => {
  const training = { of: normalised, optimiser: adam() };
  const data = rows(2 * BATCH, [1, 6, 6], 2);
  const half = BATCH / 2;
  const { model, ...loss } = graded(normalised(half));
  const one = await openStep(
    trainingStep(model, { ...loss, optimiser: adam(), accumulate: 2 }),
    nativeBackend,
  );
  const parts = [0, 1].map((rank) =>
    batchPart({
      rank,
      size: 2,
      batch: BATCH,
      inputs: [{ name: 'x' }, { name: 'labels' }, { name: 'mask' }],
      mask: 'mask',
    }),
  );
  const oneByOne: StepSession = {
    ...one,
    async step(batch, rate) {
      const first = await one.accumulate(parts[0]!(batch));
      return (first + (await one.step(parts[1]!(batch), rate))) / 2;
    },
  };
  const wanted = await trained(oneByOne, data);
  const found = await trained(await openParallel(training, 2, data), data);
  // The oracle's running statistics belong to its second half alone.
  expectClose(found, wanted, (name) => !/mean$|var(iance)?$/.test(name) || name.startsWith('adam'));
});

it('has the running mean of the whole batch, and gives the same bits again', async () => {
  const data = rows(2 * BATCH, [1, 6, 6], 2);
  const training = { of: normalised, optimiser: sgd() };
  const found = await trained(await openParallel(training, 2, data), data);
  for (let again = 0; again < 3; again++) {
    expect(await trained(await openParallel(training, 2, data), data)).toEqual(found);
  }
});
